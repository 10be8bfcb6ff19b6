package server

import (
	"log/slog"
	"time"
)

// How often the log repeats what lasts.
const (
	// lookEvery is how often the member looks whether it has something to report.
	lookEvery = 500 * time.Millisecond
	// fullEvery is the time between two lines that the device is full.
	fullEvery = time.Minute
	// flankMin is the least time between two lines that it has become full.
	flankMin = 10 * time.Second
	// hangEvery is the time between two lines that the disk does not answer.
	hangEvery = 10 * time.Second
)

// leaderlessEvery is the time between two lines that there is no leader: ten elections would have
// fit into it.
func (c *Config) leaderlessEvery() time.Duration {
	return min(max(10*c.ElectionTimeout, time.Second), 30*time.Second)
}

// A reminder says when a line is due about something that lasts.
type reminder struct {
	every time.Duration
	told  time.Time
}

// due says whether the line is due now, about what has lasted since a moment; zero: it does not.
func (r *reminder) due(since, now time.Time) bool {
	if since.IsZero() || now.Sub(since) < r.every || now.Sub(r.told) < r.every {
		return false
	}
	r.told = now
	return true
}

// report logs what keeps the member from its work, again and again while it does.
func (s *Server) report() {
	a, log := s.front.served, s.config.Log
	leaderless := reminder{every: s.config.leaderlessEvery()}
	full, hangs := reminder{every: fullEvery}, reminder{every: hangEvery}
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-a.Node.Done():
			return
		case <-s.stopping:
			return
		case now := <-ticker.C:
			if since := a.leaderlessSince(); leaderless.due(since, now) {
				a.reportLeaderless(since)
			}
			if since := a.device.fullSince(); full.due(since, now) {
				s.reportFull()
			}
			if since := a.Node.Stats().WritingSince; hangs.due(since, now) {
				log.Error("the disk does not answer: a write to the log has not ended",
					slog.String("data-dir", s.config.DataDir), slog.String("since", stamp(since)))
			}
		}
	}
}

// reportFull tells again that nothing can be written, unless there is room by now.
func (s *Server) reportFull() {
	if now := s.device.full.Load(); now != nil {
		s.config.Log.Error("still "+now.what()+"; writes are refused",
			slog.String("data-dir", s.config.DataDir), slog.String("since", stamp(now.since)))
	}
}

func (a *adapter) reportLeaderless(since time.Time) {
	r := a.reach()
	a.config.Log.Warn("there is no leader; nothing can be agreed on",
		slog.String("since", stamp(since)), slog.String("why", r.summary()), slog.Int("voters", r.voters),
		slog.Int("voters-needed", majority(r.voters)), slog.Int("voters-reached", r.reached),
		slog.Any("reachable", append([]string{}, r.up...)),
		slog.Any("unreachable", append([]string{}, r.down...)))
}
