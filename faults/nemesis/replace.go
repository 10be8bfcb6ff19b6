package nemesis

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
)

// replace takes a member away for good, its data too, and lets a new one join at its address. It
// needs a cluster that is otherwise well: who loses another member meanwhile loses the majority.
func (r *run) replace(victim *Member) (string, func() error, error) {
	if len(r.open) > 0 || len(r.full) > 0 {
		return "", nil, errNotNow
	}
	waiting, stop := context.WithTimeout(r.ctx, readyWait)
	defer stop()
	if err := r.Cluster.WaitReady(waiting); err != nil {
		return "", nil, err
	}
	admin, err := r.admin(victim)
	if err != nil {
		return "", nil, err
	}
	// Who has left must come back, even if the run ends meanwhile.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), 2*readyWait)
	defer cancel()
	if err := victim.Kill(); err != nil {
		return "", nil, err
	}
	if err := leave(ctx, admin, victim); err != nil {
		return "", nil, errors.Join(err, victim.Start())
	}
	if err := errors.Join(victim.wipe(), enter(ctx, admin, victim)); err != nil {
		return "", nil, fmt.Errorf("nemesis: replace %s: %w", victim.name, err)
	}
	victim.AppendArgs("--initial-cluster-state=existing")
	if err := victim.Start(); err != nil {
		return "", nil, err
	}
	return "replace " + victim.name, nil, victim.WaitReady(ctx)
}

// admin speaks to another member than the victim.
func (r *run) admin(victim *Member) (pb.ClusterClient, error) {
	for _, m := range r.shuffled() {
		if m == victim {
			continue
		}
		conn, err := m.adminConn()
		return pb.NewClusterClient(conn), err
	}
	return nil, errors.New("nemesis: there is no other member")
}

// number returns the ID of a member in the cluster's own list, 0 if it is not in it.
func number(ctx context.Context, admin pb.ClusterClient, m *Member) (uint64, error) {
	list, err := admin.MemberList(ctx, &pb.MemberListRequest{Linearizable: true})
	if err != nil {
		return 0, err
	}
	for _, one := range list.Members {
		if slices.Contains(one.PeerURLs, m.PeerURL()) {
			return one.ID, nil
		}
	}
	return 0, nil
}

// leave removes a member. Everything is asked again until the list says so: a cluster that has just
// elected refuses changes for a while, and an answer may be lost.
func leave(ctx context.Context, admin pb.ClusterClient, m *Member) error {
	return until(ctx, func(ctx context.Context) (bool, error) {
		id, err := number(ctx, admin, m)
		if err != nil || id == 0 {
			return err == nil, err
		}
		_, err = admin.MemberRemove(ctx, &pb.MemberRemoveRequest{ID: id})
		return false, err
	})
}

// enter adds a member.
func enter(ctx context.Context, admin pb.ClusterClient, m *Member) error {
	return until(ctx, func(ctx context.Context) (bool, error) {
		id, err := number(ctx, admin, m)
		if err != nil || id != 0 {
			return err == nil, err
		}
		_, err = admin.MemberAdd(ctx, &pb.MemberAddRequest{PeerURLs: []string{m.PeerURL()}},
			grpc.WaitForReady(true))
		return false, err
	})
}

// until tries something again until it is so. The error is the last one when ctx ends.
func until(ctx context.Context, try func(context.Context) (bool, error)) error {
	for {
		once, cancel := context.WithTimeout(ctx, adminTimeout)
		done, err := try(once)
		cancel()
		if done {
			return nil
		}
		if sleep(ctx, 10*pollInterval) != nil {
			return errors.Join(err, ctx.Err())
		}
	}
}

// wipe removes what the data directory holds, not the directory: something may be mounted there.
func (m *Member) wipe() error {
	entries, err := filepath.Glob(filepath.Join(m.dataDir, "*"))
	for _, entry := range entries {
		err = errors.Join(err, os.RemoveAll(entry))
	}
	return err
}
