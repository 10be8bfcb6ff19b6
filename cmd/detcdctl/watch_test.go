package main

import (
	"slices"
	"strings"
	"testing"
)

func TestALineOfTheInteractiveWatchIsACommandLine(t *testing.T) {
	environ := []string{"ETCDCTL_WATCH_KEY=key", "ETCDCTL_WATCH_RANGE_END=end"}
	for _, c := range []struct {
		line        string
		environ     []string
		keys, shell []string
		fails       bool
	}{
		{"a", nil, []string{"a"}, nil, false},
		{"a b --rev 7", nil, []string{"a", "b"}, nil, false},
		{"--prefix a -- echo x", nil, []string{"a"}, []string{"echo", "x"}, false},
		{"a -- echo --prefix", nil, []string{"a"}, []string{"echo", "--prefix"}, false},
		{"", environ, []string{"key", "end"}, nil, false},
		{"-- echo", environ, []string{"key", "end"}, []string{"echo"}, false},
		{"", environ[:1], []string{"key"}, nil, false},
		{"a", environ, nil, nil, true},
		{"", environ[1:], nil, nil, true},
		{"", nil, nil, nil, true},
		{"a b c", nil, nil, nil, true},
		{"a b --prefix", nil, nil, nil, true},
		{"a --", nil, nil, nil, true},
		{"a --nosuchflag", nil, nil, nil, true},
	} {
		w, err := parseWatch(strings.Fields(c.line), c.environ)
		if c.fails {
			if err == nil {
				t.Errorf("%s is taken: %+v", c.line, w)
			}
			continue
		}
		if err != nil || !slices.Equal(w.keys, c.keys) || !slices.Equal(w.shell, c.shell) {
			t.Errorf("%s: %+v, %v", c.line, w, err)
		}
	}
}

// FuzzWatches: whatever is typed, it is read or refused, and what is read names one key or two.
func FuzzWatches(f *testing.F) {
	for _, line := range []string{
		"a", "a b", "--prefix a -- x", "-i", "-- --", "--rev=\x00 a", "'a' \"b\"",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words, err := split(line)
		if err != nil {
			return
		}
		w, err := parseWatch(words, nil)
		if err == nil && (len(w.keys) == 0 || len(w.keys) > 2) {
			t.Errorf("%q: %+v", line, w)
		}
	})
}
