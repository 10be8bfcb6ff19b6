package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// At each second the attempt to connect has an outcome; "up" is a connection.
func TestAnUnreachablePeerIsLoggedWhenTheErrorChangesAndOnceAMinute(t *testing.T) {
	const up = "up"
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name    string
		outcome func(second int) string
		want    string // second and text of each line
	}{
		{"the same error", func(int) string { return "refused" },
			"0:refused 60:refused 120:refused"},
		{"another error after a while", func(second int) string {
			if second < 30 {
				return "refused"
			}
			return "timeout"
		}, "0:refused 30:timeout 90:timeout 150:timeout"},
		{"two errors in turn", func(second int) string {
			if second > 12 {
				return "a"
			}
			return []string{"a", "b"}[second%2]
		}, "0:a 5:b 10:a 70:a 130:a"},
		{"a connection that breaks every second", func(second int) string {
			if second > 12 || second%2 == 1 {
				return up
			}
			return "broken"
		}, "0:broken 1:up 6:broken 7:up 12:broken 13:up"},
		{"no trouble", func(int) string { return up }, "0:up"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var state trouble
			var lines []string
			for second := range 180 {
				text := c.outcome(second)
				tell := false
				if text == up {
					tell = state.over()
				} else {
					tell = state.worthLogging(text, begin.Add(time.Duration(second)*time.Second))
				}
				if tell {
					lines = append(lines, fmt.Sprint(second, ":", text))
				}
			}
			if got := strings.Join(lines, " "); got != c.want {
				t.Errorf("\ngot  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestErrorsThatMeanTheSameAreExplainedAlike(t *testing.T) {
	reset := errors.New("connection reset by peer")
	broken := func(port int) error {
		return &net.OpError{Op: "read", Net: "tcp", Err: reset,
			Source: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port},
			Addr:   &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2), Port: 2380}}
	}
	want := "read tcp 127.0.0.2:2380: connection reset by peer"
	for _, port := range []int{1025, 1026} {
		if got := explain(broken(port)); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := explain(io.EOF); !strings.Contains(got, "closed") {
		t.Errorf("an end is explained by %q", got)
	}
}

// A lines buffer takes a log.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// with counts the lines that have all of the words.
func (l *lines) with(words ...string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		all := true
		for _, word := range words {
			all = all && strings.Contains(line, word)
		}
		if all {
			n++
		}
	}
	return n
}

func TestWhoCannotBeReachedIsNamedWithURLAndReason(t *testing.T) {
	unused, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := unused.Addr().String()
	unused.Close()
	log := new(lines)
	a := start(t, 1, func(o *Options) {
		o.Log = slog.New(slog.NewTextHandler(log, nil))
		o.Name = func(id uint64) string { return fmt.Sprint("member-", id) }
	})
	a.SetPeers(map[uint64][]string{2: {address}})
	peer := func() PeerStats { return a.Stats().Peers[0] }
	eventually(t, "the refusal of the port is known", func() bool {
		return strings.Contains(peer().Error, "connection refused")
	})
	if got := peer(); got.Up || got.Addresses[0] != address || got.Since.IsZero() {
		t.Errorf("%+v", got)
	}
	eventually(t, "it is logged", func() bool {
		return log.with("no connection to peer", "member-2", address, "connection refused",
			"lane=consensus") == 1
	})
	if n := log.with("no connection to peer", "lane=bulk"); n > 0 {
		t.Errorf("of one unreachable peer both lanes speak (%d lines)", n)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	startOn(t, 2, listener, nil)
	eventually(t, "it is reached", func() bool { return peer().Up })
	if got := peer().Error; got != "" {
		t.Errorf("reached, and still an error: %s", got)
	}
}
