package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"golang.org/x/sync/errgroup"
)

// How long the end of a drill may take, step by step.
const (
	readyTimeout  = 60 * time.Second // all members serve
	leasesTimeout = 60 * time.Second // the short leases are gone
	calmTimeout   = 60 * time.Second // watchers have seen all
	checkTimeout  = 10 * time.Minute // everything was read back
)

// settle stops the load, waits until the cluster is calm and reads back all that there is: from
// every member the state, the hash, and the whole history as a new watcher sees it; and every value
// that was ever written, at its own revision. What does not fit becomes a violation.
func (d *drill) settle(ctx context.Context) error {
	d.stopLoad()
	d.load.Wait()
	ready, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err := d.cluster.WaitReady(ready); err != nil {
		return err
	}
	if err := d.awaitLeases(ctx); err != nil {
		return err
	}
	last, err := d.awaitCalm(ctx)
	if err != nil {
		return err
	}
	d.log("calm at revision %d; reading everything back", last)
	d.ledger.settle(last)
	ctx, cancel = context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	for i := range d.members {
		if err := d.checkMember(ctx, i, last); err != nil {
			return fmt.Errorf("check of %s: %w", d.members[i].Name(), err)
		}
	}
	if err := d.checkHashes(ctx, last); err != nil {
		return err
	}
	if err := d.readAllBack(ctx); err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	return d.checkLeases(ctx)
}

// awaitLeases waits until every lease that nobody keeps has taken its keys away.
func (d *drill) awaitLeases(ctx context.Context) error {
	limit := time.Now().Add(leasesTimeout)
	for {
		_, ending := d.ledger.leasesWithKeys()
		if len(ending) == 0 {
			return nil
		}
		if time.Now().After(limit) {
			return fmt.Errorf("lease %x did not end within %v", int64(ending[0]), leasesTimeout)
		}
		if pause(ctx, 50*time.Millisecond); ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// awaitCalm waits until nothing is written any more and every watcher has seen all, and returns the
// last revision. When the watchers do not get there, the ledger finds out.
func (d *drill) awaitCalm(ctx context.Context) (last int64, err error) {
	limit := time.Now().Add(calmTimeout)
	for {
		before := last
		if last, err = d.revision(ctx, 0); err != nil {
			return 0, fmt.Errorf("last revision: %w", err)
		}
		if last == before && d.ledger.allShown(last) || time.Now().After(limit) {
			return last, nil
		}
		if pause(ctx, 300*time.Millisecond); ctx.Err() != nil {
			return 0, ctx.Err()
		}
	}
}

// revision asks one member, linearizably, for the revision of the store. It asks again while there
// is no answer: on a busy machine a leader may lose its office though nobody is killed any more.
func (d *drill) revision(ctx context.Context, member int) (int64, error) {
	kv, err := d.kv(member)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, calmTimeout)
	defer cancel()
	request := &etcdserverpb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}, CountOnly: true}
	for {
		call, cancel := context.WithTimeout(ctx, answerTimeout)
		answer, err := kv.Range(call, request)
		cancel()
		switch {
		case err == nil:
			return answer.Header.Revision, nil
		case !transient(err) || ctx.Err() != nil:
			return 0, err
		}
		pause(ctx, errorPause)
	}
}

// checkMember compares the state and the history that a member holds with the ledger.
func (d *drill) checkMember(ctx context.Context, member int, last int64) error {
	if _, err := d.revision(ctx, member); err != nil { // it has applied all
		return err
	}
	kv, err := d.kv(member)
	if err != nil {
		return err
	}
	answer, err := kv.Range(ctx, &etcdserverpb.RangeRequest{
		Key: []byte{0}, RangeEnd: []byte{0}, Revision: last, Serializable: true,
	})
	if err != nil {
		return err
	}
	var all []version
	for _, one := range answer.Kvs {
		all = append(all, versionOf(one))
	}
	name := d.members[member].Name()
	d.ledger.holds(name, all)
	from := max(d.compacted.Load()+1, firstRevision)
	if from > last {
		return nil
	}
	replay := "replay of " + name
	d.ledger.startAt(replay, from)
	return watchFrom(ctx, d, member, from, func(revision int64, changes []change) bool {
		d.ledger.deliver(replay, revision, changes)
		return revision < last && d.ledger.failure() == nil
	})
}

// checkHashes compares what the members say is the hash of everything they hold.
func (d *drill) checkHashes(ctx context.Context, last int64) error {
	var first *etcdserverpb.HashKVResponse
	for _, m := range d.members {
		conn, err := m.Conn()
		if err != nil {
			return err
		}
		request := &etcdserverpb.HashKVRequest{Revision: last}
		answer, err := etcdserverpb.NewMaintenanceClient(conn).HashKV(ctx, request)
		if err != nil {
			return fmt.Errorf("hash of %s: %w", m.Name(), err)
		}
		if first == nil {
			first = answer
		}
		if first.CompactRevision == answer.CompactRevision && first.Hash != answer.Hash {
			return fmt.Errorf("VIOLATION the members differ: at revision %d %s has hash %08x, %s %08x",
				last, d.members[0].Name(), first.Hash, m.Name(), answer.Hash)
		}
	}
	return nil
}

// The readers that read everything back.
const readersBack = 16

// readAllBack reads every value that the log has and that is not compacted, at the revision at
// which it was written, from the members in turn.
func (d *drill) readAllBack(ctx context.Context) error {
	work := make(chan version, readersBack)
	group, ctx := errgroup.WithContext(ctx)
	var turn atomic.Int64
	for range readersBack {
		group.Go(func() error {
			for want := range work {
				member := int(turn.Add(1)) % len(d.members)
				kv, err := d.kv(member)
				if err != nil {
					return err
				}
				answer, err := kv.Range(ctx, &etcdserverpb.RangeRequest{
					Key: []byte(want.key), Revision: want.revision, Serializable: true,
				})
				if err != nil {
					return fmt.Errorf("%s at revision %d from %s: %w",
						want.key, want.revision, d.members[member].Name(), err)
				}
				d.ledger.readBack(d.members[member].Name(), want, only(answer.Kvs))
				d.readBack.Add(1)
			}
			return nil
		})
	}
	group.Go(func() error {
		defer close(work)
		d.ledger.written(d.compacted.Load(), func(v version) {
			select {
			case work <- v:
			case <-ctx.Done():
			}
		})
		return nil
	})
	return group.Wait()
}

// checkLeases asks for the leases that were kept alive: they must be there, with their keys.
func (d *drill) checkLeases(ctx context.Context) error {
	kept, _ := d.ledger.leasesWithKeys()
	if len(kept) != keptLeases {
		return fmt.Errorf("%d of %d leases are attached to keys", len(kept), keptLeases)
	}
	conn, err := d.members[0].Conn()
	if err != nil {
		return err
	}
	for _, id := range kept {
		request := &etcdserverpb.LeaseTimeToLiveRequest{ID: int64(id), Keys: true}
		answer, err := etcdserverpb.NewLeaseClient(conn).LeaseTimeToLive(ctx, request)
		if err != nil {
			return fmt.Errorf("lease %x: %w", int64(id), err)
		}
		if answer.TTL <= 0 || len(answer.Keys) != leaseKeys {
			return fmt.Errorf("VIOLATION lease %x was kept alive and has %d s and %d keys left",
				int64(id), answer.TTL, len(answer.Keys))
		}
	}
	return nil
}
