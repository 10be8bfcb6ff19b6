package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"detcd/faults/nemesis"
)

// A killer ends members with SIGKILL and starts them again at once, as fast as the cluster bears:
// it waits only when nothing was written since, so that every kill hits a cluster that works or one
// that is about to.
type killer struct {
	drill  *drill
	random *rand.Rand
	every  time.Duration // mean time between two strikes
}

// How long a cluster with all members running may refuse writes: after the first the killer waits,
// after the second the drill has failed.
const (
	breather  = 3 * time.Second
	standsFor = 30 * time.Second
)

// run kills until so many processes were killed.
func (k *killer) run(ctx context.Context, kills int64) error {
	for k.drill.kills.Load() < kills {
		pause(ctx, k.every/2+time.Duration(k.random.Int64N(int64(k.every)+1)))
		if err := k.awaitWrites(ctx); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		victims := k.choose(ctx)
		if err := k.drill.strike(victims); err != nil {
			return err
		}
	}
	return nil
}

// choose takes one member most of the time, the leader on purpose now and then; and seldom a
// majority or all of them.
func (k *killer) choose(ctx context.Context) []*nemesis.Member {
	members := k.drill.cluster.Members()
	k.random.Shuffle(len(members), func(i, j int) {
		members[i], members[j] = members[j], members[i]
	})
	switch roll := k.random.IntN(100); {
	case roll < 4:
		return members
	case roll < 10:
		return members[:len(members)/2+1]
	case roll < 40:
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if leader, err := k.drill.cluster.Leader(ctx); err == nil {
			return []*nemesis.Member{leader}
		}
	}
	return members[:1]
}

// strike kills the members, all before the first is started again, and starts them.
func (d *drill) strike(victims []*nemesis.Member) error {
	var names []string
	for _, m := range victims {
		if err := m.Kill(); err != nil {
			return err
		}
		d.kills.Add(1)
		names = append(names, m.Name())
	}
	d.log("killed %s", strings.Join(names, ", "))
	for _, m := range victims {
		if err := m.Start(); err != nil {
			return err
		}
	}
	return nil
}

// awaitWrites waits while the last acknowledgement is long ago.
func (k *killer) awaitWrites(ctx context.Context) error {
	waited := time.Now()
	for ctx.Err() == nil {
		_, last := k.drill.acks.get()
		if last.IsZero() {
			last = k.drill.start
		}
		if time.Since(last) < breather {
			return nil
		}
		if err := k.drill.cluster.Exited(); err != nil {
			return err
		}
		if time.Since(waited) > standsFor {
			return fmt.Errorf("no write was acknowledged for %v with all members running",
				time.Since(last).Round(time.Second))
		}
		pause(ctx, errorPause)
	}
	return nil
}
