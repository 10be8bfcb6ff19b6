package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// A speaker shows progress: on a terminal one line that is written over and over, elsewhere a line
// of its own every few seconds. It writes to standard error, so that results can be piped.
type speaker struct {
	out      io.Writer
	terminal bool
	mu       sync.Mutex // guards what follows
	said     time.Time
}

// quietInterval is the time between two lines when there is no terminal.
const quietInterval = 10 * time.Second

func newSpeaker(out io.Writer) *speaker {
	return &speaker{out: out, terminal: isTerminal(out), said: time.Now()}
}

// line shows where things are.
func (s *speaker) line(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.terminal {
		fmt.Fprintf(s.out, "\r\x1b[K%s", clip(text, terminalWidth(s.out)-1))
	} else if time.Since(s.said) >= quietInterval {
		fmt.Fprintln(s.out, text)
		s.said = time.Now()
	}
}

// clear takes the line away.
func (s *speaker) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.terminal {
		fmt.Fprint(s.out, "\r\x1b[K")
	}
}

// every shows a line again and again until the returned function is called.
func (s *speaker) every(interval time.Duration, line func() string) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				s.line(line())
			case <-quit:
				s.clear()
				return
			}
		}
	}()
	return func() {
		close(quit)
		<-done
	}
}

// terminalWidth returns the columns of a terminal, 80 when they cannot be known.
func terminalWidth(out io.Writer) int {
	if file, isFile := out.(interface{ Fd() uintptr }); isFile {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
			return width
		}
	}
	return 80
}

// clip cuts a line to a width. Colors have none, and end where the line is cut.
func clip(text string, width int) string {
	columns, escape := 0, false
	for i, r := range text {
		switch {
		case r == '\x1b':
			escape = true
		case escape:
			escape = r != 'm'
		case columns == width-1 && visible(text[i:]) > 1:
			return text[:i] + "…" + strings.Repeat("\x1b[0m", strings.Count(text[:i], "\x1b")&1)
		default:
			columns++
		}
	}
	return text
}

// visible counts the characters of a text that are no part of a color.
func visible(text string) int {
	count, escape := 0, false
	for _, r := range text {
		switch {
		case r == '\x1b':
			escape = true
		case escape:
			escape = r != 'm'
		default:
			count++
		}
	}
	return count
}

// bar draws a fraction.
func bar(fraction float64, width int) string {
	full := int(fraction*float64(width) + 0.5)
	full = min(max(full, 0), width)
	return strings.Repeat("█", full) + strings.Repeat("░", width-full)
}

// print writes a result, as JSON or as its own text.
func print(out io.Writer, result fmt.Stringer, asJSON bool) error {
	if !asJSON {
		_, err := io.WriteString(out, result.String())
		return err
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	return encoder.Encode(result)
}
