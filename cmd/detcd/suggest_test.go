package main

import (
	"slices"
	"strings"
	"testing"
)

func TestNearWordsAreThoseOfATypingError(t *testing.T) {
	known := strings.Fields("get put del txn watch lease member endpoint snapshot list remove " +
		"--name --data-dir --wal-dir --listen-client-urls --listen-peer-urls --listen-client-http-urls")
	for _, c := range []struct{ word, want string }{
		{"gte", "get"}, {"gt", "get"}, {"gett", "get"}, {"put", "put"}, {"lsit", "list"},
		{"mebmer", "member"}, {"snap", "snapshot"}, {"enpoint", "endpoint"},
		{"--nmae", "--name"}, {"--datadir", "--data-dir"},
		{"--listen-client-url", "--listen-client-urls"},
		{"--lisen-peer-ulrs", "--listen-peer-urls"},
		{"frobnicate", ""}, {"x", ""}, {"", ""}, {"--verbose", ""},
		{strings.Repeat("get", 100), ""},
	} {
		if got := strings.Join(nearest(c.word, known), " "); got != c.want &&
			(c.want == "" || !strings.HasPrefix(got+" ", c.want+" ")) {
			t.Errorf("%q: %q, want %q", c.word, got, c.want)
		}
	}
	if got := nearest("lis", []string{"lisa", "list", "lisb", "lisc"}); !slices.Equal(got,
		[]string{"lisa", "lisb", "lisc"}) {
		t.Errorf("%q", got)
	}
}

func FuzzDistance(f *testing.F) {
	f.Add("get", "gte")
	f.Fuzz(func(t *testing.T, a, b string) {
		d := distance(a, b)
		if d != distance(b, a) || (d == 0) != (a[:min(len(a), 64)] == b[:min(len(b), 64)]) {
			t.Errorf("%q %q: %d", a, b, d)
		}
	})
}
