package probe

import (
	"context"
	"errors"
	"fmt"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// Finish reads everything back, through every member, once all of them serve again: the present,
// what each holds itself, and what changed last. All this belongs to the history. Then it compares
// the hashes of the members' stores at the last revision: a difference that one sentence describes,
// or none. An error says that a member did not answer until ctx ended.
func (p *Probe) Finish(ctx context.Context) (difference string, err error) {
	c := p.newClient(ctx, finishRate)
	for at := range p.options.Connections {
		for _, serializable := range []bool{false, true} {
			request := everything()
			request.Serializable = serializable
			for answered := false; !answered; {
				c.at = at
				answered = c.do(request) != nil
				if err := errors.Join(c.failure, ctx.Err()); err != nil {
					return "", fmt.Errorf("probe: member %d does not answer: %w", at+1, err)
				}
			}
		}
	}
	last := p.highest.Load()
	for _, o := range p.observers {
		o.client.ctx = ctx
		o.watch(ctx, last)
	}
	return p.compare(ctx, last)
}

// finishRate is how many reads a second the end makes at most.
const finishRate = 100

// hashWait is the time between two questions for a hash.
const hashWait = 50 * time.Millisecond

// compare asks every member for the hash of its store, until all have answered for the same
// compaction: that of a member that is behind is of another one.
func (p *Probe) compare(ctx context.Context, revision int64) (string, error) {
	for {
		hashes, err := p.hashes(ctx, revision)
		if err == nil {
			for i, h := range hashes {
				if h.CompactRevision == hashes[0].CompactRevision && h.Hash != hashes[0].Hash {
					return fmt.Sprintf("members 1 and %d hold different stores at revision %d: "+
						"hashes %08x and %08x, compacted at %d", i+1, revision, hashes[0].Hash, h.Hash,
						h.CompactRevision), nil
				}
				if h.CompactRevision != hashes[0].CompactRevision {
					err = fmt.Errorf("members 1 and %d are compacted at %d and %d", i+1,
						hashes[0].CompactRevision, h.CompactRevision)
				}
			}
			if err == nil {
				return "", nil
			}
		}
		select {
		case <-time.After(hashWait):
		case <-ctx.Done():
			return "", fmt.Errorf("probe: the stores cannot be compared: %w", err)
		}
	}
}

// hashes asks once.
func (p *Probe) hashes(ctx context.Context, revision int64) ([]*pb.HashKVResponse, error) {
	var hashes []*pb.HashKVResponse
	for i, connection := range p.options.Connections {
		ctx, cancel := context.WithTimeout(ctx, p.options.Timeout)
		h, err := pb.NewMaintenanceClient(p.Admin(connection)).HashKV(ctx,
			&pb.HashKVRequest{Revision: revision})
		cancel()
		if err != nil {
			return nil, fmt.Errorf("member %d: %w", i+1, err)
		}
		hashes = append(hashes, h)
	}
	return hashes, nil
}
