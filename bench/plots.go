package bench

import (
	"fmt"
	"html/template"
	"math"
	"slices"
)

// better turns a ratio into how many times the candidate is better: for what should be small, the
// ratio upside down.
func better(c *Claim, ratio float64) float64 {
	if c.AtLeast {
		return ratio
	}
	return 1 / ratio
}

// goalWords say what "better" means for a measure.
func goalWords(m Measure) string {
	switch m {
	case Throughput:
		return "the throughput"
	case ServerCPU:
		return "less processor"
	case P50:
		return "shorter (median)"
	case P99:
		return "shorter (p99)"
	case Resident:
		return "less memory"
	case DiskUse:
		return "less disk"
	case FirstRead:
		return "sooner"
	}
	return string(m)
}

// Sizes of the plot of ratios.
const (
	ratioWidth  = 980.0
	ratioRow    = 34.0
	ratioLeft   = 430.0 // of the axis
	ratioRight  = 870.0
	ratioTop    = 30.0
	ratioBottom = 34.0
)

// A goalRow is one claim on a ratio with its case.
type goalRow struct {
	of *CaseResult
	r  Ratio
}

// goalRows returns the claims, on ratios or on figures.
func (c *Comparison) goalRows(own bool) []goalRow {
	var rows []goalRow
	for i := range c.Cases {
		for _, r := range c.Cases[i].Ratios {
			if r.Claim != nil && r.Claim.Own == own {
				rows = append(rows, goalRow{&c.Cases[i], r})
			}
		}
	}
	return rows
}

// RatioPlot draws each ratio that has a goal as a bar from 1: to the right is better.
func (c *Comparison) RatioPlot() template.HTML {
	rows := c.goalRows(false)
	if len(rows) == 0 {
		return ""
	}
	ends := []float64{0.8, 4}
	for _, row := range rows {
		ends = append(ends, better(row.r.Claim, row.r.Median), better(row.r.Claim, row.r.Claim.Bound))
	}
	axis := around(ends, 2, ratioLeft, ratioRight)
	bottom := ratioTop + ratioRow*float64(len(rows))
	d := newDrawing(ratioWidth, bottom+ratioBottom)
	for _, tick := range axis.ticks() {
		x := axis.at(tick)
		d.line("grid", x, ratioTop-6, x, bottom)
		d.word("tick middle", x, bottom+18, brief(tick)+"×")
	}
	d.word("tick end", axis.at(1)-6, ratioTop-14, c.Peer+" is better ←")
	d.word("tick", axis.at(1)+6, ratioTop-14, "→ "+c.Candidate+" is better")
	for i, row := range rows {
		c.ratioBar(d, axis, row, ratioTop+ratioRow*float64(i))
	}
	d.line("axis", axis.at(1), ratioTop-6, axis.at(1), bottom)
	return template.HTML(d.String())
}

// ratioBar draws one row: name, bar, spread of the rounds, goal, figure.
func (c *Comparison) ratioBar(d *drawing, axis scale, row goalRow, y float64) {
	r, middle := row.r, y+ratioRow/2
	value, goal := better(r.Claim, r.Median), better(r.Claim, r.Claim.Bound)
	class, sign := "good", "✓"
	if !r.Met() {
		class, sign = "bad", "✗"
	}
	d.word("name", 0, middle-2, row.of.Name+"  "+row.of.title())
	d.word("small", 0, middle+11, fmt.Sprintf("%s: %s %s, %s %s", r.Measure,
		c.Peer, number(r.Peer), c.Candidate, number(r.Candidate)))
	one, end := axis.at(1), axis.at(value)
	d.rect(class, min(one, end), middle-8, math.Abs(end-one), 16,
		fmt.Sprintf("%.2f× %s; rounds' ratios %.2f to %.2f", value, goalWords(r.Measure), r.Low, r.High))
	d.line("spread", axis.at(better(r.Claim, r.Low)), middle, axis.at(better(r.Claim, r.High)), middle)
	d.line("goal", axis.at(goal), middle-12, axis.at(goal), middle+12)
	d.word(class+"-text", ratioRight+14, middle+4, fmt.Sprintf("%s %.2f×", sign, value))
	d.word("small", ratioRight+14, middle+16, fmt.Sprintf("goal %.3g×", goal))
}

// Sizes of the plots of a case.
const (
	plotWidth  = 440.0
	plotHeight = 236.0
	plotLeft   = 52.0
	plotRight  = 424.0
	plotTop    = 24.0
	plotBottom = 198.0
)

// frame draws the axes of a plot.
func (d *drawing) frame(x, y scale, xTicks map[float64]string, unit string) {
	for _, tick := range y.ticks() {
		d.line("grid", plotLeft, y.at(tick), plotRight, y.at(tick))
		d.word("tick end", plotLeft-6, y.at(tick)+4, brief(tick))
	}
	for tick, name := range xTicks {
		d.line("grid", x.at(tick), plotTop, x.at(tick), plotBottom)
		d.word("tick middle", x.at(tick), plotBottom+16, name)
	}
	d.word("tick", 0, plotTop-13, unit)
	d.line("axis", plotLeft, plotBottom, plotRight, plotBottom)
}

// LatencyPlot draws the distribution of latencies: how long do all but one of so many take? Each
// round is a thin line, their median a thick one.
func (c *CaseResult) LatencyPlot() template.HTML {
	var all []float64
	for _, r := range slices.Concat(c.Peer, c.Candidate) {
		if len(r.Curve) > 0 {
			all = append(all, r.Curve[5:]...)
		}
	}
	if len(all) == 0 {
		return ""
	}
	d := newDrawing(plotWidth, plotHeight)
	x := scale{low: 1, high: 1e4, from: plotLeft, to: plotRight}
	y := around(all, 10, plotBottom, plotTop)
	d.frame(x, y, map[float64]string{
		1: "all", 2: "p50", 10: "p90", 100: "p99", 1000: "p99.9", 10_000: "p99.99",
	}, "latency, ms")
	for i, reports := range [][]*Report{c.Peer, c.Candidate} {
		class := []string{"peer", "candidate"}[i]
		for _, r := range reports {
			d.path(class+"-thin", curvePoints(r.Curve, x, y))
		}
		d.path(class+"-line", curvePoints(medianCurve(reports), x, y))
	}
	return template.HTML(d.String())
}

func curvePoints(curve []float64, x, y scale) [][2]float64 {
	var points [][2]float64
	for i, fraction := range curveFractions() {
		if i < len(curve) {
			points = append(points, [2]float64{x.at(1 / (1 - fraction)), min(y.at(curve[i]), plotBottom)})
		}
	}
	return points
}

// medianCurve is the median of the rounds at each fraction.
func medianCurve(reports []*Report) []float64 {
	var middle []float64
	for i := range curveFractions() {
		var values []float64
		for _, r := range reports {
			if i < len(r.Curve) {
				values = append(values, r.Curve[i])
			}
		}
		if len(values) == 0 {
			return nil
		}
		middle = append(middle, median(values))
	}
	return middle
}

// A Bar compares one measure of both systems.
type Bar struct {
	Measure         Measure
	Peer, Candidate string
	PeerWidth       float64 // of a hundred
	CandidateWidth  float64
	Ratio           string
	Goal            string
	Verdict         string
}

// Bars returns every measure of a case, the longer one of both a hundred wide.
func (c *CaseResult) Bars() []Bar {
	var all []Bar
	for _, r := range c.Ratios {
		longest := max(r.Peer, r.Candidate)
		if longest == 0 {
			continue
		}
		all = append(all, Bar{
			Measure: r.Measure, Peer: number(r.Peer), Candidate: number(r.Candidate),
			PeerWidth: 100 * r.Peer / longest, CandidateWidth: 100 * r.Candidate / longest,
			Ratio: times(r.Median), Goal: r.goal(), Verdict: r.verdict(),
		})
	}
	return all
}

// CurvePlot draws one measure over the points of a curve.
func curvePlot(points []*CaseResult, m Measure) template.HTML {
	var xs, ys []float64
	ticks := map[float64]string{}
	for _, p := range points {
		r := p.ratio(m)
		xs, ys = append(xs, p.X), append(ys, r.Peer, r.Candidate)
		ticks[p.X] = brief(p.X)
	}
	d := newDrawing(plotWidth, plotHeight)
	x := scale{low: slices.Min(xs), high: slices.Max(xs), from: plotLeft + 14, to: plotRight - 14}
	if x.high <= x.low {
		x.high = x.low * 10
	}
	y := around(ys, 10, plotBottom, plotTop)
	d.frame(x, y, ticks, string(m))
	d.word("tick end", plotRight, plotBottom+32, points[0].Axis)
	for _, class := range []string{"peer", "candidate"} {
		var line [][2]float64
		for _, p := range points {
			r := p.ratio(m)
			value := r.Candidate
			if class == "peer" {
				value = r.Peer
			}
			at := [2]float64{x.at(p.X), y.at(value)}
			line = append(line, at)
			if !math.IsNaN(at[1]) {
				d.dot(class, at[0], at[1], 4, fmt.Sprintf("%s: %s", p.What, number(value)))
			}
		}
		d.path(class+"-line", line)
	}
	return template.HTML(d.String())
}
