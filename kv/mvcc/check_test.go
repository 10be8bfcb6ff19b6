package mvcc

import (
	"strings"
	"testing"

	"detcd/storage/archive"
)

// Each of these breaks one invariant; Check must name it.
func TestCheckNamesTheInvariantThatIsBroken(t *testing.T) {
	set := func(s *Store, key string, v *version) { s.index.tree.Set(item{key, v}) }
	newest := func(s *Store) *version { return s.index.newest("a") }
	tests := []struct {
		name, want string
		damage     func(s *Store)
	}{
		{"nothing", "", func(*Store) {}},
		{"a change of the future", "invariant 1", func(s *Store) { s.revision-- }},
		{"two at the same place", "invariant 1", func(s *Store) { set(s, "a", newest(s).on(newest(s))) }},
		{"a number is left out", "invariant 2", func(s *Store) { newest(s).number++ }},
		{"another create revision", "invariant 2", func(s *Store) { newest(s).create++ }},
		{"a second version 1", "invariant 2", func(s *Store) { newest(s).number = 1 }},
		{"a wrong jump", "invariant 3", func(s *Store) { newest(s).jump = newest(s).previous.previous }},
		{"another lease", "invariant 4", func(s *Store) { newest(s).lease = 9 }},
		{"a key is lost", "invariant 4", func(s *Store) { s.index.tree.Delete(item{key: "a"}) }},
		{"a version too much", "invariant 4", func(s *Store) {
			set(s, "b", &version{main: 3, sub: 7, create: 3, number: 1})
		}},
		{"not trimmed", "invariant 5", func(s *Store) { s.trimmed = 9 }},
		{"a grave without a tombstone", "invariant 6", func(s *Store) {
			s.graves.bury("a", &version{main: 2, sub: 7})
		}},
		{"a grave above the key", "invariant 6", func(s *Store) { s.graves.bury("a", newest(s)) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			y := newYard(t, Options{archive.Options{}})
			for range 8 {
				y.put("a", "")
			}
			y.remove("a")
			y.put("b", "")
			y.put("b", "")
			for range 8 {
				y.put("a", "")
			}
			test.damage(y.store)
			switch err := y.store.Check(); {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}
