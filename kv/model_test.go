package kv

import (
	"maps"
	"slices"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"detcd/kv/auth"
)

// do executes a request that was found valid.
func (n *naive) do(request proto.Message) (proto.Message, error) {
	if r, ok := request.(*pb.AlarmRequest); ok {
		return n.alarm(r), nil
	}
	if err := n.alarmed(request); err != nil {
		return nil, err
	}
	t := n.begin()
	switch r := request.(type) {
	case *pb.RangeRequest:
		return t.read(r)
	case *pb.PutRequest:
		if err := t.checkPut(r); err != nil {
			return nil, err
		}
		defer t.end()
		return t.put(r), nil
	case *pb.DeleteRangeRequest:
		defer t.end()
		return t.delete(r), nil
	case *pb.TxnRequest:
		response, err := t.txn(r)
		t.end()
		return response, err
	case *pb.CompactionRequest:
		switch {
		case r.Revision <= n.compacted:
			return nil, rpctypes.ErrGRPCCompacted
		case r.Revision > n.revision():
			return nil, rpctypes.ErrGRPCFutureRev
		}
		n.compacted = r.Revision
		return &pb.CompactionResponse{Header: header(n.revision())}, nil
	case *pb.LeaseGrantRequest:
		if _, taken := n.leases[r.ID]; taken {
			return nil, rpctypes.ErrGRPCLeaseExist
		}
		n.grants = append(slices.DeleteFunc(n.grants, func(id int64) bool { return id == r.ID }), r.ID)
		n.leases[r.ID] = max(r.TTL, testLimits.LeaseTTLMin)
		return &pb.LeaseGrantResponse{Header: header(n.revision()), ID: r.ID, TTL: n.leases[r.ID]}, nil
	case *pb.LeaseRevokeRequest:
		if _, found := n.leases[r.ID]; !found {
			return nil, rpctypes.ErrGRPCLeaseNotFound
		}
		delete(n.leases, r.ID)
		for _, kv := range in(t.now, []byte{0}, []byte{0}) {
			if kv.Lease == r.ID {
				t.delete(&pb.DeleteRangeRequest{Key: kv.Key})
			}
		}
		t.end()
		return &pb.LeaseRevokeResponse{Header: header(n.revision())}, nil
	}
	panic("not a request of the test")
}

// leaseList lists those that live shortest first: no time has passed since any was granted.
func leaseList(n *naive) *pb.LeaseLeasesResponse {
	response := &pb.LeaseLeasesResponse{Header: header(n.revision())}
	for _, ttl := range slices.Compact(slices.Sorted(maps.Values(n.leases))) {
		for _, id := range n.grants {
			if n.leases[id] == ttl {
				response.Leases = append(response.Leases, &pb.LeaseStatus{ID: id})
			}
		}
	}
	return response
}

// TestTheStoreIsTheNaiveStore sends random requests to both, and wants equal outcomes.
func TestTheStoreIsTheNaiveStore(t *testing.T) {
	outcomes := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		m, n := newMember(t), newNaive()
		m.store.Lead(m.now, true)
		for range rapid.IntRange(20, 60).Draw(t, "requests") {
			request := anyRequest(t)
			got, err := m.do(request)
			if err == rpctypes.ErrGRPCDuplicateKey {
				continue
			}
			want, wantErr := n.do(request)
			if wantErr != nil {
				outcomes[wantErr.Error()]++
				if err != wantErr || got != nil {
					t.Fatalf("%T{%v}\ngives %v, %v\nwant  %v", request, request, got, err, wantErr)
				}
				continue
			}
			outcomes["done"]++
			if err != nil || !proto.Equal(got, want) {
				t.Fatalf("%T{%v}\ngives %v, %v\nwant  %v", request, request, got, err, want)
			}
			if rapid.IntRange(0, 3).Draw(t, "bulk") == 0 {
				m.bulk()
			}
		}
		m.want(&pb.LeaseLeasesRequest{}, leaseList(n))
		all, _ := n.begin().read(get("\x00", "\x00"))
		m.want(get("\x00", "\x00"), all)
		m.check()
	})
	if len(outcomes) < 6 {
		t.Errorf("the random requests have too few outcomes: %v", outcomes)
	}
}

// TestTheSameCommandsGiveTheSameState replays what one member applied in others: one whom nobody
// asks, one that answers, and one that begins from a checkpoint on the way.
func TestTheSameCommandsGiveTheSameState(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMember(t)
		for range rapid.IntRange(20, 60).Draw(t, "requests") {
			request := anyRequest(t)
			if rapid.IntRange(0, 3).Draw(t, "auth") == 0 {
				request = anyAuth(t)
			}
			m.as(rapid.SampledFrom([]string{"", auth.Root, "ann"}).Draw(t, "name"))
			if _, err := m.do(request); err != nil && err != rpctypes.ErrGRPCDuplicateKey {
				continue
			}
		}
		at := rapid.IntRange(0, len(m.log)).Draw(t, "checkpoint at")
		silent, answering, restored := newMember(t), newMember(t), newMember(t)
		for i, command := range m.log {
			if i == at {
				restart(t, restored)
			}
			silent.store.Apply(uint64(i), command, false)
			first, second := answering.apply(command), restored.apply(command)
			if !same(first, second) {
				t.Fatalf("command %d: %v, and after a restart %v", i, first, second)
			}
			if restored.store.Hash() != silent.store.Hash() || first == nil {
				t.Fatalf("command %d: answer %v, hash %x and %x", i, first,
					restored.store.Hash(), silent.store.Hash())
			}
		}
		if at == len(m.log) {
			restart(t, restored)
		}
		want := checkpoint(m)
		for name, other := range map[string]*member{"silent": silent, "answering": answering} {
			if got := checkpoint(other); !slices.Equal(got, want) {
				t.Fatalf("%s: checkpoint %x, want %x", name, got, want)
			}
		}
		m.as(auth.Root)
		restored.as(auth.Root)
		if restored.store.Hash() != m.store.Hash() {
			t.Fatalf("hash %x, want %x", restored.store.Hash(), m.store.Hash())
		}
		restored.store.Lead(0, true)
		m.store.Lead(0, true)
		equalReads(t, restored, m)
		restored.check()
	})
}

// TestTheHashSeesWhatWasDone lists pairs of histories that end in one revision, and are not the
// same.
func TestTheHashSeesWhatWasDone(t *testing.T) {
	seen := map[uint64]int{}
	for i, history := range [][]proto.Message{
		{put("a", "1")}, {put("a", "2")}, {put("b", "1")}, {leased("a", "1", 9)},
		{put("a", "1"), grant(1, 5)}, {put("a", "1"), grant(2, 5)}, {put("a", "1"), grant(1, 6)},
		{put("a", "1"), grant(1, 5), revoke(1)}, {put("a", "1"), compact(1)},
		{put("a", "1"), compact(2)}, {grant(1, 5), put("a", "1")}, {grant(1, 5), leased("a", "1", 1)},
		{put("a", "1"), put("b", "1"), del("a", "")}, {put("a", "1"), put("b", "1"), del("b", "")},
		{put("a", "1"), then(put("b", "1"), put("c", "1"))},
		{put("a", "1"), then(put("c", "1"), put("b", "1"))}, {put("a", "1"), del("c", "")},
		{put("a", "1"), addRole("a")}, {put("a", "1"), addRole("b")},
	} {
		m := newMember(t)
		for _, request := range history {
			_, _ = m.do(request) // some are refused
		}
		if other, twice := seen[m.store.Hash()]; twice {
			t.Errorf("histories %d and %d have one hash", other, i)
		}
		seen[m.store.Hash()] = i
	}
}

// same compares two answers of Apply.
func same(a, b any) bool {
	if message, ok := a.(proto.Message); ok {
		other, ok := b.(proto.Message)
		return ok && proto.Equal(message, other)
	}
	return a == b
}

func checkpoint(m *member) []byte {
	state, _, flush := m.store.Checkpoint()
	m.execute(flush)
	return state
}

// restart makes a checkpoint durable, loses all that is not, and restores from it.
func restart(t fataler, m *member) {
	t.Helper()
	state, segments, flush := m.store.Checkpoint()
	m.execute(flush)
	m.store.Saved(segments)
	m.fs = m.fs.CrashClone(nil)
	before := m.store.Hash()
	m.restore(state, segments)
	if m.store.Hash() != before {
		t.Fatalf("hash %x before, %x after a restart", before, m.store.Hash())
	}
}

// equalReads wants two members to read the same at every revision, and to hash it alike.
func equalReads(t fataler, a, b *member) {
	t.Helper()
	requests := []proto.Message{&pb.LeaseLeasesRequest{}}
	for revision := int64(0); revision <= b.store.mvcc.Revision(); revision++ {
		requests = append(requests, &pb.HashKVRequest{Revision: revision},
			&pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}, Revision: revision})
	}
	for _, r := range requests {
		got, err := a.do(r)
		want, wantErr := b.do(r)
		if err != wantErr || !proto.Equal(got, want) {
			t.Fatalf("%v: %v, %v; want %v, %v", r, got, err, want, wantErr)
		}
	}
}
