package sim

import (
	"fmt"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"detcd/checker"
	"detcd/checker/etcd"
	checkerjudge "detcd/checker/judge"
)

// An actor is a client that does what a story says.
type actor struct {
	*client
	t      *testing.T
	key    string // with which it takes the lock
	fenced bool
	belief etcd.Operation
}

const counter = "a/counter"

// ask makes one request and goes on with the answer.
func (a *actor) ask(request proto.Message, then func(proto.Message)) {
	a.reseed()
	a.do(request, func(o *operation) {
		if o.err != nil || o.undecided {
			a.t.Fatalf("%s: %s", requestText(request), outcomeText(o))
		}
		then(o.response)
	})
}

// wait lets time pass.
func (a *actor) wait(d time.Duration, then func()) { a.world.after(d, then) }

// enter puts the key that wants the lock, under a lease.
func (a *actor) enter(lease, ttl int64, then func()) {
	a.key = fmt.Sprintf("a/turn/%x", lease)
	a.ask(&pb.LeaseGrantRequest{ID: lease, TTL: ttl}, func(proto.Message) {
		put := &pb.PutRequest{Key: []byte(a.key), Value: a.value(), Lease: lease}
		a.ask(put, func(answer proto.Message) {
			a.belief = etcd.Operation{Client: int64(a.number), Request: etcd.Request{Ask: &etcd.Held{
				Lock: "a/turn/", Key: etcd.Bytes(a.key), Guards: counter,
				Create: answer.(*pb.PutResponse).Header.Revision}}}
			then()
		})
	})
}

// acquire asks until the key is the oldest.
func (a *actor) acquire(then func()) {
	oldest := &pb.RangeRequest{Key: []byte("a/turn/"), RangeEnd: []byte("a/turn0"), Limit: 1,
		SortTarget: pb.RangeRequest_CREATE, SortOrder: pb.RangeRequest_ASCEND}
	a.ask(oldest, func(answer proto.Message) {
		r := answer.(*pb.RangeResponse)
		if string(r.Kvs[0].Key) != a.key {
			a.wait(200*time.Millisecond, func() { a.acquire(then) })
			return
		}
		a.belief.Call = a.world.now
		a.belief.Response = &etcd.Response{Revision: r.Header.Revision}
		then()
	})
}

// update reads what the lock guards, dozes, and writes.
func (a *actor) update(doze time.Duration, then func(done bool)) {
	a.ask(&pb.RangeRequest{Key: []byte(counter)}, func(proto.Message) {
		a.wait(doze, func() {
			write := &pb.PutRequest{Key: []byte(counter), Value: a.value()}
			end := func(done bool) {
				a.belief.Return = a.world.now
				operations := &a.world.judge.record.operations
				*operations = append(*operations, a.belief)
				then(done)
			}
			if !a.fenced {
				a.ask(write, func(proto.Message) { end(true) })
				return
			}
			fence := a.belief.Request.Ask.(*etcd.Held).Create
			a.ask(&pb.TxnRequest{
				Compare: []*pb.Compare{{Key: []byte(a.key), Target: pb.Compare_CREATE,
					TargetUnion: &pb.Compare_CreateRevision{CreateRevision: fence}}},
				Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{RequestPut: write}}},
			}, func(answer proto.Message) { end(answer.(*pb.TxnResponse).Succeeded) })
		})
	})
}

// TestTheUnsafeLockLosesAnUpdateAndAFenceSavesIt is what Jepsen found of etcd's lock (3.4.3, 2020):
//
//  1. Ann takes the lock, reads what it guards, and dozes, as in a long garbage collection.
//  2. Her lease ends. Nobody tells her.
//  3. Bob has the lock now. He reads, and writes.
//  4. Ann wakes, believes to have the lock, and writes: what Bob wrote is lost.
//
// Every answer is one that etcd promises. With a fence, which is that the write compares the create
// revision of her key, the fourth step is refused.
func TestTheUnsafeLockLosesAnUpdateAndAFenceSavesIt(t *testing.T) {
	for _, fenced := range []bool{false, true} {
		o := Options{Seed: 5, Duration: 30 * time.Second}
		o.setDefaults()
		w := newWorld(o)
		restore := replaceReader(&w.raft)
		w.begin()
		actor := func(number int) *actor {
			return &actor{client: w.makeClient(number), t: t, fenced: fenced}
		}
		ann, bob := actor(401), actor(402)
		wrote := map[*client]bool{}
		w.after(3*time.Second, func() {
			ann.enter(0xa, 2, func() {
				bob.enter(0xb, 60, func() {
					bob.acquire(func() {
						bob.update(100*time.Millisecond, func(done bool) { wrote[bob.client] = done })
					})
				})
				ann.acquire(func() {
					ann.update(8*time.Second, func(done bool) { wrote[ann.client] = done })
				})
			})
		})
		w.until(o.Duration)
		w.heal()
		w.converge()
		w.judge.finish()
		restore()
		if r := w.result(); r.Verdict != Green {
			t.Fatalf("fenced %v: %v: %s", fenced, r.Verdict, r.Reason)
		}
		report := checkerjudge.Judge(w.judge.record.operations,
			checkerjudge.Options{LeaseTolerance: 1 << 60})
		locks := report.Locks
		if report.Verdict != checker.Holds || locks == nil {
			t.Fatalf("fenced %v: %v: %s", fenced, report.Verdict, report.Reason)
		}
		unsafe := map[bool]int{false: 1}[fenced]
		if !wrote[bob.client] || wrote[ann.client] == fenced || locks.Holders != 2 ||
			locks.Together != 1 || len(locks.Unsafe) != unsafe || locks.Lost != unsafe {
			t.Errorf("fenced %v: %+v; Ann wrote: %v, Bob wrote: %v", fenced, *locks,
				wrote[ann.client], wrote[bob.client])
		}
		for _, u := range locks.Unsafe {
			t.Log(u.Text)
		}
	}
}
