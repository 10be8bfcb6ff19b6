package main

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// A meter shows how far long work is, on one line of a terminal that is written over and over.
// Elsewhere it shows nothing.
type meter struct {
	program *program
	mu      sync.Mutex // guards what follows
	shown   time.Time
}

// redraw is the time between two pictures.
const redraw = 100 * time.Millisecond

// meterWidth is the columns of the bar.
const meterWidth = 30

// draw shows how much is done of a whole, which is 0 where nobody knows it, and a text.
func (m *meter) draw(done, whole int64, text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.program.seen || time.Since(m.shown) < redraw {
		return
	}
	m.shown = time.Now()
	if whole > 0 {
		full := int(min(done, whole) * meterWidth / whole)
		text = fmt.Sprintf("%s%s %3d%%  %s", strings.Repeat("█", full),
			strings.Repeat("░", meterWidth-full), min(done, whole)*100/whole, text)
	}
	fmt.Fprintf(m.program.errors, "\r\x1b[K%s", m.cut(text))
}

// cut keeps a text within the line.
func (m *meter) cut(text string) string {
	width := 80
	if file, isFile := m.program.errors.(interface{ Fd() uintptr }); isFile {
		if columns, _, err := term.GetSize(int(file.Fd())); err == nil && columns > 0 {
			width = columns
		}
	}
	if runes := []rune(text); len(runes) >= width {
		return string(runes[:width-1])
	}
	return text
}

// clear takes the line away.
func (m *meter) clear() {
	if m.program.seen {
		fmt.Fprint(m.program.errors, "\r\x1b[K")
	}
}
