package watch

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// shape is how many events each response for a watch has; those of a revision must be together.
func shape(t *testing.T, responses []*pb.WatchResponse, id int64) (events []int) {
	t.Helper()
	last := int64(0)
	for _, r := range responses {
		if r.WatchId != id {
			continue
		}
		for _, e := range r.Events {
			if e.Kv.ModRevision <= last {
				t.Fatalf("revision %d after %d was told of", e.Kv.ModRevision, last)
			}
		}
		if n := len(r.Events); n > 0 {
			last = r.Events[n-1].Kv.ModRevision
			if last > r.Header.Revision {
				t.Fatalf("an event of revision %d in a response of %d", last, r.Header.Revision)
			}
		}
		events = append(events, len(r.Events))
	}
	return events
}

// What there is to catch up on comes in one response, also when it takes many steps to read it.
func TestHistoryComesInOneResponse(t *testing.T) {
	for _, end := range []string{"", "b"} {
		c := newClient(t, Options{})
		for range 10 {
			c.do(write{"a", strings.Repeat("v", 1<<20)})
		}
		c.create(&pb.WatchCreateRequest{Key: []byte("a"), RangeEnd: []byte(end), StartRevision: 1})
		first, more := c.step(t)
		if watches, events := c.Waiting(); watches != 1 || events < 1 || events > 2 {
			t.Errorf("%d watches wait for %d events", watches, events)
		}
		if len(first) > 0 || !more {
			t.Errorf("one step told of %d events, more %v", len(first[0].Events), more)
		}
		if got := shape(t, c.settle(t), 0); !slices.Equal(got, []int{10}) {
			t.Errorf("to %q: responses of %v events", end, got)
		}
	}
}

// A response has a thousand revisions at most, as etcd's, however many there are in between; and
// who listens is told of each step at once.
func TestAResponseHasAThousandRevisions(t *testing.T) {
	c := newClient(t, Options{})
	for i := range 2500 {
		c.do(write{"a", fmt.Sprint(i)})
		c.do(write{"x", "v"})
		c.do(write{"y", "v"})
	}
	for _, r := range []*pb.WatchCreateRequest{
		{Key: []byte("a"), WatchId: 1, StartRevision: 1},
		{Key: []byte("a"), RangeEnd: []byte("b"), WatchId: 2, StartRevision: 1},
		{Key: []byte("a"), RangeEnd: []byte("b"), WatchId: 3, StartRevision: 4502}, // 1000 from the end
	} {
		c.create(r)
	}
	all := c.settle(t)
	for id, want := range map[int64][]int{1: {1000, 1000, 500}, 2: {1000, 1000, 500}, 3: {1000}} {
		if got := shape(t, all, id); !slices.Equal(got, want) {
			t.Errorf("watch %d: responses of %v events, want %v", id, got, want)
		}
	}
}

// What a stream gathers is bounded, and so is what all streams do: then there are more responses.
func TestWhatIsGatheredIsBounded(t *testing.T) {
	const value, step = 1000, 3000
	budget := NewBudget(8000)
	c := newClient(t, Options{StepBytes: step, Budget: budget})
	for range 30 {
		c.do(write{"a", strings.Repeat("v", value)})
	}
	other := &client{Stream: NewStream(c.options), world: c.world}
	small := &client{Stream: NewStream(Options{StepBytes: step, BatchBytes: 8000}), world: c.world}
	for _, one := range []*client{c, other, small} {
		one.create(&pb.WatchCreateRequest{Key: []byte("a"), StartRevision: 1})
	}
	c.step(t)
	c.step(t) // it holds six events now, three of them of the budget
	if left := budget.left.Load(); left > 8000-3*value || left < 8000-4*value {
		t.Fatalf("%d bytes are left of the budget", left)
	}
	if got := shape(t, other.settle(t), 0); !slices.Equal(got, []int{9, 9, 9, 3}) {
		t.Errorf("the other stream got %v events a response: it may hold two more steps", got)
	}
	if got := shape(t, c.settle(t), 0); !slices.Equal(got, []int{12, 12, 6}) {
		t.Errorf("alone, %v events a response", got)
	}
	if got := shape(t, small.settle(t), 0); !slices.Equal(got, []int{9, 9, 9, 3}) {
		t.Errorf("bounded by itself, %v events a response", got)
	}
	other.Close()
	c.step(t)
	if left := budget.left.Load(); left != 8000 {
		t.Errorf("%d bytes are left of the budget when all was sent", left)
	}
}

// Who leaves or is overtaken by a compaction while events are gathered for it gives them up, or is
// told them first.
func TestWhatIsGatheredIsNotForgotten(t *testing.T) {
	budget := NewBudget(1 << 20)
	c := newClient(t, Options{StepBytes: 100, Budget: budget})
	for range 20 {
		c.do(write{"a", strings.Repeat("v", 100)})
	}
	for id, end := range []string{"", "b"} {
		c.create(&pb.WatchCreateRequest{
			Key: []byte("a"), RangeEnd: []byte(end), StartRevision: 1, WatchId: int64(id + 1),
		})
	}
	for range 4 {
		if responses, more := c.step(t); len(responses) > 0 || !more {
			t.Fatalf("%d responses, more %v", len(responses), more)
		}
	}
	expect(t, c.cancelWatch(1), canceled(21, 1))
	if err := c.store.Compact(20); err != nil {
		t.Fatal(err)
	}
	all := c.settle(t)
	if got := shape(t, all, 2); len(got) != 2 || got[0] == 0 || got[1] != 0 || !all[1].Canceled {
		t.Errorf("overtaken by a compaction: %v events", got)
	}
	c.step(t)
	if left := budget.left.Load(); left != 1<<20 || c.gathered != 0 {
		t.Errorf("%d bytes are left of the budget, %d are gathered", left, c.gathered)
	}
}
