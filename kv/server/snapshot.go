package server

import (
	"context"
	"path/filepath"
	"time"

	"detcd/kv"
	"detcd/kv/backup"
	"detcd/kv/rpc"
)

// Snapshot writes a snapshot file of etcd's format below the data directory; it is gone when it is
// closed.
func (a *adapter) Snapshot(ctx context.Context) (rpc.Snapshot, error) {
	begun := time.Now()
	now, membership := a.Node.Status(), a.Node.Members() // the view is as new, or newer
	view, err := a.View(ctx)
	if err != nil {
		return nil, err
	}
	origin := backup.Origin{
		Index: uint64(now.Applied), Term: uint64(now.AppliedTerm),
		Members: outwardMembers(membership),
	}
	for _, id := range membership.Removed {
		origin.Removed = append(origin.Removed, uint64(id))
	}
	file, err := backup.Write(filepath.Join(a.config.DataDir, "member"), view.(*kv.View), origin)
	if err != nil {
		return nil, err
	}
	a.measures.snapshots.Add(snapshotScale, time.Since(begun))
	return file, nil
}
