package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A chart draws how many writes were acknowledged, slice of time by slice of time, and marks what
// happened when.
type chart struct {
	slice  time.Duration
	counts []float64 // acknowledged in each slice
	marks  map[int]mark
}

// A mark is one sign below the chart.
type mark struct {
	sign  string
	color color
}

// chartColumns is the number of slices that a run is cut into; chartRows is the height.
const (
	chartColumns = 64
	chartRows    = 5
)

func newChart(whole time.Duration) *chart {
	return &chart{slice: max(whole/chartColumns, 1), marks: map[int]mark{}}
}

// column returns the slice of a time; the last one when the time is behind it.
func (c *chart) column(at time.Duration) int { return min(int(at/c.slice), chartColumns-1) }

// add spreads acknowledgements evenly over the time between two looks.
func (c *chart) add(from, to time.Duration, count int64) {
	for column := c.column(from); column <= c.column(to); column++ {
		for len(c.counts) <= column {
			c.counts = append(c.counts, 0)
		}
		begin := max(from, time.Duration(column)*c.slice)
		end := min(to, time.Duration(column+1)*c.slice)
		if to > from && end > begin {
			c.counts[column] += float64(count) * (end - begin).Seconds() / (to - from).Seconds()
		}
	}
}

// mark puts a sign below a time.
func (c *chart) mark(at time.Duration, m mark) { c.marks[c.column(at)] = m }

// lines draws the chart. The slice that is still filling is left out.
func (c *chart) lines(now time.Duration, p palette) []string {
	whole := min(len(c.counts), int(now/c.slice))
	counts := c.counts[:max(whole, 0)]
	highest := 1.0
	if len(counts) > 0 {
		highest = max(slices.Max(counts), 1)
	}
	var lines []string
	for row := chartRows - 1; row >= 0; row-- {
		var text strings.Builder
		for _, count := range counts {
			text.WriteRune(eighth(int(count/highest*chartRows*8+0.5) - row*8))
		}
		label := ""
		if row == chartRows-1 {
			label = fmt.Sprintf("%.0f/s", highest/c.slice.Seconds())
		}
		lines = append(lines, fmt.Sprintf("%9s │%s", label, p.paint(cyan, text.String())))
	}
	var axis strings.Builder
	for column := range chartColumns {
		if m, marked := c.marks[column]; marked {
			axis.WriteString(p.paint(m.color, m.sign))
		} else {
			axis.WriteString("─")
		}
	}
	return append(lines, fmt.Sprintf("%9s └%s", "", axis.String()))
}

// eighth returns the block that fills so many eighths of a cell.
func eighth(filled int) rune {
	blocks := []rune(" ▁▂▃▄▅▆▇█")
	return blocks[min(max(filled, 0), 8)]
}
