package bench

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
)

//go:embed report.html
var pageText string

// HTML writes a page with plots, which needs nothing from anywhere else.
func (c *Comparison) HTML(out io.Writer) error {
	page, err := template.New("report").Parse(pageText)
	if err != nil {
		return fmt.Errorf("bench: page: %w", err)
	}
	if err := page.Execute(out, c); err != nil {
		return fmt.Errorf("bench: page: %w", err)
	}
	return nil
}

// Kept returns the number of goals met, for the page.
func (c *Comparison) Kept() int {
	kept, _ := c.Claims()
	return kept
}

// Goals returns the number of goals that were measured, for the page.
func (c *Comparison) Goals() int {
	_, all := c.Claims()
	return all
}

// A Card is one case, or one curve, on the page.
type Card struct {
	Name, Title string
	Plots       []template.HTML
	Bars        []Bar
}

// Figures returns the claims on figures of the candidate alone, for the page.
func (c *Comparison) Figures() []Card {
	var all []Card
	for _, row := range c.goalRows(true) {
		all = append(all, Card{Name: row.of.Name, Title: fmt.Sprintf("%s: %s", row.of.title(),
			row.r.Measure), Bars: []Bar{{
			Measure: row.r.Measure, Peer: number(row.r.Peer), Candidate: number(row.r.Candidate),
			Goal: row.r.goal(), Verdict: row.r.verdict(),
		}}})
	}
	return all
}

// Cards returns the cases that are no points of a curve.
func (c *Comparison) Cards() []Card {
	var all []Card
	for i := range c.Cases {
		one := &c.Cases[i]
		if one.Axis != "" || len(one.Ratios) == 0 {
			continue
		}
		card := Card{Name: one.Name, Title: one.title(), Bars: one.Bars()}
		if plot := one.LatencyPlot(); plot != "" {
			card.Plots = append(card.Plots, plot)
		}
		all = append(all, card)
	}
	return all
}

// Curves returns the curves, with a plot of each measure.
func (c *Comparison) Curves() []Card {
	var all []Card
	for _, points := range c.curves() {
		card := Card{Title: "put by " + points[0].Name}
		for _, m := range scaleMeasures() {
			card.Plots = append(card.Plots, curvePlot(points, m))
		}
		all = append(all, card)
	}
	return all
}
