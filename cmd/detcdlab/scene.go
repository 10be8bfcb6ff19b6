package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// A scene is what the demo shows: on a terminal a picture that lives, elsewhere plain lines.
type scene struct {
	drill    *drill
	observer *observer
	out      io.Writer
	screen   *screen // nil: plain lines
	palette  palette
	length   time.Duration // of the load
	begin    time.Time

	mu     sync.Mutex // guards what follows
	chart  *chart
	events []string
	recent []sample // of the last second
	phase  string
	said   time.Duration // plain: when the numbers were last printed
}

// A sample is how many writes had been acknowledged at a time.
type sample struct {
	at           time.Duration
	acknowledged int64
}

// The times of a scene.
const (
	frameInterval = 100 * time.Millisecond
	rateInterval  = time.Second // over which the writes a second are counted
	plainInterval = 2 * time.Second
)

// happened notes an event.
func (s *scene) happened(c color, format string, arguments ...any) {
	text := fmt.Sprintf(format, arguments...)
	s.mu.Lock()
	defer s.mu.Unlock()
	line := fmt.Sprintf("%6.2f s  %s", time.Since(s.begin).Seconds(), s.palette.paint(c, text))
	s.events = append(s.events, line)
	if s.screen == nil {
		fmt.Fprintln(s.out, line)
	}
}

// marked puts a sign below the chart, now.
func (s *scene) marked(m mark) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.chart.mark(time.Since(s.begin), m)
}

// enter names what is being done.
func (s *scene) enter(phase string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phase = phase
}

// play shows frame after frame until the returned function is called.
func (s *scene) play() (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(frameInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				s.frame()
			case <-quit:
				s.frame()
				if s.screen != nil {
					s.screen.leave()
				}
				return
			}
		}
	}()
	return func() {
		close(quit)
		<-done
	}
}

// frame takes a sample and shows it.
func (s *scene) frame() {
	views, counts := s.observer.snapshot(), s.drill.ledger.tally()
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Since(s.begin)
	s.sample(now, counts.Acknowledged)
	if s.screen != nil {
		s.screen.draw(s.picture(now, views, counts))
		return
	}
	if now-s.said >= plainInterval {
		s.said = now
		fmt.Fprintf(s.out, "%6.2f s  %s: %.0f writes/s, %d acknowledged, %d watch events; %s\n",
			now.Seconds(), s.phase, s.rate(), counts.Acknowledged, counts.Delivered, brief(views))
	}
}

// sample puts what was acknowledged since the last frame into the chart.
func (s *scene) sample(now time.Duration, acknowledged int64) {
	var before sample
	if len(s.recent) > 0 {
		before = s.recent[len(s.recent)-1]
	}
	s.chart.add(before.at, min(now, s.length), acknowledged-before.acknowledged)
	for len(s.recent) > 0 && now-s.recent[0].at > rateInterval {
		s.recent = s.recent[1:]
	}
	s.recent = append(s.recent, sample{now, acknowledged})
}

// rate is the writes a second of the last second.
func (s *scene) rate() float64 {
	first, last := s.recent[0], s.recent[len(s.recent)-1]
	if first == last {
		return 0
	}
	return float64(last.acknowledged-first.acknowledged) / (last.at - first.at).Seconds()
}

// brief says who leads, in a few words.
func brief(views []memberView) string {
	var words []string
	for _, v := range views {
		words = append(words, v.name+" "+v.state)
	}
	return strings.Join(words, ", ")
}
