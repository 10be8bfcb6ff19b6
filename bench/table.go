package bench

import (
	"fmt"
	"math"
	"strings"
)

// String returns the comparison as a table, one block for each case. A ratio is the candidate's
// figure divided by the peer's: the median of the rounds, and behind it the smallest and the
// largest.
func (c *Comparison) String() string {
	var text strings.Builder
	row := func(cells ...any) {
		line := fmt.Sprintf("  %-14s %10s %10s  %7s  %-12s %7s  %s", cells...)
		text.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	for i := range c.Cases {
		one := &c.Cases[i]
		fmt.Fprintf(&text, "%s  %s, %d member", one.Name, one.What, one.Members)
		if one.Members > 1 {
			text.WriteByte('s')
		}
		text.WriteByte('\n')
		row("", c.Peer, c.Candidate, "ratio", "rounds", "goal", "")
		for _, r := range one.Ratios() {
			row(r.Measure, number(r.Peer), number(r.Candidate), fmt.Sprintf("%.2f ×", r.Median),
				fmt.Sprintf("%.2f to %.2f", r.Low, r.High), r.goal(), r.verdict())
		}
	}
	return text.String()
}

// number writes a figure with about three digits that count.
func number(value float64) string {
	switch {
	case math.Abs(value) >= 100:
		return fmt.Sprintf("%.0f", value)
	case math.Abs(value) >= 10:
		return fmt.Sprintf("%.1f", value)
	}
	return fmt.Sprintf("%.3f", value)
}

func (r *Ratio) goal() string {
	switch {
	case r.Claim == nil:
		return ""
	case r.Claim.AtLeast:
		return fmt.Sprintf("≥ %.2f", r.Claim.Bound)
	}
	return fmt.Sprintf("≤ %.2f", r.Claim.Bound)
}

func (r *Ratio) verdict() string {
	switch {
	case r.Claim == nil:
		return ""
	case r.Met():
		return "met"
	}
	return "MISSED"
}
