package difftest

import (
	"context"
	"errors"
	"io"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

// drawGrant draws a lease that outlives the session, or one that is refused, or one that is so
// short that it must be revoked at once.
func drawGrant(t *rapid.T) *pb.LeaseGrantRequest {
	r := &pb.LeaseGrantRequest{ID: drawLease(t), TTL: pick[int64](t, "TTL", 100, 600, 9_000_000_000)}
	if seldom(t, "odd TTL", 4) {
		r.TTL = pick[int64](t, "the odd TTL", 0, -5, 1, 9_000_000_001)
	}
	if seldom(t, "server chooses", 6) {
		r.ID = 0
	}
	return r
}

// shortTTL is below what a session may take, in seconds.
const shortTTL = 60

// grant asks for a lease. What the server chose itself, or what would expire during the session, is
// revoked at once.
func (s *session) grant(request *pb.LeaseGrantRequest) {
	if request.ID != 0 {
		response, _ := s.ask("Lease.LeaseGrant", request).(*pb.LeaseGrantResponse)
		if response != nil && response.TTL < shortTTL {
			s.ask("Lease.LeaseRevoke", &pb.LeaseRevokeRequest{ID: response.ID})
		}
		return
	}
	a, b := s.pair.ask("Lease.LeaseGrant", request)
	s.note("Lease.LeaseGrant{%s} → %s", text(request), outcome(a))
	chosenA, chosenB := takeID(&a), takeID(&b)
	s.equal("Lease.LeaseGrant", a, b)
	if (chosenA > 0) != (chosenB > 0) {
		s.fail("Lease.LeaseGrant: chosen IDs are positive: A %d, B %d", chosenA, chosenB)
	}
	if a.err != nil {
		return
	}
	a = s.pair.a.call("Lease.LeaseRevoke", &pb.LeaseRevokeRequest{ID: chosenA})
	b = s.pair.b.call("Lease.LeaseRevoke", &pb.LeaseRevokeRequest{ID: chosenB})
	s.equal("Lease.LeaseRevoke of the chosen ID", a, b)
}

// takeID removes the ID from the answer to a grant and returns it.
func takeID(a *answer) int64 {
	response, ok := a.message.(*pb.LeaseGrantResponse)
	if !ok {
		return 0
	}
	rest := proto.CloneOf(response)
	rest.ID = 0
	a.message = rest
	return response.ID
}

// drawKeepAlives draws the leases to keep alive on one stream.
func drawKeepAlives(t *rapid.T) []int64 {
	var ids []int64
	for range pick(t, "keep-alives", 1, 2, 0) {
		ids = append(ids, drawLease(t))
	}
	return ids
}

// keepAlive sends a few requests down one stream, closes it and reads to its end.
func (s *session) keepAlive(ids []int64) {
	var a, b []answer
	_ = s.pair.both(func(side *side) error {
		if side == s.pair.a {
			a = side.keepAlive(ids)
		} else {
			b = side.keepAlive(ids)
		}
		return nil
	})
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) {
			s.fail("Lease.LeaseKeepAlive%v: %d ≠ %d answers", ids, len(a), len(b))
		}
		s.note("Lease.LeaseKeepAlive%v → %s", ids, outcome(a[i]))
		s.equal("Lease.LeaseKeepAlive", a[i], b[i])
	}
}

// keepAlive returns what a stream of its own answers, the last answer being its end.
func (s *side) keepAlive(ids []int64) []answer {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	stream, err := pb.NewLeaseClient(s.conn).LeaseKeepAlive(ctx)
	if err != nil {
		return []answer{{err: err}}
	}
	var all []answer
	for _, id := range ids {
		_ = stream.Send(&pb.LeaseKeepAliveRequest{ID: id}) // Recv says what went wrong
		response, err := stream.Recv()
		if err != nil {
			return append(all, answer{err: err})
		}
		all = append(all, answer{message: response})
	}
	_ = stream.CloseSend()
	return append(all, endOf(stream.Recv()))
}

// endOf makes an answer of what a stream ends with: nothing, when all is well.
func endOf(message proto.Message, err error) answer {
	switch {
	case errors.Is(err, io.EOF):
		return answer{message: &pb.LeaseKeepAliveResponse{}}
	case err != nil:
		return answer{err: err}
	}
	return answer{message: message}
}

// rangeStream reads a range in chunks and compares what they add up to: the header, the count and
// the keys, wherever a server cuts.
func (s *session) rangeStream(request *pb.RangeRequest) {
	var a, b answer
	_ = s.pair.both(func(side *side) error {
		if side == s.pair.a {
			a = side.rangeStream(request)
		} else {
			b = side.rangeStream(request)
		}
		return nil
	})
	s.note("KV.RangeStream{%s} → %s", text(request), outcome(a))
	s.equal("KV.RangeStream", a, b)
}

// rangeStream returns the sum of the chunks.
func (s *side) rangeStream(request *pb.RangeRequest) answer {
	ctx, cancel := context.WithTimeout(s.context(), callTimeout)
	defer cancel()
	stream, err := pb.NewKVClient(s.conn).RangeStream(ctx, request)
	if err != nil {
		return answer{err: err}
	}
	sum := &pb.RangeResponse{}
	for {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return answer{message: sum}
		}
		if err != nil {
			return answer{err: err}
		}
		proto.Merge(sum, chunk.RangeResponse)
	}
}
