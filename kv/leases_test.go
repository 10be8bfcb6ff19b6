package kv

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/protobuf/proto"

	"detcd/kv/lease"
)

func keepAlive(id int64) *pb.LeaseKeepAliveRequest { return &pb.LeaseKeepAliveRequest{ID: id} }

func timeToLive(id int64) *pb.LeaseTimeToLiveRequest {
	return &pb.LeaseTimeToLiveRequest{ID: id, Keys: true}
}

func revoke(id int64) *pb.LeaseRevokeRequest { return &pb.LeaseRevokeRequest{ID: id} }

// leader is a member that leads.
func leader(t *testing.T) *member {
	m := newMember(t)
	m.store.Lead(m.now, true)
	return m
}

func TestLeaseResponses(t *testing.T) {
	m := leader(t)
	granted := func(revision, id, ttl int64) *pb.LeaseGrantResponse {
		return &pb.LeaseGrantResponse{Header: header(revision), ID: id, TTL: ttl}
	}
	m.want(grant(7587, 100), granted(1, 7587, 100))
	m.want(grant(7587, 100), rpctypes.ErrGRPCLeaseExist)
	m.want(grant(7587, 9_000_000_001), rpctypes.ErrGRPCLeaseTTLTooLarge)
	m.want(grant(7, 9_000_000_000), granted(1, 7, 9_000_000_000))
	m.want(grant(-4, 0), granted(1, -4, 2))
	m.want(leased("k", "v", 99), rpctypes.ErrGRPCLeaseNotFound)
	m.want(leased("k", "v", 7587), &pb.PutResponse{Header: header(2)})
	m.want(leased("j", "v", 7587), &pb.PutResponse{Header: header(3)})

	m.want(timeToLive(7587), &pb.LeaseTimeToLiveResponse{Header: header(3), ID: 7587, TTL: 99,
		GrantedTTL: 100, Keys: [][]byte{[]byte("j"), []byte("k")}})
	m.want(&pb.LeaseTimeToLiveRequest{ID: 7587},
		&pb.LeaseTimeToLiveResponse{Header: header(3), ID: 7587, TTL: 99, GrantedTTL: 100})
	m.want(timeToLive(99), &pb.LeaseTimeToLiveResponse{Header: header(3), ID: 99, TTL: -1})
	m.want(keepAlive(7587), &pb.LeaseKeepAliveResponse{Header: header(3), ID: 7587, TTL: 100})
	m.want(keepAlive(99), &pb.LeaseKeepAliveResponse{Header: header(3), ID: 99})
	m.want(&pb.LeaseLeasesRequest{}, &pb.LeaseLeasesResponse{Header: header(3),
		Leases: []*pb.LeaseStatus{{ID: -4}, {ID: 7587}, {ID: 7}}})

	m.want(revoke(7), &pb.LeaseRevokeResponse{Header: header(3)})
	m.want(revoke(7587), &pb.LeaseRevokeResponse{Header: header(4)})
	m.want(revoke(7587), rpctypes.ErrGRPCLeaseNotFound)
	m.want(revoke(0), rpctypes.ErrGRPCLeaseNotFound)
	m.want(get("a", "z"), &pb.RangeResponse{Header: header(4)})
	m.check()
}

// Leases are listed as etcd's leader lists them: what ends first comes first, what was renewed
// moves back, and of those that end together the first that was granted comes first, whatever their
// IDs; also those of which the clock has not been started yet.
func TestLeasesAreListedByWhenTheyEnd(t *testing.T) {
	m := leader(t)
	list := func(want ...int64) {
		t.Helper()
		response := &pb.LeaseLeasesResponse{Header: header(1)}
		for _, id := range want {
			response.Leases = append(response.Leases, &pb.LeaseStatus{ID: id})
		}
		m.want(&pb.LeaseLeasesRequest{}, response)
	}
	list()
	for _, id := range []int64{5, 9, -3, 7} {
		m.want(grant(id, 60), nil)
	}
	list(5, 9, -3, 7)
	m.pass(time.Second)
	list(5, 9, -3, 7)
	m.want(grant(1, 60), nil)
	m.want(grant(100, 50), nil)
	list(100, 5, 9, -3, 7, 1)
	m.pass(time.Second)
	m.pass(time.Second)
	m.want(keepAlive(9), nil)
	list(100, 5, -3, 7, 1, 9)
	m.store.Lead(m.now, false)
	m.store.Lead(m.now, true)
	list(100, 5, 9, -3, 7, 1)
}

// A list of leases is of the leader's revision, however far behind the member is that was asked.
func TestALaggingMemberListsWhatTheLeaderHas(t *testing.T) {
	m := leader(t)
	call := NewCall(&pb.LeaseLeasesRequest{}, testLimits, nil, nil)
	call.Give(m.store.View())
	m.want(put("a", "1"), nil)
	m.want(grant(7, 60), nil)
	call.Give(m.store.Query(m.now, call.Question()))
	got, err := call.Response()
	want := &pb.LeaseLeasesResponse{Header: header(2), Leases: []*pb.LeaseStatus{{ID: 7}}}
	if err != nil || !proto.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

func TestAnIDIsChosenByTheOneWhoProposes(t *testing.T) {
	words := []uint64{1, 1 << 63} // the first of them gives no ID
	call := NewCall(grant(0, 60), testLimits, func() uint64 {
		word := words[0]
		words = words[1:]
		return word
	}, nil)
	for range 2 {
		m := newMember(t)
		want := &pb.LeaseGrantResponse{Header: header(1), ID: 1 << 62, TTL: 60}
		if got := m.apply(call.Command()); !same(got, want) {
			t.Errorf("granted %v, want %v", got, want)
		}
	}
}

func TestAKeyBelongsToTheLeaseOfItsLastPut(t *testing.T) {
	m := leader(t)
	m.want(grant(1, 60), nil)
	m.want(grant(2, 60), nil)
	m.want(leased("a", "", 1), nil)
	m.want(leased("b", "", 1), nil)
	m.want(leased("c", "", 1), nil)
	m.want(leased("d", "", 1), nil)
	m.want(put("a", "free"), nil)                                           // detached
	m.want(leased("b", "moved", 2), nil)                                    // to another one
	m.want(&pb.PutRequest{Key: []byte("c"), IgnoreLease: true}, nil)        // stays
	m.want(then(del("d", ""), leased("e", "", 1)), nil)                     // deleted; put
	m.want(then(then(put("f", "")), then(del("f", "")), del("x", "")), nil) // and deleted at once
	keys := func(id int64) string {
		response, _ := m.do(timeToLive(id))
		return fmt.Sprintf("%s", response.(*pb.LeaseTimeToLiveResponse).Keys)
	}
	if one, two := keys(1), keys(2); one != "[c e]" || two != "[b]" {
		t.Errorf("lease 1 owns %s, lease 2 owns %s", one, two)
	}
	m.check()
	m.want(revoke(1), nil)
	m.want(&pb.RangeRequest{Key: []byte("a"), RangeEnd: []byte("z"), KeysOnly: true},
		&pb.RangeResponse{Header: header(11), Count: 2, Kvs: []*mvccpb.KeyValue{
			{Key: []byte("a"), CreateRevision: 2, ModRevision: 6, Version: 2},
			{Key: []byte("b"), CreateRevision: 3, ModRevision: 7, Version: 2}}})
	m.check()
}

func TestALeaseEndsAfterItsTimeAndNotBefore(t *testing.T) {
	m := leader(t)
	m.want(grant(1, 5), nil)
	m.want(leased("a", "", 1), nil)
	m.pass(0)
	m.pass(4 * time.Second)
	m.want(keepAlive(1), &pb.LeaseKeepAliveResponse{Header: header(2), ID: 1, TTL: 5})
	m.pass(5*time.Second - 1)
	m.want(&pb.LeaseTimeToLiveRequest{ID: 1},
		&pb.LeaseTimeToLiveResponse{Header: header(2), ID: 1, GrantedTTL: 5})
	m.pass(1)
	m.want(get("a", ""), &pb.RangeResponse{Header: header(3)})
	m.want(keepAlive(1), &pb.LeaseKeepAliveResponse{Header: header(3), ID: 1})
}

func TestAKeepAliveWaitsForTheRevocationUnderWay(t *testing.T) {
	m := leader(t)
	m.want(grant(1, 5), nil)
	m.store.Due(0)
	commands := m.store.Due(int64(5 * time.Second))
	call := NewCall(keepAlive(1), testLimits, nil, nil)
	step := func(want Need, value any) {
		t.Helper()
		if call.Next() != want {
			t.Fatalf("needs %d, want %d", call.Next(), want)
		}
		call.Give(value)
	}
	step(NeedView, m.store.View())
	for range 3 {
		step(NeedAnswer, m.store.Query(m.now, call.Question()))
		step(NeedPause, m.store.View())
	}
	m.apply(commands[0])
	step(NeedAnswer, m.store.Query(m.now, call.Question()))
	want := &pb.LeaseKeepAliveResponse{Header: header(1), ID: 1}
	if got, err := call.Response(); call.Next() != Done || !same(got, want) || err != nil {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	if again := m.store.Due(int64(9 * time.Second)); len(commands) != 1 || len(again) > 0 {
		t.Errorf("revoked by %d commands, and again by %d", len(commands), len(again))
	}
}

func TestAnExpiryOfTheOldGrantSparesTheNewOne(t *testing.T) {
	m := leader(t)
	m.want(grant(7, 5), nil)
	m.store.Due(0)
	expiry := m.store.Due(int64(5 * time.Second))[0]
	m.want(revoke(7), nil)
	m.want(grant(7, 5), nil)
	m.want(leased("a", "Bob's", 7), nil)
	m.apply(expiry)
	if ids := listed(m.store.View()); len(ids) != 1 || ids[0] != 7 {
		t.Errorf("leases: %v", ids)
	}
	m.check()
}

func TestANewLeaderGivesEveryLeaseItsWholeTimeAndMore(t *testing.T) {
	m := leader(t)
	m.want(grant(1, 5), nil)
	m.pass(0)
	m.store.Lead(m.now, false)
	if due := m.store.Due(int64(time.Hour)); len(due) > 0 {
		t.Fatalf("a member that does not lead has %d leases due", len(due))
	}
	m.pass(4 * time.Second)
	m.store.Lead(m.now, true)
	m.pass(6*time.Second - 1)
	if len(listed(m.store.View())) != 1 {
		t.Fatal("revoked too early")
	}
	if m.pass(1); len(listed(m.store.View())) != 0 {
		t.Fatal("not revoked")
	}
}

func TestABadQuestionOrAnswerHarmsNobody(t *testing.T) {
	m := leader(t)
	for _, question := range [][]byte{nil, {}, {9}, {askKeepAlive, 0xff}, {askTimeToLive, 0xff}} {
		if answer := m.store.Query(0, question); answer != nil {
			t.Errorf("%x is answered with %x", question, answer)
		}
	}
	for _, request := range []proto.Message{timeToLive(1), keepAlive(1), &pb.LeaseLeasesRequest{}} {
		for _, answer := range [][]byte{nil, {}, {byte(lease.Alive), 0xff},
			{byte(lease.Alive), 2, 2, 2, 0xff}} {
			call := NewCall(request, testLimits, nil, nil)
			call.Give(m.store.View())
			call.Give(answer)
			if response, err := call.Response(); call.Next() != Done || err == nil || response != nil {
				t.Errorf("answer %x: %v, %v", answer, response, err)
			}
		}
	}
}

// A question among several is answered as if it were alone; one that holds several itself is none.
func TestQuestionsThatAreJoinedAreAnsweredOneByOne(t *testing.T) {
	m := leader(t)
	m.want(grant(1, 60), nil)
	several := [][]byte{question(keepAlive(1)), question(keepAlive(2)), {askKeepAlive, 0xff}, nil,
		question(timeToLive(1)), JoinQuestions([][]byte{{askLeases}, {askLeases}}), {askLeases}}
	for count := 1; count <= len(several); count++ {
		answers := SplitAnswer(m.store.Query(0, JoinQuestions(several[:count])), count)
		if len(answers) != count {
			t.Fatalf("%d answers to %d questions", len(answers), count)
		}
		for i, answer := range answers {
			if want := m.store.queryOne(0, several[i]); !bytes.Equal(answer, want) {
				t.Errorf("question %d of %d: %x, alone %x", i, count, answer, want)
			}
		}
	}
	whole := m.store.Query(0, JoinQuestions(several))
	for cut := range whole {
		answers := SplitAnswer(whole[:cut], len(several))
		if len(answers) != len(several) || answers[len(several)-1] != nil {
			t.Fatalf("of %x: %x", whole[:cut], answers)
		}
	}
}

func TestAMemberThatDoesNotLeadDecidesNothing(t *testing.T) {
	m := newMember(t)
	m.want(grant(1, 5), nil)
	for _, id := range []int64{1, 2} {
		answer := m.store.Query(0, question(keepAlive(id)))
		if len(answer) == 0 || lease.Fate(answer[0]) != lease.Undecided {
			t.Errorf("lease %d: %x", id, answer)
		}
	}
}

func BenchmarkKeepAlive(b *testing.B) {
	var m member
	m.t = b
	m.store = New(Options{})
	m.store.leases = &lease.Book{}
	for id := range int64(10_000) {
		if _, err := m.store.leases.Grant(lease.ID(id+1), 60); err != nil {
			b.Fatal(err)
		}
	}
	m.store.Lead(0, true)
	ask := question(keepAlive(5000))
	b.ReportAllocs()
	for b.Loop() {
		m.now++
		m.store.Query(m.now, ask)
	}
}
