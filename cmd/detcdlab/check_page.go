package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"detcd/checker"
	"detcd/checker/etcd"
	"detcd/checker/judge"
)

// The measures of the picture, in its units, and bounds on what is drawn.
const (
	drawnWidth  = 1040
	drawnLeft   = 84 // what is left of it are names
	drawnRow    = 30
	drawnMax    = 60  // operations around the violation
	nearbyMax   = 12  // revisions on either side
	searchedMax = 400 // operations that porcupine is asked about
)

// checkPage is what the template shows.
type checkPage struct {
	Name, Verdict, Reason string
	Tiles                 []tile
	Bars                  []drawnOp
	Rows                  []tick
	Times                 []tick
	Revisions             []revisionRow
	Lease                 string
	LeaseRows             []windowRow
	Lines                 []windowRow
	Porcupine             string
	Hidden                int
	Width, Height, Left   int
}

// drawnOp is an operation in the picture.
type drawnOp struct {
	X, Y, Length float64
	Class        string
	Text, Title  string
}

// revisionRow is what one revision did, as its maker says, and what the watch was told of it.
type revisionRow struct {
	Revision     int64
	Maker, Heard string
	Marked       bool
}

// writeCheckPage writes a page that needs nothing but itself.
func writeCheckPage(name, source string, history []etcd.Operation, r *judge.Report) error {
	page, err := newCheckPage(source, history, r)
	if err != nil {
		return err
	}
	return writePage(name, "check.html", page)
}

// newCheckPage collects what is shown.
func newCheckPage(source string, history []etcd.Operation, r *judge.Report) (*checkPage, error) {
	p := &checkPage{Name: source, Verdict: r.Verdict.String(), Reason: r.Reason, Width: drawnWidth,
		Left: drawnLeft}
	for _, t := range []struct {
		name  string
		value int64
	}{{"operations", int64(r.Operations)}, {"of unknown outcome", int64(r.Unknown)},
		{"of these, happened", int64(r.Happened)}, {"revisions", r.Revisions},
		{"watches", int64(r.Watches)}, {"events", int64(r.Events)}} {
		p.Tiles = append(p.Tiles, tile{t.name, fmt.Sprint(t.value)})
	}
	if r.Operation < 0 {
		return p, nil
	}
	marked := append([]int32{r.Operation}, r.Core...)
	window, err := checker.Window(history, marked)
	if err != nil {
		return nil, err
	}
	shown := nearest(window, r, drawnMax)
	p.Hidden = len(window) - len(shown)
	p.draw(history, shown, r)
	p.Lines = rowsOf(history, shown, r)
	p.revisions(history, r)
	p.lease(history, r)
	p.porcupine(history, r)
	return p, nil
}

// draw places the operations: time goes right, each client has a line.
func (p *checkPage) draw(history []etcd.Operation, shown []int32, r *judge.Report) {
	first, last := history[shown[0]].Call, history[shown[0]].Call
	var clients []string
	for _, i := range shown {
		o := &history[i]
		first, last = min(first, o.Call), max(last, o.Call)
		if !o.Unknown {
			last = max(last, o.Return)
		}
		if lane := laneOf(o); !slices.Contains(clients, lane) {
			clients = append(clients, lane)
		}
	}
	slices.Sort(clients)
	span := float64(max(1, last-first))
	at := func(time int64) float64 {
		return drawnLeft + float64(time-first)/span*(drawnWidth-drawnLeft-10)
	}
	for k, lane := range clients {
		p.Rows = append(p.Rows, tick{At: fmt.Sprint(24 + drawnRow*k), Text: lane})
	}
	for k := range 6 {
		t := first + (last-first)*int64(k)/5
		p.Times = append(p.Times, tick{At: fmt.Sprintf("%.1f", at(t)),
			Text: "+" + time.Duration(t-first).Round(time.Microsecond).String()})
	}
	p.Height = 24 + drawnRow*len(clients) + 10
	for _, i := range shown {
		o := &history[i]
		end := at(last) + 10
		if !o.Unknown {
			end = at(o.Return)
		}
		p.Bars = append(p.Bars, drawnOp{X: at(o.Call), Length: max(3, end-at(o.Call)),
			Y: float64(12 + drawnRow*slices.Index(clients, laneOf(o))), Class: classOf(i, o, r),
			Text: inBrief(o), Title: strings.TrimSpace(row(o, i, false))})
	}
}

// laneOf names the line that an operation is drawn on.
func laneOf(o *etcd.Operation) string {
	switch ask := o.Request.Ask.(type) {
	case *etcd.Watched:
		return fmt.Sprintf("watch %d", ask.Watch)
	case *etcd.Watch:
		return fmt.Sprintf("watch %d", ask.Watch)
	}
	return fmt.Sprintf("client %3d", o.Client)
}

// classOf returns how an operation is drawn.
func classOf(i int32, o *etcd.Operation, r *judge.Report) string {
	class := "answered"
	switch {
	case o.Unknown:
		class = "lost"
	case o.Error != "":
		class = "refused"
	}
	switch {
	case i == r.Operation:
		class += " culprit"
	case slices.Contains(r.Core, i):
		class += " core"
	}
	return class
}

// inBrief says what an operation was in a few words.
func inBrief(o *etcd.Operation) string {
	text := ""
	switch ask := o.Request.Ask.(type) {
	case *etcd.Put:
		text = fmt.Sprintf("put %s=%s", ask.Key, ask.Value)
	case *etcd.Range:
		text = "get " + string(ask.Key)
		if ask.End != "" {
			text += "…"
		}
	case *etcd.Delete:
		text = "delete " + string(ask.Key)
	case *etcd.Txn:
		text = "txn"
	case *etcd.Compact:
		text = fmt.Sprintf("compact %d", ask.Revision)
	case *etcd.Grant:
		text = fmt.Sprintf("grant %x, %d s", ask.ID, ask.TTL)
	case *etcd.Revoke:
		text = fmt.Sprintf("revoke %x", ask.ID)
	case *etcd.KeepAlive:
		text = fmt.Sprintf("keep alive %x", ask.ID)
	case *etcd.TimeToLive:
		text = fmt.Sprintf("time to live %x", ask.ID)
	case *etcd.Watched:
		text = "hears"
	case *etcd.Watch:
		text = "watch " + string(ask.Key)
	}
	switch {
	case o.Unknown:
		text += " → ?"
	case o.Error != "":
		text += " → refused"
	case o.Response != nil && o.Response.Revision > 0:
		text += fmt.Sprintf(" → @%d", o.Response.Revision)
	}
	return strings.ToValidUTF8(text, "?")
}

// revisions puts what a watch was told beside what the store did, around the message that is wrong.
func (p *checkPage) revisions(history []etcd.Operation, r *judge.Report) {
	watched, ok := history[r.Operation].Request.Ask.(*etcd.Watched)
	if !ok {
		return
	}
	heard, makers := map[int64][]string{}, map[int64]string{}
	around := history[r.Operation].Response.Revision
	for i := range history {
		o := &history[i]
		if !o.Succeeded() || o.Response == nil {
			continue
		}
		if w, ok := o.Request.Ask.(*etcd.Watched); ok && w.Watch == watched.Watch {
			for _, e := range o.Response.Watch.Events {
				heard[e.KV.Mod] = append(heard[e.KV.Mod], eventText(&e))
				if int32(i) == r.Operation {
					around = min(around, e.KV.Mod)
				}
			}
		} else if judge.Made(o) > 0 {
			makers[o.Response.Revision] = fmt.Sprintf("line %d: %s", lineNumber(int32(i)), inBrief(o))
		}
	}
	for v := max(2, around-nearbyMax); v <= min(r.Revisions, around+nearbyMax); v++ {
		maker := makers[v]
		if maker == "" {
			maker = "nobody says that it made it"
		}
		p.Revisions = append(p.Revisions, revisionRow{v, maker, strings.Join(heard[v], ", "),
			v == around})
	}
}

// eventText shows an event of a watch.
func eventText(e *etcd.Event) string {
	if e.Delete {
		return fmt.Sprintf("delete %s", e.KV.Key)
	}
	return fmt.Sprintf("put %s=%.40s (version %d)", e.KV.Key, e.KV.Value, e.KV.Version)
}

// lease lists what happened to the lease that a verdict is about.
func (p *checkPage) lease(history []etcd.Operation, r *judge.Report) {
	id := judge.LeaseOf(&history[r.Operation])
	if id == 0 {
		return
	}
	p.Lease = fmt.Sprintf("%x", id)
	var about []int32
	for i := range history {
		if judge.LeaseOf(&history[i]) == id {
			about = append(about, int32(i))
		}
	}
	p.LeaseRows = rowsOf(history, about, r)
}

// porcupine has a short history searched and drawn, as a second opinion to look at.
func (p *checkPage) porcupine(history []etcd.Operation, r *judge.Report) {
	part := judge.Present(history, r.Operation)
	if len(part) == 0 || len(part) > searchedMax {
		return
	}
	out := &bytes.Buffer{}
	if _, err := checker.Draw(out, etcd.Spec(), part, inBrief, 5*time.Second); err == nil {
		p.Porcupine = out.String()
	}
}
