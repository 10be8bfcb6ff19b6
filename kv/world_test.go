package kv

import (
	"time"

	"google.golang.org/protobuf/proto"

	"detcd/storage/archive"
	"detcd/storage/vfs"
)

// testLimits are etcd's.
var testLimits = Limits{RequestBytesMax: 1536 * 1024, TxnOpsMax: 128, LeaseTTLMin: 2}

// fataler is a *testing.T or a *rapid.T.
type fataler interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// member is a cluster of one: a store, its disk, and a driver of calls for whom everything that is
// submitted is committed at once.
type member struct {
	t      fataler
	fs     *vfs.Memory
	store  *Store
	now    int64
	random uint64
	log    [][]byte // all that was applied
	who    Credentials
}

const dir = "archive"

func newMember(t fataler) *member {
	t.Helper()
	m := &member{t: t, fs: vfs.NewMemory()}
	m.restore(nil, nil)
	return m
}

// restore gives the member a store of this state; its disk stays.
func (m *member) restore(state []byte, segments []archive.Segment) {
	m.t.Helper()
	m.store = New(Options{ElectionTimeout: time.Second, Archive: archive.Options{SegmentSize: 4096,
		StepSize: 1024, FlushSize: 512}})
	if err := m.store.Restore(m.fs, dir, state, segments); err != nil {
		m.t.Fatal(err)
	}
}

func (m *member) apply(command []byte) any {
	m.log = append(m.log, command)
	return m.store.Apply(uint64(len(m.log)), command, true)
}

// bulk executes one step of bulk work and tells whether there was one.
func (m *member) bulk() bool {
	m.t.Helper()
	step := m.store.StorageStep()
	if step == nil {
		return m.store.mvcc.Work(0)
	}
	m.execute(step)
	return true
}

func (m *member) execute(step *archive.Step) {
	m.t.Helper()
	if step == nil {
		return
	}
	if err := archive.Execute(m.fs, dir, step); err != nil {
		m.t.Fatal(err)
	}
	m.store.StorageStepDone(step)
}

// pass lets time pass, as the leader sees it.
func (m *member) pass(d time.Duration) {
	m.now += int64(d)
	for _, command := range m.store.Due(m.now) {
		m.apply(command)
	}
	m.bulk()
}

// do carries a call to its end.
func (m *member) do(request proto.Message) (proto.Message, error) {
	m.t.Helper()
	c := NewCall(request, testLimits, func() uint64 { m.random++; return m.random }, m.who)
	for range 10_000 {
		switch c.Next() {
		case Done:
			return c.Response()
		case NeedView, NeedBarrier:
			c.Give(m.store.View())
		case NeedCommand:
			c.Give(m.apply(c.Command()))
		case NeedAnswer:
			c.Give(m.store.Query(m.now, c.Question()))
		case NeedPause:
			m.pass(10 * time.Millisecond)
			c.Give(m.store.View())
		}
	}
	m.t.Fatalf("a call of %v has no end", request)
	return nil, nil
}

// want carries a call to its end, which must be this one: an error, a response, or, for nil, any
// response.
func (m *member) want(request proto.Message, want any) {
	m.t.Helper()
	got, err := m.do(request)
	switch want := want.(type) {
	case nil:
		if err != nil {
			m.t.Fatalf("%T{%v}\ngives %v", request, request, err)
		}
	case error:
		if err != want || got != nil {
			m.t.Fatalf("%T{%v}\ngives %v, %v\nwant  %v", request, request, got, err, want)
		}
	case proto.Message:
		if err != nil || !proto.Equal(got, want) {
			m.t.Fatalf("%T{%v}\ngives %v, %v\nwant  %v", request, request, got, err, want)
		}
	}
}

func (m *member) check() {
	m.t.Helper()
	if err := m.store.Check(); err != nil {
		m.t.Fatal(err)
	}
}
