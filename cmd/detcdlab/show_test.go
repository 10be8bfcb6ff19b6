package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"detcd/bench"
)

func TestAResponseIsCutIntoItsRevisions(t *testing.T) {
	event := func(kind mvccpb.Event_EventType, key string, revision int64) *mvccpb.Event {
		return &mvccpb.Event{Type: kind, Kv: &mvccpb.KeyValue{
			Key: []byte(key), Value: []byte("1.x"), ModRevision: revision,
		}}
	}
	events := []*mvccpb.Event{
		event(mvccpb.Event_PUT, "a", 4), event(mvccpb.Event_DELETE, "b", 4),
		event(mvccpb.Event_PUT, "a", 5),
	}
	var told []string
	byRevision(events, func(revision int64, changes []change) bool {
		for _, c := range changes {
			told = append(told, string(rune('0'+revision))+" "+c.String())
		}
		return true
	})
	want := "4 put a = 1.x (created 0, version 0);4 delete b;5 put a = 1.x (created 0, version 0)"
	if got := strings.Join(told, ";"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestTheChartIsAsHighAsItsHighestSlice(t *testing.T) {
	c := newChart(chartColumns * time.Second)
	c.add(0, time.Second, 10)
	c.add(time.Second, 3*time.Second/2, 5)
	c.add(2*time.Second, 5*time.Second/2, 99) // still filling
	c.mark(time.Second, mark{"✗", red})
	lines := c.lines(2*time.Second, false)
	if len(lines) != chartRows+1 || !strings.Contains(lines[0], "10/s │█ ") {
		t.Errorf("top line %q", lines[0])
	}
	if !strings.HasSuffix(lines[chartRows/2], "│█▄") {
		t.Errorf("middle line %q", lines[chartRows/2])
	}
	if !strings.HasSuffix(lines[chartRows-1], "│██") || !strings.Contains(lines[chartRows], "└─✗─") {
		t.Errorf("lines %q", lines)
	}
	c.add(3*time.Second, 5*time.Second, 8)
	if c.counts[3] != 4 || c.counts[4] != 4 {
		t.Errorf("a look over two slices was not spread: %v", c.counts)
	}
	c.add(time.Hour, 2*time.Hour, 1)
	if len(c.counts) != chartColumns {
		t.Errorf("%d slices", len(c.counts))
	}
}

func TestAPictureReplacesTheOneBefore(t *testing.T) {
	var out bytes.Buffer
	s := &screen{out: &out}
	s.draw([]string{"one", "two", "three"})
	out.Reset()
	s.draw([]string{"ONE"})
	// Up over three lines, one new, two emptied, and up over those.
	want := "\x1b[?25l\x1b[3A\r\x1b[KONE\n\r\x1b[K\n\r\x1b[K\n\x1b[2A"
	if out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

func TestWithoutATerminalProgressIsALineNowAndThenAndNoColors(t *testing.T) {
	var out bytes.Buffer
	s := newSpeaker(&out)
	s.line("first")
	s.said = s.said.Add(-quietInterval)
	s.line("second")
	s.line("third")
	s.clear()
	if out.String() != "second\n" {
		t.Errorf("%q", out.String())
	}
	if colorsOf(&out).paint(red, "x") != "x" {
		t.Error("colors in a pipe")
	}
}

func TestALongLineIsCutToTheTerminal(t *testing.T) {
	if got := clip("ééééé", 4); got != "ééé…" {
		t.Errorf("%q", got)
	}
	if got := clip("éééé", 4); got != "éééé" {
		t.Errorf("%q", got)
	}
	painted := palette(true).paint(red, "éééé")
	if got := clip(painted, 4); got != painted {
		t.Errorf("%q", got)
	}
	if got := clip(painted+" more", 4); got != "\x1b[31mééé…\x1b[0m" {
		t.Errorf("%q", got)
	}
	if got := clip("a"+painted+"b", 4); got != "a\x1b[31méé…\x1b[0m" {
		t.Errorf("%q", got)
	}
}

func TestEndpointsAreTakenWithAndWithoutAScheme(t *testing.T) {
	for given, want := range map[string]string{
		"127.0.0.1:2379": "127.0.0.1:2379", "http://localhost:1/": "localhost:1",
		"https://h:1": "", "localhost": "", "h:1/path": "", "": "",
	} {
		got, err := hostPort(given)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", given, got, err)
		}
	}
}

func TestGoalsAreChosenByName(t *testing.T) {
	goals := bench.Goals("h:1")
	all, err := chooseCases(goals, nil)
	if err != nil || len(all) != len(goals) {
		t.Errorf("%d cases, %v", len(all), err)
	}
	two, err := chooseCases(goals, []string{"p2", "P5"})
	if err != nil || len(two) != 3 || two[0].Name != "P2" || two[2].Name != "P5" {
		t.Errorf("%v, %v", two, err)
	}
	_, err = chooseCases(goals, []string{"P99"})
	if err == nil || !strings.Contains(err.Error(), "P1, P10, P11, P2") {
		t.Errorf("%v", err)
	}
}

func TestTheVerdictSaysWhatWasCounted(t *testing.T) {
	o := outcome{
		counts: counts{Acknowledged: 12, Unknown: 3, Recovered: 1, Delivered: 36, LeasesEnded: 4},
		kills:  2, elections: 3, resumed: 5, last: 14, readBack: 20, longest: time.Second,
	}
	text := strings.Join(o.verdict(false), "\n")
	for _, want := range []string{"0 of 12", "20, each", "3, of which 1 happened", "0 of 36",
		"0 of 14", "4 others", "1.00 s (3 leaders elected)"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
}
