package v2http

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"detcd/kv/v2"
)

// Self is what a member tells of itself.
type Self struct {
	Name        string
	ID          uint64
	Leads       bool
	Begun       time.Time
	Leader      uint64
	LeaderSince time.Time
	Received    uint64 // messages of the leader's
	Sent        uint64 // messages to followers
}

// Follower is what a leader tells of another member.
type Follower struct {
	ID              uint64
	Success, Fail   uint64        // pulses that came back, and messages that were lost here
	Current         time.Duration // of the last pulse, there and back
	Average, Spread time.Duration // of all, and the standard deviation
	Least, Most     time.Duration
}

// selfStats serves /v2/stats/self.
func (h *Handler) selfStats(w http.ResponseWriter, r *http.Request) {
	if !allow(w, r, "GET") {
		return
	}
	type leaderInfo struct {
		Leader    string    `json:"leader"`
		Uptime    string    `json:"uptime"`
		StartTime time.Time `json:"startTime"`
	}
	type self struct {
		Name      string     `json:"name"`
		ID        string     `json:"id"`
		State     string     `json:"state"`
		StartTime time.Time  `json:"startTime"`
		Leader    leaderInfo `json:"leaderInfo"`
		Received  uint64     `json:"recvAppendRequestCnt"`
		Sent      uint64     `json:"sendAppendRequestCnt"`
	}
	now := h.options.Self()
	out := self{now.Name, strconv.FormatUint(now.ID, 16), "StateFollower", now.Begun, leaderInfo{
		"", time.Since(now.LeaderSince).String(), now.LeaderSince,
	}, now.Received, now.Sent}
	if now.Leads {
		out.State = "StateLeader"
	}
	if now.Leader != 0 {
		out.Leader.Leader = strconv.FormatUint(now.Leader, 16)
	}
	write(w, out)
}

// write writes a value; the line does not end.
func write(w http.ResponseWriter, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // strings and finite numbers can be written
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(text)
}

// leaderStats serves /v2/stats/leader.
func (h *Handler) leaderStats(w http.ResponseWriter, r *http.Request) {
	if !allow(w, r, "GET") {
		return
	}
	self := h.options.Self()
	if !self.Leads {
		fail(w, http.StatusForbidden, "not current leader")
		return
	}
	type latency struct {
		Current float64 `json:"current"`
		Average float64 `json:"average"`
		Spread  float64 `json:"standardDeviation"`
		Least   float64 `json:"minimum"`
		Most    float64 `json:"maximum"`
	}
	type counted struct {
		Fail    uint64 `json:"fail"`
		Success uint64 `json:"success"`
	}
	type follower struct {
		Latency latency `json:"latency"`
		Counts  counted `json:"counts"`
	}
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	all := make(map[string]follower)
	for _, f := range h.options.Followers() {
		all[strconv.FormatUint(f.ID, 16)] = follower{
			latency{ms(f.Current), ms(f.Average), ms(f.Spread), ms(f.Least), ms(f.Most)},
			counted{f.Fail, f.Success},
		}
	}
	write(w, struct {
		Leader    string              `json:"leader"`
		Followers map[string]follower `json:"followers"`
	}{strconv.FormatUint(self.ID, 16), all})
}

// storeStats serves /v2/stats/store.
func (h *Handler) storeStats(w http.ResponseWriter, r *http.Request) {
	if !allow(w, r, "GET") {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), h.options.Timeout)
	defer cancel()
	view, refusal := h.view(ctx, false)
	if refusal != nil {
		fail(w, http.StatusInternalServerError, internal)
		return
	}
	s := view.Stats()
	var out []byte
	for _, count := range []struct {
		name string
		v2.Count
	}{
		{"gets", v2.Count{Success: h.counts.gets.Load(), Fail: h.counts.misses.Load()}},
		{"sets", s.Set}, {"delete", s.Delete}, {"update", s.Update}, {"create", s.Create},
		{"compareAndSwap", s.CompareAndSwap}, {"compareAndDelete", s.CompareAndDelete},
	} {
		out = strconv.AppendUint(append(out, `,"`+count.name+`Success":`...), count.Success, 10)
		out = strconv.AppendUint(append(out, `,"`+count.name+`Fail":`...), count.Fail, 10)
	}
	out = strconv.AppendUint(append(out, `,"expireCount":`...), s.Expired, 10)
	out = strconv.AppendInt(append(out, `,"watchers":`...), h.waiters.waiting(), 10)
	w.Header().Set("Content-Type", "application/json")
	out[0] = '{'
	w.Write(append(out, '}'))
}
