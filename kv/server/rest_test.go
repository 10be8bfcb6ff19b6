package server

import "testing"

// Memory is given back once in each quiet time, if there is enough of it.
func TestMemoryIsGivenBackWhenItIsQuiet(t *testing.T) {
	const mb = 1 << 20
	var r rester
	for i, look := range []struct {
		allocated, lives, holds uint64 // MB
		want                    bool
	}{
		{100, 50, 200, false}, // busy
		{101, 50, 200, false}, // quiet, for one look
		{102, 50, 200, true},
		{103, 50, 200, false},  // it was done
		{150, 50, 200, false},  // busy again
		{151, 10, 17, false},   // quiet
		{152, 10, 17, false},   // not worth it
		{153, 10, 18, true},    // 8 MB more than lives
		{300, 800, 950, false}, // busy
		{300, 800, 950, false},
		{300, 800, 950, false}, // less than a quarter
		{300, 800, 1000, true},
	} {
		if got := r.look(look.allocated*mb, look.lives*mb, look.holds*mb); got != look.want {
			t.Errorf("look %d: %v", i, got)
		}
	}
}
