package kv

import (
	"bytes"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"detcd/kv/v2"
)

// tree applies a command on the tree of v2, and gives the event or the error.
func (m *member) tree(c v2.Command) (*v2.Event, *v2.Error) {
	m.t.Helper()
	switch answer := m.apply(TreeCommand(&c)).(type) {
	case *v2.Event:
		return answer, nil
	case *v2.Error:
		return nil, answer
	case nil:
		return nil, nil
	default:
		m.t.Fatalf("the answer is a %T", answer)
		return nil, nil
	}
}

func (m *member) value(key string) string {
	n, err := m.store.View().(*View).Tree().Find(key)
	if err != nil {
		return err.Error()
	}
	return n.Value
}

func TestTheTreeIsBesideTheKeys(t *testing.T) {
	m := newMember(t)
	m.want(put("/a", "v3"), nil)
	if event, err := m.tree(v2.Command{Action: v2.Set, Key: "/a", Value: "v2"}); err != nil ||
		event.Index() != 4 {
		t.Fatalf("%+v %v", event, err)
	}
	if m.store.Revision() != 2 || m.value("/a") != "v2" {
		t.Errorf("revision %d, %s", m.store.Revision(), m.value("/a"))
	}
	if _, err := m.tree(v2.Command{Action: v2.Delete, Key: "/b"}); err == nil ||
		err.Code != v2.KeyNotFound {
		t.Error(err)
	}
}

func TestTheTreeIsInCheckpointsOnceItIsUsed(t *testing.T) {
	m, straight := newMember(t), newMember(t)
	if version := m.version(); version != 3 {
		t.Errorf("version %d before", version)
	}
	set := v2.Command{Action: v2.Set, Key: "/a/b", Value: "1"}
	m.tree(set)
	straight.tree(set)
	if version := m.version(); version != 5 {
		t.Errorf("version %d", version)
	}
	if got := m.value("/a/b"); got != "1" {
		t.Errorf("restored: %s", got)
	}
	swap := v2.Command{Action: v2.CompareAndSwap, Key: "/a/b", PrevIndex: 4, Value: "2"}
	m.tree(swap)
	straight.tree(swap)
	first, _, _ := m.store.Checkpoint()
	second, _, _ := straight.store.Checkpoint()
	if m.store.Hash() != straight.store.Hash() || !bytes.Equal(first, second) {
		t.Error("who was restored goes on in another way")
	}
	if err := m.store.Check(); err != nil {
		t.Error(err)
	}
	m.restore(nil, nil)
	if index := m.store.View().(*View).Tree().Index(); index != 3 {
		t.Errorf("index %d in a new cluster", index)
	}
}

func TestTheHashKnowsTheTree(t *testing.T) {
	hash := func(value string, index v2.Index) uint64 {
		m := newMember(t)
		m.tree(v2.Command{Action: v2.Set, Key: "/a", Value: value})
		m.tree(v2.Command{Action: v2.CompareAndDelete, Key: "/a", PrevIndex: index})
		return m.store.Hash()
	}
	if hash("1", 4) == hash("2", 4) || hash("1", 4) == hash("1", 5) || hash("1", 4) != hash("1", 4) {
		t.Error("the hash is not one of what was done")
	}
}

func TestTheLeaderEndsWhatIsOverInTheTree(t *testing.T) {
	m := newMember(t)
	wall := int64(2_000_000_000_000_000_000)
	m.store.options.Wall = func() int64 { return wall }
	m.tree(v2.Command{Action: v2.Set, Key: "/a", Expires: v2.Time(wall) + 5})
	if due := m.store.Due(0); due != nil {
		t.Fatalf("too early: %q", due)
	}
	wall += 5
	due := m.store.Due(0)
	if len(due) != 1 || m.store.Due(0) != nil {
		t.Fatalf("%d commands, or twice", len(due))
	}
	if m.store.Lead(0, true); len(m.store.Due(0)) != 1 {
		t.Error("the next leader does not know")
	}
	m.want(&pb.AlarmRequest{Action: pb.AlarmRequest_ACTIVATE, Alarm: pb.AlarmType_CORRUPT}, nil)
	if m.store.Lead(0, true); m.store.Due(0) != nil {
		t.Error("keys go while the cluster is corrupt")
	}
	if answer := m.apply(due[0]); answer != nil || m.value("/a") != "Key not found (/a)" {
		t.Errorf("%v, %s", answer, m.value("/a"))
	}
}

func TestTheTreeIsClosedWhileItIsUnknownWhoMayWrite(t *testing.T) {
	m := newMember(t)
	m.want(&pb.AlarmRequest{Action: pb.AlarmRequest_ACTIVATE, Alarm: pb.AlarmType_CORRUPT}, nil)
	set := v2.Command{Action: v2.Set, Key: "/a"}
	if _, err := m.tree(set); err == nil || err.Code != v2.RaftInternal || err.Cause !=
		"etcdserver: corrupt cluster" {
		t.Errorf("corrupt: %v", err)
	}
	m.want(&pb.AlarmRequest{Action: pb.AlarmRequest_DEACTIVATE, Alarm: pb.AlarmType_CORRUPT}, nil)
	m = guarded(t)
	if _, err := m.tree(set); err == nil || err.Code != v2.Unauthorized {
		t.Errorf("with users: %v", err)
	}
	if index := m.store.View().(*View).Tree().Index(); index != 3 {
		t.Errorf("index %d", index)
	}
}
