package watch

import (
	"fmt"
	"slices"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"

	"detcd/kv/mvcc"
	"detcd/storage/vfs"
)

// A world is a real store, and a naive list of all that ever happened in it.
type world struct {
	store  *mvcc.Store
	events []*mvccpb.Event // with what each replaced
	keys   map[string]*mvccpb.KeyValue
}

type failer interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

func newWorld(t failer) *world {
	t.Helper()
	w := &world{store: mvcc.New(mvcc.Options{}), keys: make(map[string]*mvccpb.KeyValue)}
	if err := w.store.Restore(vfs.NewMemory(), "archive", nil, nil, nil); err != nil {
		t.Fatal(err)
	}
	return w
}

// A write is a put, or without a value a delete of one key.
type write struct{ key, value string }

// do executes writes as one transaction and gives its revision.
func (w *world) do(writes ...write) int64 {
	txn := w.store.Begin()
	revision := w.store.Revision() + 1
	for _, op := range writes {
		before := w.keys[op.key]
		if op.value == "" {
			txn.DeleteRange([]byte(op.key), nil)
			if before == nil {
				continue
			}
			delete(w.keys, op.key)
			w.events = append(w.events, &mvccpb.Event{
				Type:   mvccpb.Event_DELETE,
				Kv:     &mvccpb.KeyValue{Key: []byte(op.key), ModRevision: revision},
				PrevKv: before,
			})
			continue
		}
		txn.Put([]byte(op.key), []byte(op.value), 0)
		now := &mvccpb.KeyValue{
			Key: []byte(op.key), Value: []byte(op.value),
			CreateRevision: revision, ModRevision: revision, Version: 1,
		}
		if before != nil {
			now.CreateRevision, now.Version = before.CreateRevision, before.Version+1
		}
		w.keys[op.key] = now
		w.events = append(w.events, &mvccpb.Event{Kv: now, PrevKv: before})
	}
	return txn.End()
}

// due is what a watch of these wishes must be told of the revisions in (after, to], when the store
// is compacted as it is now.
func (w *world) due(r *pb.WatchCreateRequest, after, to int64) []*mvccpb.Event {
	var due []*mvccpb.Event
	for _, e := range w.events {
		revision := e.Kv.ModRevision
		if revision <= after || revision > to || !naiveWants(r, e) {
			continue
		}
		told := &mvccpb.Event{Type: e.Type, Kv: e.Kv}
		if r.PrevKv && revision-1 >= w.store.Compacted() {
			told.PrevKv = e.PrevKv
		}
		due = append(due, told)
	}
	return due
}

func naiveWants(r *pb.WatchCreateRequest, e *mvccpb.Event) bool {
	for _, filter := range r.Filters {
		if filter == pb.WatchCreateRequest_NOPUT && e.Type == mvccpb.Event_PUT ||
			filter == pb.WatchCreateRequest_NODELETE && e.Type == mvccpb.Event_DELETE {
			return false
		}
	}
	key, end, sought := string(r.Key), string(r.RangeEnd), string(e.Kv.Key)
	switch end {
	case "":
		return key == sought
	case "\x00":
		return key <= sought
	}
	return key <= sought && sought < end
}

// client is a stream and the requests that it is sent.
type client struct {
	*Stream
	*world
	now int64
}

func createRequest(r *pb.WatchCreateRequest) *pb.WatchRequest {
	union := &pb.WatchRequest_CreateRequest{CreateRequest: r}
	return &pb.WatchRequest{RequestUnion: union}
}

func (c *client) create(r *pb.WatchCreateRequest) []*pb.WatchResponse {
	c.Request(createRequest(r), c.store.View(), c.now)
	return c.Take()
}

func (c *client) cancelWatch(id int64) []*pb.WatchResponse {
	union := &pb.WatchRequest_CancelRequest{CancelRequest: &pb.WatchCancelRequest{WatchId: id}}
	c.Request(&pb.WatchRequest{RequestUnion: union}, c.store.View(), c.now)
	return c.Take()
}

func (c *client) askProgress() []*pb.WatchResponse {
	union := &pb.WatchRequest_ProgressRequest{ProgressRequest: &pb.WatchProgressRequest{}}
	c.Request(&pb.WatchRequest{RequestUnion: union}, c.store.View(), c.now)
	return c.Take()
}

// step goes one step and gives what came of it.
func (c *client) step(t failer) (responses []*pb.WatchResponse, more bool) {
	t.Helper()
	more, err := c.Step(c.store.View(), c.now)
	if err != nil {
		t.Fatal(err)
	}
	return c.Take(), more
}

// settle steps until there is no more.
func (c *client) settle(t failer) (responses []*pb.WatchResponse) {
	t.Helper()
	for {
		some, more := c.step(t)
		responses = append(responses, some...)
		if !more {
			return responses
		}
	}
}

func newClient(t failer, options Options) *client {
	t.Helper()
	return &client{Stream: NewStream(options), world: newWorld(t)}
}

// valid tests invariant 5; the others are about what goes out, and the model judges that.
func (s *Stream) valid() error {
	listeners, reporters, indexed := 0, 0, len(s.index.ranges)
	for _, all := range s.index.points {
		indexed += len(all)
	}
	for _, w := range s.watchers {
		known := slices.Contains(s.index.ranges, w) || slices.Contains(s.index.points[string(w.key)], w)
		late := slices.Contains(s.behind, w)
		if known != (w.place != over) || late != (w.place == along || w.place == alone) {
			return fmt.Errorf("watch %d at %d: in the index %v, behind %v", w.id, w.place, known, late)
		}
		if w.place == listening {
			listeners++
		}
		if w.place != over {
			indexed--
			if w.progress {
				reporters++
			}
		}
	}
	if listeners != s.listeners || reporters != s.reporters || indexed != 0 {
		return fmt.Errorf("%d listeners, not %d; %d reporters, not %d; %d strangers",
			listeners, s.listeners, reporters, s.reporters, indexed)
	}
	return nil
}

// expect compares responses with what they must be.
func expect(t *testing.T, got []*pb.WatchResponse, want ...*pb.WatchResponse) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(want):
			t.Errorf("response %d: got %v, want no more", i, got[i])
		case i >= len(got):
			t.Errorf("response %d: got none, want %v", i, want[i])
		case !proto.Equal(got[i], want[i]):
			t.Errorf("response %d:\n got %v\nwant %v", i, got[i], want[i])
		}
	}
}

func at(revision int64) *pb.ResponseHeader { return &pb.ResponseHeader{Revision: revision} }
