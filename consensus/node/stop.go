package node

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"detcd/consensus/replica"
)

// Transfer lets another voter lead, and waits until another member does. Only the leader can:
// replica.ErrNotLeader.
func (n *Node) Transfer(ctx context.Context, to replica.MemberID) error {
	if status := n.Status(); !status.Leading {
		return replica.ErrNotLeader
	}
	n.inbox.enqueueNoReply(replica.Input{Kind: replica.InputTransfer, Member: to})
	ticker := time.NewTicker(transferLook)
	defer ticker.Stop()
	for {
		if status := n.Status(); !status.Leading && status.Leader != 0 {
			return nil
		}
		select {
		case <-ticker.C:
		case <-n.done:
			return ErrStopped
		case <-ctx.Done():
			return fmt.Errorf("node: transfer of leadership: %w", context.Cause(ctx))
		}
	}
}

// transferLook is how often Transfer looks whether it happened.
const transferLook = 5 * time.Millisecond

// Stop ends the member: it lets another one lead if it can, waits for what is being written,
// answers what waits with ErrStopped and releases everything. It returns Err, or earlier when the
// context ends; the member then goes on ending. A second call waits for the same end.
func (n *Node) Stop(ctx context.Context) error {
	n.stopOnce.Do(func() {
		n.handOver(ctx)
		n.stop.Store(true)
		n.inbox.close(ErrStopped)
	})
	select {
	case <-n.done:
		return n.err
	case <-ctx.Done():
		return fmt.Errorf("node: stop: %w", context.Cause(ctx))
	}
}

// What the replica takes when Options.Replica says nothing.
const (
	defaultTick          = 100 * time.Millisecond
	defaultElectionTicks = 10
)

func (n *Node) tickPeriod() time.Duration { return cmp.Or(n.options.Replica.Tick, defaultTick) }

func (n *Node) electionTicks() int {
	return cmp.Or(n.options.Replica.ElectionTicks, defaultElectionTicks)
}

// handOver transfers leadership, within two election time-outs.
func (n *Node) handOver(ctx context.Context) {
	to, ok := n.successor()
	if !ok || !n.Status().Leading {
		return
	}
	limit := 2 * time.Duration(n.electionTicks()) * n.tickPeriod()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := n.Transfer(ctx, to); err != nil {
		n.options.Log.Warn("leadership was not transferred before stopping")
	}
}
