package watch

import (
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"
)

func created(revision, id int64) *pb.WatchResponse {
	return &pb.WatchResponse{Header: at(revision), WatchId: id, Created: true}
}

func refused(revision int64, reason string) *pb.WatchResponse {
	return &pb.WatchResponse{
		Header: at(revision), WatchId: -1, Created: true, Canceled: true, CancelReason: reason,
	}
}

func canceled(revision, id int64) *pb.WatchResponse {
	return &pb.WatchResponse{Header: at(revision), WatchId: id, Canceled: true}
}

func told(revision, id int64, events ...*mvccpb.Event) *pb.WatchResponse {
	return &pb.WatchResponse{Header: at(revision), WatchId: id, Events: events}
}

// The replies to what a client may ask, in the order in which etcd 3.7.3 gave them to the same
// requests.
func TestRepliesAreEtcds(t *testing.T) {
	c := newClient(t, Options{})
	for range 6 {
		c.do(write{"a", "v"})
	}
	for _, request := range []struct {
		create *pb.WatchCreateRequest
		reply  *pb.WatchResponse
	}{
		{&pb.WatchCreateRequest{Key: []byte("a")}, created(7, 0)},
		{&pb.WatchCreateRequest{Key: []byte("a"), WatchId: -1}, created(7, -1)},
		{&pb.WatchCreateRequest{Key: []byte("a"), WatchId: 1}, created(7, 1)},
		{&pb.WatchCreateRequest{Key: []byte("b")}, created(7, 2)},
		{&pb.WatchCreateRequest{Key: []byte("b"), WatchId: 1},
			refused(7, "mvcc: duplicate watch ID provided on the WatchStream")},
		{&pb.WatchCreateRequest{Key: []byte("b"), RangeEnd: []byte("a"), StartRevision: -3},
			refused(7, "etcdserver: mvcc: required revision has been compacted")},
		{&pb.WatchCreateRequest{Key: []byte("b"), RangeEnd: []byte("b")},
			refused(7, "mvcc: watcher range is empty")},
		{&pb.WatchCreateRequest{RangeEnd: []byte{0}, WatchId: 77}, created(7, 77)},
		{&pb.WatchCreateRequest{Key: []byte("a"), StartRevision: 100, WatchId: 78}, created(7, 78)},
	} {
		expect(t, c.create(request.create), request.reply)
	}
	expect(t, c.askProgress())
	expect(t, c.settle(t)) // one starts in the future

	c.do(write{"a", "x"})
	a := c.events[6]
	a = &mvccpb.Event{Kv: a.Kv}
	expect(t, c.settle(t), told(8, -1, a), told(8, 0, a), told(8, 1, a), told(8, 77, a))

	expect(t, c.cancelWatch(78), canceled(8, 78))
	expect(t, c.askProgress())
	expect(t, c.settle(t), told(8, -1))
	expect(t, c.cancelWatch(5))
	expect(t, c.cancelWatch(-1), canceled(8, -1))
	expect(t, c.cancelWatch(77), canceled(8, 77))
	expect(t, c.cancelWatch(77))
	expect(t, c.create(&pb.WatchCreateRequest{Key: []byte("z"), WatchId: 77}), created(8, 77))
}

// A watch that begins before the compaction is created and then cancelled. Its ID lives on until
// the client cancels it, as in etcd; unlike in etcd, it keeps nobody from hearing of progress.
func TestCompactedStart(t *testing.T) {
	c := newClient(t, Options{})
	for range 8 {
		c.do(write{"a", "v"})
	}
	if err := c.store.Compact(5); err != nil {
		t.Fatal(err)
	}
	key := []byte("a")
	expect(t, c.create(&pb.WatchCreateRequest{Key: key, StartRevision: 4}), created(9, 0))
	gone := &pb.WatchResponse{Header: at(0), Canceled: true, CompactRevision: 5}
	expect(t, c.settle(t), gone)
	expect(t, c.create(&pb.WatchCreateRequest{Key: key, StartRevision: 9}), created(9, 1))
	expect(t, c.settle(t), told(9, 1, &mvccpb.Event{Kv: c.events[7].Kv}))
	expect(t, c.askProgress())
	expect(t, c.settle(t), told(9, -1))
	expect(t, c.cancelWatch(0), canceled(9, 0))
	expect(t, c.cancelWatch(0))
}

// At the very revision of a compaction a watch may begin. What was before is not known any more,
// but what happened then is, even if it was a delete.
func TestStartAtTheCompaction(t *testing.T) {
	c := newClient(t, Options{})
	c.do(write{"a", "1"}, write{"b", "1"})
	c.do(write{"a", ""})
	c.do(write{"b", "2"})
	if err := c.store.Compact(3); err != nil {
		t.Fatal(err)
	}
	r := &pb.WatchCreateRequest{
		Key: []byte("a"), RangeEnd: []byte{0}, StartRevision: 3, PrevKv: true,
	}
	expect(t, c.create(r), created(4, 0))
	expect(t, c.settle(t), told(4, 0,
		&mvccpb.Event{Type: mvccpb.Event_DELETE, Kv: &mvccpb.KeyValue{
			Key: []byte("a"), ModRevision: 3,
		}},
		c.events[3]))
}

// Who has fallen behind the compaction is cancelled, whether it read history or listened; who has
// seen all before it goes on, and so does a watch that only waits for the future.
func TestCompactionOvertakes(t *testing.T) {
	c := newClient(t, Options{StepBytes: 1})
	key, end := []byte("a"), []byte("b")
	c.do(write{"a", "v"})
	expect(t, c.create(&pb.WatchCreateRequest{Key: key}), created(2, 0))
	expect(t, c.create(&pb.WatchCreateRequest{Key: key, RangeEnd: end, StartRevision: 1}),
		created(2, 1))
	expect(t, c.create(&pb.WatchCreateRequest{Key: key, StartRevision: 6}), created(2, 2))
	for range 4 {
		c.do(write{"a", "v"})
	}
	if err := c.store.Compact(4); err != nil {
		t.Fatal(err)
	}
	expect(t, c.settle(t),
		&pb.WatchResponse{Header: at(0), Canceled: true, CompactRevision: 4},
		&pb.WatchResponse{Header: at(0), WatchId: 1, Canceled: true, CompactRevision: 4},
		told(6, 2, &mvccpb.Event{Kv: c.events[4].Kv}))
	if err := c.store.Compact(6); err != nil {
		t.Fatal(err)
	}
	c.do(write{"a", "v"})
	expect(t, c.settle(t), told(7, 2, &mvccpb.Event{Kv: c.events[5].Kv}))
}

// A watch that reads a long history does not keep the others waiting.
func TestNewsDoNotWaitForHistory(t *testing.T) {
	c := newClient(t, Options{StepBytes: 100, BatchBytes: 1})
	for range 50 {
		c.do(write{"a", strings.Repeat("v", 50)})
	}
	for _, r := range []*pb.WatchCreateRequest{
		{Key: []byte("a"), StartRevision: 1},                         // by the history of the key
		{Key: []byte("a"), RangeEnd: []byte("c"), StartRevision: 1},  // by a pass over history
		{Key: []byte("a"), RangeEnd: []byte("b"), StartRevision: 20}, // which will join that
		{Key: []byte("n")},
	} {
		c.create(r)
	}
	news := c.do(write{"n", "v"})
	responses, more := c.step(t)
	if !more {
		t.Fatal("50 events in one step")
	}
	heard := map[int64]int{}
	for _, r := range responses {
		heard[r.WatchId] += len(r.Events)
	}
	if heard[3] != 1 || heard[0] == 0 || heard[0] > 3 || heard[1] == 0 || heard[1] > 3 {
		t.Errorf("after one step the watches heard %v events", heard)
	}
	for _, r := range c.settle(t) {
		heard[r.WatchId] += len(r.Events)
	}
	if heard[0] != 50 || heard[1] != 50 || heard[2] != 32 {
		t.Errorf("in the end the watches heard %v events, at %d", heard, news)
	}
}

// Fragments are smaller than the bound and say that more follows, but for the last; an event is
// never split, however large, and nothing is for those who did not ask.
func TestFragments(t *testing.T) {
	c := newClient(t, Options{FragmentBytes: 1000})
	for i, fragment := range []bool{true, false} {
		c.create(&pb.WatchCreateRequest{
			Key: []byte("a"), RangeEnd: []byte("z"), Fragment: fragment, WatchId: int64(i + 1),
		})
	}
	value := strings.Repeat("v", 300)
	c.do(write{"a", value}, write{"b", value}, write{"c", value},
		write{"d", strings.Repeat(value, 4)}, write{"e", value})
	var shape [][2]int // events, and whether more follow
	for _, r := range c.settle(t) {
		if r.WatchId == 2 {
			if len(r.Events) != 5 || r.Fragment {
				t.Errorf("unasked: %d events, fragment %v", len(r.Events), r.Fragment)
			}
			continue
		}
		more := 0
		if r.Fragment {
			more = 1
		}
		shape = append(shape, [2]int{len(r.Events), more})
		if size := proto.Size(r); size >= 1000 && len(r.Events) > 1 {
			t.Errorf("%d events of %d bytes", len(r.Events), size)
		}
	}
	want := [][2]int{{2, 1}, {1, 1}, {1, 1}, {1, 0}}
	if len(shape) != len(want) {
		t.Fatalf("got %v, want %v", shape, want)
	}
	for i := range want {
		if shape[i] != want[i] {
			t.Errorf("got %v, want %v", shape, want)
		}
	}
}

// The progress clock ticks from the first request on. A tick tells those who ask for it, unless
// they got events since the tick before, or have not begun.
func TestProgressNotifications(t *testing.T) {
	second := int64(time.Second)
	c := newClient(t, Options{ProgressInterval: time.Second})
	c.now = 5
	c.create(&pb.WatchCreateRequest{Key: []byte("n")})
	if wake := c.NextWake(); wake != 0 {
		t.Errorf("nobody asks for progress: wake at %d", wake)
	}
	c.now += 10*second + second/2
	for id, r := range []*pb.WatchCreateRequest{
		{Key: []byte("a"), ProgressNotify: true, WatchId: 1},
		{Key: []byte("b"), ProgressNotify: true, WatchId: 2},
		{Key: []byte("c"), ProgressNotify: true, StartRevision: 3, WatchId: 3},
	} {
		expect(t, c.create(r), created(1, int64(id+1)))
	}
	expect(t, c.settle(t)) // the ticks that nobody wanted are not made good
	if wake := c.NextWake(); wake != 5+11*second {
		t.Fatalf("wake at %d", wake)
	}
	c.do(write{"a", "v"})
	expect(t, c.settle(t), told(2, 1, &mvccpb.Event{Kv: c.events[0].Kv}))
	c.now = 5 + 11*second - 1
	expect(t, c.settle(t))
	c.now++
	expect(t, c.settle(t), told(2, 2))
	expect(t, c.settle(t))
	c.do(write{"b", "v"})
	b := told(3, 2, &mvccpb.Event{Kv: c.events[1].Kv})
	c.now += 3 * second // ticks that were missed are one
	expect(t, c.settle(t), b, told(3, 1), told(3, 3))
	if wake := c.NextWake(); wake != 5+15*second {
		t.Errorf("wake at %d", wake)
	}
}

// A tick tells nobody of revisions up to which it was not served yet, wherever it reads.
func TestNoProgressBeforeTheEvents(t *testing.T) {
	c := newClient(t, Options{ProgressInterval: time.Second, StepBytes: 1})
	c.do(write{"x", "v"})
	c.do(write{"x", "v"})
	for _, r := range []*pb.WatchCreateRequest{
		{Key: []byte("y"), RangeEnd: []byte("z"), StartRevision: 1, ProgressNotify: true},
		{Key: []byte("x"), StartRevision: 1},
		{Key: []byte("x"), RangeEnd: []byte("y"), StartRevision: 1},
		{Key: []byte("y"), ProgressNotify: true},
		{Key: []byte("x")},
	} {
		c.create(r)
	}
	for range 2 {
		c.do(write{"x", "v"})
	}
	// The listeners have two revisions to read, those along four.
	for step := 1; step <= 4; step++ {
		c.now += int64(time.Second)
		responses, more := c.step(t)
		if more != (step < 4) {
			t.Fatalf("step %d: more %v", step, more)
		}
		heard := map[int64]bool{}
		for _, r := range responses {
			heard[r.WatchId] = len(r.Events) == 0 || heard[r.WatchId]
		}
		if heard[0] != (step == 4) || heard[3] != (step > 1) {
			t.Errorf("step %d: told of progress %v", step, heard)
		}
	}
}

// A question for progress is answered when all have caught up, behind their events.
func TestQuestionForProgressWaitsForThoseBehind(t *testing.T) {
	c := newClient(t, Options{StepBytes: 1, BatchBytes: 1})
	expect(t, c.askProgress())
	expect(t, c.settle(t)) // nobody is there to be told
	for range 3 {
		c.do(write{"a", "v"})
	}
	expect(t, c.create(&pb.WatchCreateRequest{Key: []byte("a"), StartRevision: 2}), created(4, 0))
	expect(t, c.askProgress())
	expect(t, c.settle(t),
		told(2, 0, &mvccpb.Event{Kv: c.events[0].Kv}),
		told(3, 0, &mvccpb.Event{Kv: c.events[1].Kv}),
		told(4, 0, &mvccpb.Event{Kv: c.events[2].Kv}),
		told(4, -1))
	expect(t, c.settle(t))
}
