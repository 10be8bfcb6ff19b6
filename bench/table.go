package bench

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// String returns the comparison as a table, one block for each case. A ratio is the candidate's
// figure divided by the peer's: the median of the rounds, and behind it the smallest and the
// largest.
func (c *Comparison) String() string {
	var text strings.Builder
	row := func(cells ...any) {
		line := fmt.Sprintf("  %-22s %10s %10s  %8s  %-14s %10s  %s", cells...)
		text.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	for i := range c.Cases {
		one := &c.Cases[i]
		fmt.Fprintf(&text, "%s  %s\n", one.Name, one.title())
		row("", c.Peer, c.Candidate, "ratio", "rounds", "goal", "")
		for _, r := range one.Ratios {
			row(r.Measure, number(r.Peer), number(r.Candidate), times(r.Median),
				fmt.Sprintf("%.2f to %.2f", r.Low, r.High), r.goal(), r.verdict())
		}
	}
	fmt.Fprintf(&text, "\n%s\n", c.summary())
	return text.String()
}

// title says what is measured on what.
func (c *CaseResult) title() string {
	if c.Members == 1 {
		return c.What
	}
	return c.What + ", " + membersText(c.Members)
}

// summary is the end of a comparison.
func (c *Comparison) summary() string {
	kept, all := c.Claims()
	took := time.Duration(c.Seconds) * time.Second
	text := fmt.Sprintf("%d of %d goals met; %d rounds in %v\n%s",
		kept, all, c.Rounds, took, &c.Machine)
	for _, failure := range c.Failures {
		text += "\nFAILED " + failure
	}
	return text
}

// times writes a ratio; one that nothing is known of is empty.
func times(ratio float64) string {
	if ratio == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f ×", ratio)
}

// Markdown returns the comparison as one table of what has a goal and one of all else.
func (c *Comparison) Markdown() string {
	var goals, rest strings.Builder
	fmt.Fprintf(&goals, "| | workload | measure | %s | %s | ratio | rounds | goal | |\n",
		c.Peer, c.Candidate)
	goals.WriteString("|---|---|---|--:|--:|--:|---|--:|---|\n")
	fmt.Fprintf(&rest, "| | workload | measure | %s | %s | ratio | rounds |\n",
		c.Peer, c.Candidate)
	rest.WriteString("|---|---|---|--:|--:|--:|---|\n")
	for i := range c.Cases {
		one := &c.Cases[i]
		for _, r := range one.Ratios {
			into := &rest
			if r.Claim != nil {
				into = &goals
			}
			fmt.Fprintf(into, "| %s | %s | %s | %s | %s | %s | %.2f to %.2f |", one.Name, one.title(),
				r.Measure, number(r.Peer), number(r.Candidate), times(r.Median), r.Low, r.High)
			if r.Claim != nil {
				fmt.Fprintf(into, " %s | %s |", r.goal(), r.verdict())
			}
			into.WriteByte('\n')
		}
	}
	return c.summary() + "\n\n" + goals.String() + "\n" + rest.String()
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
		return fmt.Sprintf("≥ %.2f%s", r.Claim.Bound, r.unit())
	}
	return fmt.Sprintf("≤ %.2f%s", r.Claim.Bound, r.unit())
}

// unit tells a bound on a ratio from one on the figure itself.
func (r *Ratio) unit() string {
	if r.Claim.Own {
		return " own"
	}
	return " ×"
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
