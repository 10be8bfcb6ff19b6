package v2_test

import (
	"testing"

	"detcd/kv/v2"
)

func TestWhoIsToldOfWhat(t *testing.T) {
	set := func(key string) *v2.Event {
		return &v2.Event{Action: v2.Set, Node: v2.Record{Node: v2.Node{Key: key}}}
	}
	gone := func(key string) *v2.Event {
		e := set(key)
		e.Action, e.Prev = v2.Delete, &v2.Record{Node: v2.Node{Key: key, Dir: true}}
		return e
	}
	silent := set("/a")
	silent.Refresh = true
	for _, test := range []struct {
		name      string
		event     *v2.Event
		key       string
		recursive bool
		now, past bool
	}{
		{"the same key", set("/a"), "/a", false, true, true},
		{"another key", set("/a"), "/ab", true, false, false},
		{"a key below", set("/a/b"), "/a", false, false, false},
		{"a key below, recursive", set("/a/b"), "/a", true, true, true},
		{"anything, from the root", set("/a/b"), "", true, true, true},
		{"a hidden key itself", set("/a/_b"), "/a/_b", false, true, true},
		{"a hidden key below", set("/a/_b"), "/a", true, false, true},
		{"a key in a hidden directory", set("/_a/b"), "", true, false, true},
		{"a key below a hidden directory", set("/_a/b"), "/_a", true, true, true},
		{"a key above", set("/a"), "/a/b", true, false, false},
		{"a directory above that goes", gone("/a"), "/a/b/c", false, true, true},
		{"a directory above a hidden key", gone("/a"), "/a/_b", false, true, true},
		{"a directory that goes, beside it", gone("/a"), "/ab", false, false, true},
		{"a refresh", silent, "/a", true, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.event.Concerns(test.key, test.recursive) != test.now {
				t.Errorf("now: not %v", test.now)
			}
			if test.event.Concerned(test.key, test.recursive) != test.past {
				t.Errorf("later: not %v", test.past)
			}
		})
	}
}
