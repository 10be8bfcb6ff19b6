package sim

import (
	"bytes"
	"fmt"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"
)

// watcher is a client that wants every change of some keys, for as long as the run lasts: it
// connects again, to any member, behind the last revision that it has seen whole. It judges what it
// is told against the history that the members agree on: everything that it asked for, nothing
// else, in order, once, and the changes of a revision together.
type watcher struct {
	client *client
	stream *stream
	create *pb.WatchCreateRequest
	next   int64           // the first revision that it has not seen
	part   []*mvccpb.Event // of a response in fragments
	over   bool
	at     *member // where it was opened last
}

func newWatcher(c *client) *watcher {
	w := &watcher{client: c, next: 1, create: &pb.WatchCreateRequest{}}
	key, end := c.span()
	if c.chance(2) {
		key, end = []byte("k"), []byte("l")
	}
	r := w.create
	r.Key, r.RangeEnd = key, end
	r.PrevKv, r.Fragment, r.ProgressNotify = c.chance(2), c.chance(2), c.chance(2)
	if c.chance(6) {
		r.Filters = []pb.WatchCreateRequest_FilterType{
			pb.WatchCreateRequest_FilterType(c.random.IntN(2))}
	}
	if c.chance(2) {
		r.WatchId = 1 + c.random.Int64N(9)
	}
	c.world.after(between(c.random, 0, time.Second), w.connect)
	return w
}

// connect opens the watch at some member.
func (v *watcher) connect() {
	c := v.client
	w := c.world
	m := w.members[c.random.IntN(len(w.members))]
	retry := func() {
		w.after(between(c.random, 50*time.Millisecond, 500*time.Millisecond), v.connect)
	}
	if w.fates.clientCut[m.number]+w.fates.clientMute[m.number] > 0 {
		retry()
		return
	}
	create := proto.Clone(v.create).(*pb.WatchCreateRequest)
	create.StartRevision = v.next
	w.countFields(create)
	w.carry(m, c.random, func() {
		v.part = nil
		if m.paused {
			retry()
			return
		}
		v.sawOpened(m)
		m.openStream(v, create)
	}, func(error) { retry() })
}

func (v *watcher) disconnected(s *stream) {
	if v.stream != s {
		return
	}
	v.stream = nil
	c := v.client
	c.world.after(between(c.random, 10*time.Millisecond, 300*time.Millisecond), v.connect)
}

// wants says whether the watch asked for a change.
func (v *watcher) wants(e *mvccpb.Event) bool {
	r := v.create
	switch {
	case len(r.RangeEnd) == 0:
		if !bytes.Equal(e.Kv.Key, r.Key) {
			return false
		}
	case bytes.Compare(e.Kv.Key, r.Key) < 0:
		return false
	case !bytes.Equal(r.RangeEnd, []byte{0}) && bytes.Compare(e.Kv.Key, r.RangeEnd) >= 0:
		return false
	}
	for _, filter := range r.Filters {
		if filter == pb.WatchCreateRequest_NOPUT && e.Type == mvccpb.Event_PUT ||
			filter == pb.WatchCreateRequest_NODELETE && e.Type == mvccpb.Event_DELETE {
			return false
		}
	}
	return true
}

// receive judges one response.
func (v *watcher) receive(r *pb.WatchResponse) {
	w := v.client.world
	w.event(eventWatch, 0, uint64(v.client.number), uint64(len(r.Events)), func() string {
		return fmt.Sprintf("the watch of client %d hears %d changes, revision %d",
			v.client.number, len(r.Events), r.GetHeader().GetRevision())
	})
	v.sawWatch(r)
	w.judge.highest = max(w.judge.highest, r.GetHeader().GetRevision())
	switch {
	case r.Canceled:
		v.canceled(r)
	case r.Created:
	case r.Fragment:
		v.part = append(v.part, r.Events...)
	case len(r.Events) > 0 || len(v.part) > 0:
		events := append(v.part, r.Events...)
		v.part = nil
		w.judge.watchSeen += uint64(len(events))
		v.compare(events)
	default:
		v.complete(r.GetHeader().GetRevision())
	}
}

func (v *watcher) canceled(r *pb.WatchResponse) {
	j := &v.client.world.judge
	if r.CompactRevision == 0 {
		j.fail("the watch of client %d was canceled: %s", v.client.number, r.CancelReason)
		return
	}
	if r.CompactRevision < v.next {
		j.fail("the watch of client %d at revision %d was canceled for a compaction at %d",
			v.client.number, v.next, r.CompactRevision)
	}
	v.next = r.CompactRevision
	v.stream.broken()
}

// compare takes changes: the revisions they are of must be told whole, and all before them.
func (v *watcher) compare(events []*mvccpb.Event) {
	for len(events) > 0 {
		revision := events[0].Kv.ModRevision
		count := 1
		for count < len(events) && events[count].Kv.ModRevision == revision {
			count++
		}
		v.compareRevision(revision, events[:count])
		events = events[count:]
	}
}

func (v *watcher) compareRevision(revision int64, events []*mvccpb.Event) {
	j := &v.client.world.judge
	if revision < v.next {
		j.fail("the watch of client %d was told revision %d again, after %d",
			v.client.number, revision, v.next-1)
		return
	}
	v.complete(revision - 1)
	if j.history.gaps[revision] {
		v.next = revision + 1
		return
	}
	i := 0
	for _, want := range j.history.of(revision) {
		if !v.wants(want) {
			continue
		}
		if i >= len(events) || !v.same(events[i], want) {
			j.fail("the watch of client %d was told %v of revision %d, which is %v (before: %v)",
				v.client.number, events[i:], revision, want, j.history.before[want])
			return
		}
		i++
	}
	if i < len(events) {
		j.fail("the watch of client %d was told %s, which did not happen",
			v.client.number, eventText2(events[i]))
	}
	v.next = revision + 1
}

func (v *watcher) same(got, want *mvccpb.Event) bool {
	if got.Type != want.Type || !proto.Equal(got.Kv, want.Kv) {
		return false
	}
	if got.PrevKv == nil {
		return true
	}
	before := v.client.world.judge.history.before[want]
	for before != nil && before.Kv.ModRevision == want.Kv.ModRevision {
		before = v.client.world.judge.history.before[before]
	}
	return v.create.PrevKv && before != nil && before.Type == mvccpb.Event_PUT &&
		proto.Equal(got.PrevKv, before.Kv)
}

func eventText2(e *mvccpb.Event) string {
	return fmt.Sprintf("%v %s = %.20q", e.Type, e.Kv.Key, e.Kv.Value)
}

// complete is told that the watch has seen everything up to a revision.
func (v *watcher) complete(revision int64) {
	j := &v.client.world.judge
	for ; v.next <= revision; v.next++ {
		for _, e := range j.history.of(v.next) {
			if v.wants(e) {
				j.fail("the watch of client %d was told of revision %d but not of revision %d: %s",
					v.client.number, revision, v.next, eventText2(e))
				return
			}
		}
	}
}

// waitsFor returns the first revision that it should have been told of by now; 0: there is none.
func (v *watcher) waitsFor(revision int64) int64 {
	for r := v.next; r <= revision; r++ {
		for _, e := range v.client.world.judge.history.of(r) {
			if v.wants(e) {
				return r
			}
		}
	}
	return 0
}
