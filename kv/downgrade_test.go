package kv

import (
	"errors"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

func begin(target string) *pb.DowngradeRequest {
	return &pb.DowngradeRequest{Action: pb.DowngradeRequest_ENABLE, Version: target}
}

func TestADowngradeIsKeptByCheckpoints(t *testing.T) {
	m := newMember(t)
	m.want(put("a", "1"), nil)
	before := m.version()
	m.want(begin("3.6"), nil)
	m.want(begin("3.5.1"), rpctypes.ErrGRPCDowngradeInProcess)
	hash := m.store.Hash()
	during := m.version()
	if m.store.Downgrade() != "3.6.0" || m.store.Downgrade().ClusterVersion() != "3.6.0" {
		t.Errorf("restored: %q", m.store.Downgrade())
	}
	if m.store.Hash() != hash {
		t.Error("the hash is another one after a restore")
	}
	m.want(&pb.DowngradeRequest{Action: pb.DowngradeRequest_CANCEL}, nil)
	after := m.version()
	if m.store.Downgrade() != "" || m.store.View().(*View).Downgrade() != "" {
		t.Errorf("cancelled: %q", m.store.Downgrade())
	}
	if before != 3 || during != 4 || after != 3 {
		t.Errorf("checkpoints of versions %d, %d and %d", before, during, after)
	}
}

// version restores the member from a checkpoint of itself, and gives that one's version.
func (m *member) version() byte {
	m.t.Helper()
	for m.bulk() {
	}
	state, segments, flush := m.store.Checkpoint()
	m.execute(flush)
	m.restore(state, segments)
	return state[0]
}

// Two operators begin one at a time; what both were told to be possible is so for the first.
func TestADowngradeIsCheckedWhenItIsExecuted(t *testing.T) {
	m := newMember(t)
	random := func() uint64 { return 1 }
	first := NewCall(begin("3.6"), testLimits, random, nil)
	second := NewCall(begin("3.6.9"), testLimits, random, nil)
	first.Give(m.apply(first.Command()))
	second.Give(m.apply(second.Command()))
	_, err := second.Response()
	if _, ok := first.Response(); ok != nil || err != rpctypes.ErrGRPCInvalidDowngradeTargetVersion {
		t.Errorf("the first got %v, the second %v", ok, err)
	}
}

func TestADamagedDowngradeIsRefused(t *testing.T) {
	m := newMember(t)
	state, segments, _ := m.store.Checkpoint()
	p, err := decodeParts(state)
	if err != nil {
		t.Fatal(err)
	}
	p.downgrade = []byte("x")
	if err := m.store.Restore(m.fs, dir, p.encode(), segments); !errors.Is(err, ErrDamaged) {
		t.Errorf("got %v", err)
	}
}
