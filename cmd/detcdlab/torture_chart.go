package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// length is how long the picture is.
func (t *trial) length() time.Duration {
	return max(t.tally.width*time.Duration(len(t.tally.slots)), t.tally.width)
}

// across returns where a time is in a picture.
func (t *trial) across(at time.Duration) float64 {
	part := min(max(at.Seconds()/t.length().Seconds(), 0), 1)
	return chartLeft + part*(chartWidth-chartLeft)
}

// drawCharts draws throughput and latencies.
func (t *trial) drawCharts(p *page) {
	perSecond := func(count func(*slot) int64) func(*slot) float64 {
		return func(s *slot) float64 { return float64(count(s)) / t.tally.width.Seconds() }
	}
	rate := diagram{Name: "Operations a second"}
	answered := perSecond(func(s *slot) int64 { return s.answered })
	lost := perSecond(func(s *slot) int64 { return s.lost })
	refused := perSecond(func(s *slot) int64 { return s.refused })
	top := 1.0
	for i := range t.tally.slots {
		s := &t.tally.slots[i]
		top = max(top, answered(s), lost(s), refused(s))
	}
	top = roundUp(top)
	linear := func(v float64) float64 { return chartFloor - v/top*(chartFloor-8) }
	rate.Lines = []curve{
		{"answered", "answered", t.points(answered, linear, true)},
		{"refused, with no effect", "refused", t.points(refused, linear, true)},
		{"lost: the outcome is unknown", "lost", t.points(lost, linear, true)},
	}
	for i := range 5 {
		v := top * float64(i) / 4
		rate.Ticks = append(rate.Ticks, tick{number(linear(v)), fmt.Sprintf("%.4g", v)})
	}
	p.Charts = append(p.Charts, rate, t.latencies())
	step := time.Duration(roundUp((t.length() / 12).Seconds()) * float64(time.Second))
	for at := time.Duration(0); at <= t.length(); at += step {
		text := fmt.Sprintf("%.3g s", at.Seconds())
		if t.length() > 2*time.Minute {
			text = fmt.Sprintf("%d:%02d", int(at.Minutes()), int(at.Seconds())%60)
		}
		p.Times = append(p.Times, tick{number(t.across(at)), text})
	}
}

// latencies draws how long answers took, from a tenth of a millisecond to ten seconds.
func (t *trial) latencies() diagram {
	c := diagram{Name: "Time until the answer"}
	height := func(v float64) float64 { // v in milliseconds
		part := (math.Log10(max(v, 0.1)) + 1) / 5
		return chartFloor - min(part, 1)*(chartFloor-8)
	}
	quantile := func(percent int) func(*slot) float64 {
		return func(s *slot) float64 { return float64(s.quantile(percent)) / 1e6 }
	}
	c.Lines = []curve{
		{"longest", "most", t.points(quantile(100), height, false)},
		{"99 of 100 are shorter", "tail", t.points(quantile(99), height, false)},
		{"median", "median", t.points(quantile(50), height, false)},
	}
	for _, one := range []struct {
		v    float64
		text string
	}{{0.1, "0.1 ms"}, {1, "1 ms"}, {10, "10 ms"}, {100, "100 ms"}, {1000, "1 s"}, {10_000, "10 s"}} {
		c.Ticks = append(c.Ticks, tick{number(height(one.v)), one.text})
	}
	return c
}

// points draws a curve. It is broken where there is no value, unless zero is one.
func (t *trial) points(
	value func(*slot) float64, height func(float64) float64, zero bool,
) string {
	var b strings.Builder
	pen := "M"
	for i := range t.tally.slots {
		v := value(&t.tally.slots[i])
		if v == 0 && !zero {
			pen = "M"
			continue
		}
		at := t.tally.width*time.Duration(i) + t.tally.width/2
		fmt.Fprintf(&b, "%s%s,%s ", pen, number(t.across(at)), number(height(v)))
		pen = "L"
	}
	return b.String()
}

// roundUp returns the next number that looks well at the top of an axis.
func roundUp(v float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	for _, step := range []float64{1, 2, 4, 5, 8, 10} {
		if v <= step*unit {
			return step * unit
		}
	}
	return v
}

// drawFaults draws what was broken: bands behind the charts, and a lane for each kind.
func (t *trial) drawFaults(p *page) {
	begin, lanes := t.probe.Begin(), map[string]int{}
	for _, e := range t.events {
		info, from := e.Fault.Kind.Info(), e.Begin.Sub(begin)
		end := e.End.Sub(begin)
		if e.End.IsZero() {
			end = t.length()
		}
		if _, known := lanes[info.Name]; !known {
			lanes[info.Name] = len(lanes)
			p.Lanes = append(p.Lanes, lane{info.Name, 10 + laneHeight*len(p.Lanes)})
		}
		class := info.Class.String()
		if !slices.Contains(p.Classes, class) {
			p.Classes = append(p.Classes, class)
		}
		row := faultRow{At: fmt.Sprintf("%.2f s", from.Seconds()),
			For: fmt.Sprintf("%.2f s", (end - from).Seconds()), Kind: info.Name, Text: e.Text}
		m := stripe{X: number(t.across(from)), Class: class, Text: row.At + ": " + e.Text,
			Width:  number(max(t.across(end)-t.across(from), 2)),
			Y:      number(float64(5 + laneHeight*lanes[info.Name])),
			Failed: e.Err != nil}
		if e.Err != nil {
			row.Failed = strings.ToValidUTF8(e.Err.Error(), "?")
		} else {
			p.Bands = append(p.Bands, m)
		}
		p.Marks, p.Faults = append(p.Marks, m), append(p.Faults, row)
	}
	p.LanesHeight = laneHeight*len(p.Lanes) + 30
	p.LanesFoot = p.LanesHeight - 8
}
