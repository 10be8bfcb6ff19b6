package watch

import (
	"fmt"
	"slices"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

// A promise is what one watch was told so far, and so what it still has to be told.
type promise struct {
	request   *pb.WatchCreateRequest
	covered   int64           // it was told all up to this revision
	fragments []*mvccpb.Event // of a response that is not complete
	over      bool            // by compaction
}

// A model plays a client that knows the whole history, and judges each response by it.
type model struct {
	*client
	watches map[int64]*promise
	nextID  int64
	asked   bool // and no answer came yet

	board *Board // nil: the stream wakes by itself
	awake bool   // there is something to do
}

const (
	modelStep     = 300
	modelBatch    = 700
	modelBudget   = 10_000
	modelFragment = 400
)

// TestEveryWatchGetsExactlyItsHistory does random things to a store and to a stream. Whatever comes
// out must be, watch by watch, the next piece of the history that the watch asked for: filtered,
// ordered, unique, without a gap, with revisions and previous values whole, and never ahead of the
// revision in a header. When there is no more, nothing may be missing.
func TestEveryWatchGetsExactlyItsHistory(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { newModel(t).run(t) })
}

// TestABoardWakesInTime is the same for a stream that sleeps until a board calls it.
func TestABoardWakesInTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t)
		m.board = NewBoard(m.store.Revision())
		m.board.Enter(m.Stream)
		other := NewStream(Options{}) // with whose watches the board must not confuse those of m
		m.board.Enter(other)
		request := createRequest(&pb.WatchCreateRequest{Key: []byte("b"), RangeEnd: []byte{0}})
		other.Request(request, m.store.View(), 0)
		m.board.Sync(other)
		m.run(t)
		m.board.Leave(m.Stream)
		m.Close()
		if left := m.options.Budget.left.Load(); left != modelBudget {
			t.Fatalf("%d bytes are left of the budget", left)
		}
		if n := len(m.board.index.ranges); n != 1 || len(m.board.index.points) > 0 {
			t.Fatalf("%d ranges and %v are left", n, m.board.index.points)
		}
	})
}

func newModel(t *rapid.T) *model {
	return &model{
		client: newClient(t, Options{
			StepBytes: modelStep, FragmentBytes: modelFragment, ProgressInterval: time.Second,
			BatchBytes: modelBatch, Budget: NewBudget(modelBudget),
		}),
		watches: make(map[int64]*promise),
	}
}

func (m *model) run(t *rapid.T) {
	t.Repeat(map[string]func(*rapid.T){
		"write":    m.write,
		"write2":   m.write,
		"write3":   m.write,
		"compact":  m.compact,
		"create":   m.createAny,
		"cancel":   m.cancelAny,
		"progress": m.askAny,
		"look":     func(*rapid.T) { m.look() },
		"step":     m.stepOnce,
		"settle":   m.settleAll,
		"sleep": func(t *rapid.T) {
			m.now += rapid.Int64Range(0, int64(2*time.Second)).Draw(t, "nanoseconds")
		},
		"": func(t *rapid.T) {
			if err := m.valid(); err != nil {
				t.Fatal(err)
			}
		},
	})
	m.settleAll(t)
}

var keys = []string{"a", "aa", "b", "c", "d"}

func (m *model) write(t *rapid.T) {
	var writes []write
	for _, key := range keys {
		switch rapid.IntRange(0, 5).Draw(t, key) {
		case 0:
			writes = append(writes, write{key: key})
		case 1, 2:
			size := rapid.IntRange(1, 150).Draw(t, "size")
			writes = append(writes, write{key, fmt.Sprintf("%0*d", size, len(m.events))})
		}
	}
	m.do(writes...)
}

func (m *model) compact(t *rapid.T) {
	lowest := max(m.store.Compacted()+1, 1)
	if lowest > m.store.Revision() {
		t.Skip("nothing to compact")
	}
	revision := rapid.Int64Range(lowest, m.store.Revision()).Draw(t, "revision")
	if err := m.store.Compact(revision); err != nil {
		t.Fatal(err)
	}
}

func (m *model) createAny(t *rapid.T) {
	end := append([]string{"", "", "\x00"}, keys...)
	r := &pb.WatchCreateRequest{
		Key:            []byte(rapid.SampledFrom(keys).Draw(t, "key")),
		RangeEnd:       []byte(rapid.SampledFrom(end).Draw(t, "end")),
		PrevKv:         rapid.Bool().Draw(t, "prev"),
		Fragment:       rapid.Bool().Draw(t, "fragment"),
		ProgressNotify: rapid.Bool().Draw(t, "notify"),
		WatchId:        rapid.SampledFrom([]int64{0, 0, 0, 1, 2, 7}).Draw(t, "id"),
	}
	if rapid.Bool().Draw(t, "past") {
		r.StartRevision = rapid.Int64Range(-1, m.store.Revision()+3).Draw(t, "start")
	}
	for _, filter := range []pb.WatchCreateRequest_FilterType{0, 1} {
		if rapid.IntRange(0, 5).Draw(t, filter.String()) == 0 {
			r.Filters = append(r.Filters, filter)
		}
	}
	m.awake = true
	got := m.create(proto.CloneOf(r))
	if len(got) != 1 || !got[0].Created || got[0].Header.Revision != m.store.Revision() {
		t.Fatalf("created %v: %v", r, got)
	}
	taken := m.watches[r.WatchId] != nil && r.WatchId != 0
	empty := len(r.RangeEnd) > 0 && string(r.RangeEnd) != "\x00" &&
		string(r.RangeEnd) <= string(r.Key)
	if refused := taken || empty || r.StartRevision < 0; refused != got[0].Canceled {
		t.Fatalf("created %v: %v", r, got[0])
	} else if refused {
		return
	}
	want := r.WatchId
	if want == 0 {
		for m.watches[m.nextID] != nil {
			m.nextID++
		}
		want = m.nextID
		m.nextID++
	}
	if got[0].WatchId != want {
		t.Fatalf("created %v: %v, want ID %d", r, got[0], want)
	}
	p := &promise{request: r, covered: r.StartRevision - 1}
	if r.StartRevision == 0 {
		p.covered = m.store.Revision()
	}
	m.watches[want] = p
}

func (m *model) cancelAny(t *rapid.T) {
	id := rapid.Int64Range(0, 8).Draw(t, "id")
	got := m.cancelWatch(id)
	if m.watches[id] == nil {
		if len(got) > 0 {
			t.Fatalf("cancelled %d, which is none: %v", id, got)
		}
		return
	}
	delete(m.watches, id)
	want := &pb.WatchResponse{Header: at(m.store.Revision()), WatchId: id, Canceled: true}
	if len(got) != 1 || !proto.Equal(got[0], want) {
		t.Fatalf("cancelled %d: %v", id, got)
	}
}

func (m *model) askAny(t *rapid.T) {
	m.awake = true
	m.asked = len(m.watches) > 0
	if got := m.askProgress(); len(got) > 0 {
		t.Fatalf("answered before a step: %v", got)
	}
}

// look has the board look at what is new.
func (m *model) look() (more bool) {
	if m.board == nil {
		return false
	}
	called, more := m.board.Look(m.store.View())
	m.awake = m.awake || slices.Contains(called, m.Stream)
	return more
}

func (m *model) stepOnce(t *rapid.T) {
	if m.board != nil {
		m.board.Sync(m.Stream)
	}
	responses, more := m.step(t)
	m.awake = more
	answered := false
	for _, r := range responses {
		if r.WatchId == noID {
			answered = true
		}
		m.judge(t, r)
	}
	if answered != (m.asked && !more && m.allBegan()) {
		t.Fatalf("asked %v, more %v, answered %v", m.asked, more, answered)
	}
	if !more {
		m.asked = false
	}
}

// settleAll goes on until the stream would sleep. Then it must have told everything.
func (m *model) settleAll(t *rapid.T) {
	for m.look() {
	}
	for m.awake || m.board == nil {
		m.stepOnce(t)
		if !m.awake {
			break
		}
	}
	for id, p := range m.watches {
		if !p.over {
			m.mustHaveAll(t, id, m.store.Revision())
		}
	}
}

// allBegan tells whether there are watches, and none that starts in the future.
func (m *model) allBegan() bool {
	some := false
	for _, p := range m.watches {
		if !p.over && p.request.StartRevision > m.store.Revision() {
			return false
		}
		some = some || !p.over
	}
	return some
}

// mustHaveAll fails when a watch was not told of something up to a revision.
func (m *model) mustHaveAll(t *rapid.T, id, revision int64) {
	p := m.watches[id]
	if due := m.due(p.request, p.covered, revision); len(due) > 0 || p.fragments != nil {
		t.Fatalf("watch %d, told up to %d, lacks %v and %d fragments, at %d",
			id, p.covered, due, len(p.fragments), revision)
	}
	p.covered = max(p.covered, revision)
}

func (m *model) judge(t *rapid.T, r *pb.WatchResponse) {
	if r.WatchId == noID {
		for id, p := range m.watches {
			if !p.over {
				m.mustHaveAll(t, id, r.Header.Revision)
			}
		}
		return
	}
	p := m.watches[r.WatchId]
	if p == nil || p.over || r.Created {
		t.Fatalf("for no watch: %v", r)
	}
	switch {
	case r.Canceled:
		p.over = true
		if r.CompactRevision != m.store.Compacted() || p.covered+1 >= r.CompactRevision ||
			r.Header.Revision != 0 || p.fragments != nil || len(r.Events) > 0 {
			t.Fatalf("told up to %d and cancelled: %v", p.covered, r)
		}
	case len(r.Events) == 0:
		if !p.request.ProgressNotify || p.request.StartRevision > r.Header.Revision {
			t.Fatalf("unwanted progress: %v", r)
		}
		m.mustHaveAll(t, r.WatchId, r.Header.Revision)
	default:
		m.judgeEvents(t, p, r)
	}
}

func (m *model) judgeEvents(t *rapid.T, p *promise, r *pb.WatchResponse) {
	if size := proto.Size(r); p.request.Fragment && len(r.Events) > 1 && size >= modelFragment {
		t.Fatalf("a fragment of %d bytes", size)
	}
	p.fragments = append(p.fragments, r.Events...)
	if r.Fragment {
		if !p.request.Fragment {
			t.Fatalf("watch %d wants no fragments", r.WatchId)
		}
		return
	}
	want := m.due(p.request, p.covered, r.Header.Revision)
	got := p.fragments
	p.covered, p.fragments = r.Header.Revision, nil
	if len(got) != len(want) {
		t.Fatalf("watch %d: got %d events, want %d:\n%v\n%v", r.WatchId, len(got), len(want), got, want)
	}
	size, last := 0, want[len(want)-1].Kv.ModRevision
	for i := range got {
		if !proto.Equal(got[i], want[i]) && !m.gatheredBefore(p.request, got[i]) {
			t.Fatalf("watch %d: got %v, want %v", r.WatchId, got[i], want[i])
		}
		if got[i].Kv.ModRevision < last {
			size += eventBytes(got[i])
		}
	}
	if size >= modelBatch+modelStep {
		t.Fatalf("a response of %d bytes before its last revision", size)
	}
}

// gatheredBefore tells whether an event has what it replaced although that is compacted now: it was
// gathered when it was not.
func (m *model) gatheredBefore(r *pb.WatchCreateRequest, got *mvccpb.Event) bool {
	return r.PrevKv && got.Kv.ModRevision-1 < m.store.Compacted() &&
		slices.ContainsFunc(m.events, func(e *mvccpb.Event) bool { return proto.Equal(e, got) })
}
