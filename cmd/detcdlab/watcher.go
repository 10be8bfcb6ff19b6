package main

import (
	"context"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A watcher follows the whole store from its first revision on. When its stream breaks it goes to
// the next member and resumes at the revision after the last that it was shown.
type watcher struct {
	drill *drill
	name  string
	at    int
	last  int64
}

// run watches until ctx ends.
func (w *watcher) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := w.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		if !transient(err) {
			w.drill.giveUp(fmt.Errorf("watcher %s at revision %d: %w", w.name, w.last, err))
			return
		}
		w.at = (w.at + 1) % len(w.drill.members)
		w.drill.resumed.Add(1)
		time.Sleep(errorPause)
	}
}

// follow watches on one stream until it breaks.
func (w *watcher) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	return watchFrom(ctx, w.drill, w.at, w.last+1, func(revision int64, changes []change) bool {
		w.last = revision
		w.drill.ledger.deliver(w.name, revision, changes)
		return true
	})
}

// watchFrom shows each every revision of the whole store from one on, as one member tells it, until
// the stream breaks or each returns false.
func watchFrom(
	ctx context.Context, d *drill, member int, from int64,
	each func(revision int64, changes []change) bool,
) error {
	conn, err := d.members[member].Conn()
	if err != nil {
		return err
	}
	stream, err := etcdserverpb.NewWatchClient(conn).Watch(ctx)
	if err != nil {
		return err
	}
	request := &etcdserverpb.WatchCreateRequest{
		Key: []byte{0}, RangeEnd: []byte{0}, StartRevision: from,
	}
	err = stream.Send(&etcdserverpb.WatchRequest{
		RequestUnion: &etcdserverpb.WatchRequest_CreateRequest{CreateRequest: request},
	})
	if err != nil {
		return status.Error(codes.Unavailable, err.Error()) // the stream's error is read by Recv
	}
	for {
		answer, err := stream.Recv()
		if err != nil {
			return err
		}
		if answer.Canceled {
			return canceled(answer)
		}
		if !byRevision(answer.Events, each) {
			return nil
		}
	}
}

// canceled turns the end of a watch into an error. A server may end a watch because it stops; it
// may not say that what the watch asked for is compacted, because the drill compacts only below.
func canceled(answer *etcdserverpb.WatchResponse) error {
	if answer.CompactRevision > 0 {
		return fmt.Errorf("canceled: compacted up to %d", answer.CompactRevision)
	}
	return status.Error(codes.Unavailable, "canceled: "+answer.CancelReason)
}

// byRevision cuts a response into its revisions, which it holds whole.
func byRevision(events []*mvccpb.Event, each func(revision int64, changes []change) bool) bool {
	for len(events) > 0 {
		revision := events[0].Kv.ModRevision
		var changes []change
		for len(events) > 0 && events[0].Kv.ModRevision == revision {
			c := versionOf(events[0].Kv).change
			if c.deleted = events[0].Type == mvccpb.Event_DELETE; c.deleted {
				c = change{key: c.key, deleted: true}
			}
			changes = append(changes, c)
			events = events[1:]
		}
		if !each(revision, changes) {
			return false
		}
	}
	return true
}
