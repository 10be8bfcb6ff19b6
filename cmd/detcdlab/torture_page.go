package main

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"detcd/checker"
	"detcd/checker/etcd"
	"detcd/checker/judge"
)

// The measures of charts, in units of the picture.
const (
	chartWidth  = 1040
	chartHeight = 190
	chartLeft   = 92  // what is left of it are labels
	chartFloor  = 160 // what is below it are times
	laneHeight  = 18
)

// page is what the template shows.
//
// Many fields: each is a place on the page.
type page struct {
	Title, Subtitle, Verdict, Headline string
	Reasons                            []string
	Tiles                              []tile
	Window                             []windowRow
	Charts                             []diagram
	Bands                              []stripe
	Times                              []tick
	Lanes                              []lane
	Marks                              []stripe
	Classes                            []string
	Faults                             []faultRow
	Commands                           []string

	Width, Height, Left, LabelX, Floor, Foot, LanesHeight, LanesFoot int
}

// What a page consists of.
type (
	tile    struct{ Name, Value string }
	tick    struct{ At, Text string }
	diagram struct {
		Name  string
		Lines []curve
		Ticks []tick
	}
	curve  struct{ Name, Color, Points string }
	stripe struct {
		X, Y, Width, Class, Text string
		Failed                   bool
	}
	lane struct {
		Name   string
		Middle int
	}
	faultRow  struct{ At, For, Kind, Text, Failed string }
	windowRow struct {
		Line                          int
		Client                        int64
		Call, Return, Request, Answer string
		Marked                        bool
	}
)

// page collects everything.
func (t *trial) page(history []etcd.Operation) *page {
	p := &page{
		Title: fmt.Sprintf("%s on %s", t.options.workload, t.target()),
		Subtitle: fmt.Sprintf("%v with %d clients, %v requests a second, seed %d; begun %s",
			t.options.duration, t.options.clients, t.options.rate, t.options.seed,
			t.probe.Begin().Format(time.DateTime)),
		Verdict: t.report.Verdict.String(),
		Width:   chartWidth, Height: chartHeight, Left: chartLeft, LabelX: chartLeft - 8,
		Floor: chartFloor, Foot: chartFloor + 20,
	}
	t.verdictOn(p)
	r, total := t.report, &t.tally.total
	for _, one := range []tile{
		{"operations", thousands(int64(r.Operations))}, {"answered", thousands(total.answered)},
		{"refused", thousands(total.refused)}, {"outcome unknown", thousands(int64(r.Unknown))},
		{"of those, happened", thousands(int64(r.Happened))}, {"revisions", thousands(r.Revisions)},
		{"watch events", thousands(int64(r.Events))}, {"faults", thousands(int64(len(t.events)))},
	} {
		p.Tiles = append(p.Tiles, one)
	}
	if r.Verdict == checker.Violated && r.Operation >= 0 {
		p.Window = windowRows(history, r)
	}
	t.drawCharts(p)
	t.drawFaults(p)
	p.Commands = []string{"detcdlab check " + t.history, t.again()}
	return p
}

// verdictOn says what was found, in words.
func (t *trial) verdictOn(p *page) {
	r := t.report
	switch {
	case r.Verdict == checker.Violated:
		p.Headline = "A promise was broken"
		if r.Operation >= 0 {
			p.Headline += fmt.Sprintf(", by line %d", lineNumber(r.Operation))
		}
		p.Reasons = append(p.Reasons, r.Reason)
	case t.finding != "":
		p.Verdict, p.Headline = checker.Violated.String(), "Something is wrong"
	case r.Verdict == checker.Undecided:
		p.Headline = "Nobody knows"
		p.Reasons = append(p.Reasons, r.Reason)
	default:
		p.Headline = "Every promise was kept"
		p.Reasons = append(p.Reasons, fmt.Sprintf("There is an order of all %s operations that "+
			"explains every answer, and the specification alone confirms it. All members hold the same.",
			thousands(int64(r.Operations))))
	}
	if t.finding != "" {
		p.Reasons = append(p.Reasons, t.finding)
	}
}

// again is the command that does the same once more.
func (t *trial) again() string {
	o := t.options
	words := []string{"detcdlab torture"}
	if len(o.endpoints) > 0 {
		words = append(words, "--endpoints "+strings.Join(o.endpoints, ","))
	} else {
		words = append(words, fmt.Sprintf("--binary %s --members %d", o.binary, o.members))
	}
	words = append(words, fmt.Sprintf("--workload %s --duration %v --seed %d --clients %d --keys %d "+
		"--rate %v", o.workload, o.duration, o.seed, o.clients, o.keys, o.rate))
	if o.plan != "" {
		words = append(words, "--plan "+o.plan)
	} else {
		words = append(words, "--nemesis "+strings.Join(o.nemeses, ","))
	}
	return strings.Join(words, " ")
}

// windowRows are the operations around a violation.
func windowRows(history []etcd.Operation, r *judge.Report) (rows []windowRow) {
	window, err := checker.Window(history, append([]int32{r.Operation}, r.Core...))
	if err != nil {
		return nil
	}
	return rowsOf(history, nearest(window, r, windowMax), r)
}

// rowsOf returns operations as lines of a table.
func rowsOf(history []etcd.Operation, shown []int32, r *judge.Report) (rows []windowRow) {
	for _, i := range shown {
		o := &history[i]
		request, _ := json.Marshal(o.Request)
		answer, returned := o.Error, milliseconds(o.Return)
		if o.Succeeded() {
			response, _ := json.Marshal(o.Response)
			answer = string(response)
		} else if o.Unknown {
			answer, returned = "?", "?"
		}
		rows = append(rows, windowRow{Line: lineNumber(i), Client: o.Client,
			Call: milliseconds(o.Call), Return: returned, Request: string(request), Answer: answer,
			Marked: i == r.Operation || slices.Contains(r.Core, i)})
	}
	return rows
}

// milliseconds writes a time of a history.
func milliseconds(nanoseconds int64) string {
	return fmt.Sprintf("%.3f ms", float64(nanoseconds)/1e6)
}

// thousands writes a number in groups of three digits.
func thousands(n int64) string {
	text := fmt.Sprint(n)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "\u202f" + text[at:]
	}
	return text
}

// number writes a coordinate.
func number(x float64) string {
	return fmt.Sprintf("%.1f", math.Round(x*10)/10)
}
