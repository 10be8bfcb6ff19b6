package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// A color is the number of one in a terminal.
type color int

// The colors, and bold and faint, which are used in the same way.
const (
	bold   color = 1
	faint  color = 2
	red    color = 31
	green  color = 32
	yellow color = 33
	cyan   color = 36
)

// A palette paints, or does not.
type palette bool

// paint puts a text into a color.
func (p palette) paint(c color, text string) string {
	if !p {
		return text
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", c, text)
}

// colorsOf returns the palette for an output: colors on a terminal, unless NO_COLOR is set
// (https://no-color.org).
func colorsOf(out io.Writer) palette {
	return palette(isTerminal(out) && os.Getenv("NO_COLOR") == "")
}

// isTerminal tells whether a person reads what is written.
func isTerminal(out io.Writer) bool {
	file, isFile := out.(interface{ Fd() uintptr })
	return isFile && term.IsTerminal(int(file.Fd()))
}

// A screen shows a picture in the last lines of a terminal, in place of the one before. What is
// above it scrolls as usual.
type screen struct {
	out   io.Writer
	shown int // lines of the picture that is there
}

// draw replaces the picture, as far as it fits. It writes once, so that nothing flickers.
func (s *screen) draw(lines []string) {
	var text strings.Builder
	width := terminalWidth(s.out)
	lines = lines[:min(len(lines), height(s.out)-1)]
	text.WriteString("\x1b[?25l") // no cursor
	if s.shown > 0 {
		fmt.Fprintf(&text, "\x1b[%dA", s.shown)
	}
	for _, line := range lines {
		text.WriteString("\r\x1b[K" + clip(line, width-1) + "\n")
	}
	for range s.shown - len(lines) { // the picture got smaller
		text.WriteString("\r\x1b[K\n")
	}
	if extra := s.shown - len(lines); extra > 0 {
		fmt.Fprintf(&text, "\x1b[%dA", extra)
	}
	s.shown = len(lines)
	// A terminal that is gone is no reason to end what is shown on it.
	_, _ = io.WriteString(s.out, text.String())
}

// leave keeps the picture and gives the cursor back.
func (s *screen) leave() {
	_, _ = io.WriteString(s.out, "\x1b[?25h")
	s.shown = 0
}

// height returns the lines of a terminal, 24 when they cannot be known.
func height(out io.Writer) int {
	if file, isFile := out.(*os.File); isFile {
		if _, rows, err := term.GetSize(int(file.Fd())); err == nil && rows > 0 {
			return rows
		}
	}
	return 24
}
