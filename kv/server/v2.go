package server

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"detcd/consensus/replica"
	"detcd/consensus/transport"
	"detcd/kv/gateway"
	"detcd/kv/gateway/v2http"
)

// newV2 makes what serves /v2.
func (c *Config) newV2(served *adapter) *v2http.Handler {
	return v2http.New(v2http.Options{
		Node: served, Membership: oldMembers{served}, Auth: served.Auth,
		Self: served.self, Followers: served.followers,
		Timeout: c.requestTime(), RequestBytesMax: c.MaxRequestBytes,
		Slow: c.SlowRequest, Log: c.Log,
	})
}

// oldMembers changes the membership as the services of gRPC do, and tells who was removed before.
type oldMembers struct{ *adapter }

// RemoveMember removes a member for good.
func (m oldMembers) RemoveMember(ctx context.Context, id uint64) ([]*pb.Member, error) {
	all, err := m.adapter.RemoveMember(ctx, id)
	if err != nil && slices.Contains(m.Node.Members().Removed, replica.MemberID(id)) {
		err = fmt.Errorf("%w: %w", v2http.ErrRemoved, err)
	}
	return all, err
}

// self is what /v2/stats/self tells. What is counted are the frames of the connections between the
// members, for nothing counts appends alone.
func (a *adapter) self() v2http.Self {
	now := a.Node.Status()
	s := v2http.Self{
		Name: a.config.Name, ID: uint64(now.ID), Leads: now.Leading, Begun: a.begun,
		Leader: uint64(now.Leader), LeaderSince: now.LeaderSince,
	}
	for _, peer := range a.Node.Peers().Peers {
		if now.Leading {
			s.Sent += peer.SentFrames
		} else if peer.ID == uint64(now.Leader) {
			s.Received += peer.ReceivedFrames
		}
	}
	return s
}

// followers is what /v2/stats/leader tells of the others.
func (a *adapter) followers() (all []v2http.Follower) {
	for _, peer := range a.Node.Peers().Peers {
		all = append(all, followerOf(&peer))
	}
	return all
}

// followerOf reckons from the pulses of a peer. Only their sum is known exactly, and of each the
// limits between which it was: least, most and spread are those of the limits.
func followerOf(peer *transport.PeerStats) v2http.Follower {
	f := v2http.Follower{ID: peer.ID, Fail: peer.Dropped, Current: peer.RoundTrip}
	limit, squares := transport.RoundTripLimit, 0.0
	for _, n := range peer.RoundTrips {
		if n > 0 {
			if f.Success == 0 {
				f.Least = limit / 2
			}
			f.Success, f.Most = f.Success+n, limit
			middle := float64(limit) * 3 / 4
			squares += float64(n) * middle * middle
		}
		limit *= 2
	}
	if f.Success > 0 {
		f.Average = peer.RoundTripSum / time.Duration(f.Success)
		mean := float64(f.Average)
		f.Spread = time.Duration(math.Sqrt(max(0, squares/float64(f.Success)-mean*mean)))
	}
	return f
}

// aboutV2 has what /v2 was asked, under the names of etcd 3.4; nothing before it was.
func (f *front) aboutV2() (all []gateway.Metric) {
	if f.v2 == nil {
		return nil
	}
	counts := f.v2.Counts()
	for i, method := range v2http.Methods() {
		if counts.Received[i] == 0 {
			continue
		}
		all = append(all,
			with(counter("etcd_http_received_total", counts.Received[i], "Requests of /v2."),
				"method", method),
			with(counter("etcd_http_failed_total", counts.Refused[i], "Requests of /v2 that failed."),
				"method", method))
	}
	if all != nil {
		all = append(all, gauge("etcd_debugging_store_watchers", counts.Waiting,
			"Clients that wait for changes at /v2."))
	}
	return all
}
