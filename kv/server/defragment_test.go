package server

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// sizesOf are the sizes that a member says that it has.
func sizesOf(t *testing.T, s *Server) (all, inUse int64) {
	t.Helper()
	status, err := client(t, s).Status(within(t), s.ClientAddresses()[0])
	if err != nil {
		t.Fatal(err)
	}
	return status.DbSize, status.DbSizeInUse
}

// A store was overwritten and compacted. What is dead counts as such when the compaction is done,
// and is gone when Defragment returns, but for a small part; what lives is there, also after a
// restart; and clients write meanwhile.
func TestDefragmentGivesBackWhatIsDead(t *testing.T) {
	leavesNothing(t)
	config := testConfigs(t, 1)[0]
	s := start(t, config)
	ready(t, s)
	c, ctx := client(t, s), within(t)
	const keys, rounds = 40, 25
	value := func(i, round int) string { return strings.Repeat(fmt.Sprint(i, round, " "), 2000) }
	for round := range rounds {
		for i := range keys {
			if _, err := c.Put(ctx, fmt.Sprint("k", i), value(i, round)); err != nil {
				t.Fatal(err)
			}
		}
	}
	full, used := sizesOf(t, s)
	if used < keys*rounds*int64(len(value(0, 0))) || used > full {
		t.Errorf("before: %d bytes, %d of them in use", full, used)
	}
	if _, err := c.Compact(ctx, keys*rounds+1, clientv3.WithCompactPhysical()); err != nil {
		t.Fatal(err)
	}
	if _, inUse := sizesOf(t, s); inUse > used/(rounds/2) {
		t.Errorf("after the compaction %d bytes are in use, before it %d", inUse, used)
	}
	writes, done := atomic.Int64{}, make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ctx.Err() == nil && i < 50; i++ {
			if _, err := c.Put(ctx, "meanwhile", fmt.Sprint(i)); err == nil {
				writes.Add(1)
			}
		}
	}()
	if _, err := c.Defragment(ctx, s.ClientAddresses()[0]); err != nil {
		t.Fatal(err)
	}
	all, inUse := sizesOf(t, s)
	if <-done; writes.Load() != 50 {
		t.Errorf("%d of 50 puts were done meanwhile", writes.Load())
	}
	if 10*all > 12*inUse || inUse < keys*int64(len(value(0, 0))) {
		t.Errorf("after: %d bytes, %d of them in use; before it was %d", all, inUse, full)
	}
	for range 2 {
		for i := range keys {
			expect(t, s, fmt.Sprint("k", i), value(i, rounds-1))
		}
		stop(t, s)
		s = start(t, config)
		ready(t, s)
	}
}

// A client that does not wait any longer is told so, at its own time.
func TestWhoWaitsForADefragmentationMayLeave(t *testing.T) {
	leavesNothing(t)
	s := start(t, testConfigs(t, 1)[0])
	ready(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	_, err := client(t, s).Defragment(ctx, s.ClientAddresses()[0])
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it ended with %v", err)
	}
	if _, err := client(t, s).Defragment(within(t), s.ClientAddresses()[0]); err != nil {
		t.Error(err)
	}
}
