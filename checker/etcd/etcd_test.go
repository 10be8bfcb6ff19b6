package etcd

import (
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"detcd/checker"
)

func TestUndoGivesBackTheStateThatThereWas(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	key := func() Bytes { return Bytes([]byte{'a' + byte(random.IntN(3))}) }
	for range 300 {
		s := NewState()
		states, marks := []*State{s.clone()}, []int{0}
		for range 12 {
			var ask any
			switch random.IntN(6) {
			case 0:
				ask = &Delete{Key: key(), End: "\x00"}
			case 1:
				ask = &Grant{ID: 1 + random.Int64N(2), TTL: 5}
			case 2:
				ask = &Revoke{ID: 1 + random.Int64N(2)}
			case 3:
				ask = &Compact{Revision: s.Revision()}
			default:
				ask = &Put{Key: key(), Value: key(), Lease: random.Int64N(3)}
			}
			s.Apply(ask, &Response{})
			states, marks = append(states, s.clone()), append(marks, len(s.Changes()))
		}
		for n := len(states) - 1; n >= 0; n-- {
			s.Undo(marks[n])
			for id := range int64(3) {
				a, b := s.Lease(id), states[n].Lease(id)
				if (a == nil) != (b == nil) || a != nil && !reflect.DeepEqual(a.Keys(), b.Keys()) {
					t.Fatalf("lease %d: %v, was %v", id, a, b)
				}
			}
			if s.Revision() != states[n].Revision() || s.Compacted() != states[n].Compacted() {
				t.Fatalf("revision %d, compacted %d", s.Revision(), s.Compacted())
			}
			for _, k := range []Bytes{"a", "b", "c"} {
				if a, b := s.Get(k), states[n].Get(k); !reflect.DeepEqual(a, b) {
					t.Fatalf("key %s: %v, was %v", k, a, b)
				}
			}
		}
	}
}

func TestAHistoryThatIsNoneIsRefusedWithItsLine(t *testing.T) {
	const first = `{"format":"operations","version":1}` + "\n"
	const watch = `{"client":1,"call":1,"return":2,"request":{"watch":{"watch":5,"key":"a"}},` +
		`"response":{}}` + "\n"
	line := func(request string) string {
		return first + `{"client":1,"call":1,"return":2,"request":` + request + `,"response":{}}` + "\n"
	}
	nested := strings.Repeat(`{"txn":{"success":[`, 200) + strings.Repeat(`]}}`, 200)
	for _, c := range []struct {
		text string
		line int
		want string
	}{
		{first + watch + watch, 3, "watch 5 is that of line 2"},
		{line(`{"put":{"key":"a"},"delete":{"key":"a"}}`), 2, "one member"},
		{line(`{"put":{"key":null}}`), 2, "null"},
		{line(`{"put":{"Key":"a"}}`), 2, "lower case"},
		{line(`{"put":{"key":"a","key":"b"}}`), 2, "twice"},
		{line(`{"put":{"key":5}}`), 2, "number"},
		{line(`{"put":{"key":"` + "\xc3" + `"}}`), 2, "UTF-8"},
		{line(nested), 2, "nested deeper"},
	} {
		_, err := Read(strings.NewReader(c.text))
		var unreadable *checker.LineError
		if !errors.As(err, &unreadable) || unreadable.Line != c.line ||
			!strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "Go ") ||
			strings.Contains(err.Error(), "etcd.") {
			t.Errorf("%.80s: %v, want line %d: %q", c.text, err, c.line, c.want)
		}
	}
}
