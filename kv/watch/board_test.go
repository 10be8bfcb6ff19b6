package watch

import (
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// A stream sleeps while other keys change, and its place stays far back. When it wakes after a
// compaction, for a new watch of the future or of the past, the watch that slept has missed nothing
// and is not cancelled.
func TestWhoSleptIsNotCompacted(t *testing.T) {
	for _, start := range []int64{0, 1, 3, 4} {
		c := newClient(t, Options{})
		board := NewBoard(c.store.Revision())
		board.Enter(c.Stream)
		expect(t, c.create(&pb.WatchCreateRequest{Key: []byte("a")}), created(1, 0))
		board.Sync(c.Stream)
		expect(t, c.settle(t))
		for range 3 {
			c.do(write{"other", "v"})
			if called, _ := board.Look(c.store.View()); len(called) > 0 {
				t.Fatal("called for another key")
			}
		}
		c.do(write{"other", "v"}) // the board did not look at this yet
		if err := c.store.Compact(5); err != nil {
			t.Fatal(err)
		}
		r := &pb.WatchCreateRequest{Key: []byte("a"), StartRevision: start}
		expect(t, c.create(r), created(5, 1))
		board.Sync(c.Stream)
		if start == 0 {
			expect(t, c.settle(t))
			continue
		}
		expect(t, c.settle(t),
			&pb.WatchResponse{Header: at(0), WatchId: 1, Canceled: true, CompactRevision: 5})
	}
}

// A board calls each stream once, whatever happens, until the stream has come; and only for its own
// keys, those it has now.
func TestBoardCallsOnce(t *testing.T) {
	c := newClient(t, Options{})
	board := NewBoard(c.store.Revision())
	board.Enter(c.Stream)
	other := NewStream(Options{})
	board.Enter(other)
	c.create(&pb.WatchCreateRequest{Key: []byte("a"), RangeEnd: []byte("c")})
	board.Sync(c.Stream)
	look := func(want ...*Stream) {
		t.Helper()
		called, more := board.Look(c.store.View())
		if len(called) != len(want) || more {
			t.Fatalf("%d called, more %v", len(called), more)
		}
		for i := range want {
			if called[i] != want[i] {
				t.Fatalf("another stream was called")
			}
		}
	}
	look()
	c.do(write{"b", "v"}, write{"a", "v"})
	look(c.Stream)
	c.do(write{"b", "v"})
	look()
	board.Sync(c.Stream)
	c.settle(t)
	c.do(write{"b", "v"})
	look(c.Stream)
	c.cancelWatch(0)
	board.Sync(c.Stream)
	c.do(write{"b", "v"})
	look()
	other.Request(createRequest(&pb.WatchCreateRequest{Key: []byte("b")}), c.store.View(), 0)
	board.Sync(other)
	c.do(write{"b", "v"})
	look(other)
	board.Leave(other)
	c.do(write{"b", "v"})
	look()
}

// What a board cannot read may concern everybody.
func TestBoardBehindTheCompactionCallsAll(t *testing.T) {
	c := newClient(t, Options{})
	board := NewBoard(c.store.Revision())
	board.Enter(c.Stream)
	c.create(&pb.WatchCreateRequest{Key: []byte("a")})
	board.Sync(c.Stream)
	for range 3 {
		c.do(write{"b", "v"})
	}
	if err := c.store.Compact(4); err != nil {
		t.Fatal(err)
	}
	if called, _ := board.Look(c.store.View()); len(called) != 1 {
		t.Fatalf("%d called", len(called))
	}
	board.Sync(c.Stream)
	expect(t, c.settle(t), &pb.WatchResponse{Header: at(0), Canceled: true, CompactRevision: 4})
}
