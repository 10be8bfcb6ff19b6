package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"detcd/consensus/replica"
	"detcd/storage/vfs"
)

func TestOneMemberServesAtOnce(t *testing.T) {
	c := newCluster(t, 1)
	if err := c.members[1].Stop(within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	options, m := c.options(1, c.members[1].dir, listenOn(t, "127.0.0.1:0"))
	options.Replica.Tick = 10 * time.Second // an election time-out is minutes
	var err error
	if m.Node, err = Start(options); err != nil {
		t.Fatal(err)
	}
	c.members[1] = m
	m.submit(t, "one")
	answer, err := m.Submit(within(t, time.Minute), []byte("two"))
	if err != nil || answer != 2 {
		t.Errorf("%v, %v", answer, err)
	}
	if got := m.lines(t); !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("barrier shows %q", got)
	}
	said, err := m.QueryLeader(within(t, time.Minute), []byte("how many"))
	if err != nil || string(said) != "how many: 2 lines" {
		t.Errorf("%q, %v", said, err)
	}
}

func TestAViewIncludesWhatWasAnswered(t *testing.T) {
	m := newCluster(t, 1).members[1]
	var group sync.WaitGroup
	for client := range 8 {
		group.Go(func() {
			for i := range 200 {
				line := fmt.Sprint(client, " ", i)
				if _, err := m.Submit(t.Context(), []byte(line)); err != nil {
					t.Error(err)
					return
				}
				view, err := m.View(t.Context())
				if err != nil || count(view.([]string), line) != 1 {
					t.Errorf("%q was answered and is not in the view (%v)", line, err)
					return
				}
			}
		})
	}
	group.Wait()
}

func TestChangedTellsOfEveryChange(t *testing.T) {
	m := newCluster(t, 1).members[1]
	m.submit(t, "first")
	const total = 300
	seen := make(chan int)
	go func() {
		for {
			changed := m.Changed()
			view, err := m.View(context.Background())
			if err != nil {
				return
			}
			if n := len(view.([]string)); n > total {
				seen <- n
				return
			}
			<-changed
		}
	}()
	for i := range total {
		m.submit(t, fmt.Sprint(i))
	}
	select {
	case <-seen:
	case <-time.After(time.Minute):
		t.Fatal("the watcher missed a change")
	}
	last := m.Changed()
	if err := m.Stop(within(t, time.Minute)); err != nil {
		t.Error(err)
	}
	if !isDone(last) || !isDone(m.Changed()) {
		t.Error("the end of the member was not told")
	}
}

func TestThreeMembersAgree(t *testing.T) {
	c := newCluster(t, 3)
	c.leader()
	var group sync.WaitGroup
	for id, m := range c.members {
		group.Go(func() {
			for i := range 50 {
				if _, err := m.Submit(within(t, time.Minute), fmt.Append(nil, id, " ", i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	want := c.members[1].lines(t)
	if len(want) != 150 {
		t.Errorf("%d lines, want 150", len(want))
	}
	for id, m := range c.members {
		if got := m.lines(t); !slices.Equal(got, want) {
			t.Errorf("member %d has %d other lines", id, len(got))
		}
		said, err := m.QueryLeader(within(t, time.Minute), []byte("n"))
		if err != nil || string(said) != "n: 150 lines" {
			t.Errorf("member %d was told %q, %v", id, said, err)
		}
	}
	eventually(t, "all are named", func() bool {
		named := 0
		for _, member := range c.members[1].Members().Members {
			if member.Name != "" && member.Incarnation != 0 {
				named++
			}
		}
		return named == 3
	})
	eventually(t, "connected", func() bool { return !c.leader().Status().ConnectedSince.IsZero() })
}

func TestALeaderThatStopsHandsOver(t *testing.T) {
	c := newClusterTicking(t, 3, 10*testTick)
	old := c.leader()
	old.submit(t, "before")
	term := old.Status().Term
	if err := old.Stop(within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	next := c.leader()
	if next.Status().Term != term+1 {
		t.Errorf("the next leader has term %d after %d: it was an election, not a transfer",
			next.Status().Term, term)
	}
	next.submit(t, "between")
	again := c.restart(old.Status().ID)
	if got := again.lines(t); !slices.Equal(got, []string{"before", "between"}) {
		t.Errorf("after its restart the member has %q", got)
	}
	if _, err := old.Submit(t.Context(), []byte("late")); !errors.Is(err, ErrStopped) {
		t.Errorf("a stopped member says %v", err)
	}
}

func TestACommandIsKeptThroughRestarts(t *testing.T) {
	c := newCluster(t, 1)
	var want []string
	for i := range 4 {
		line := fmt.Sprint("run ", i)
		c.members[1].submit(t, line)
		want = append(want, line)
		if err := c.members[1].Stop(within(t, time.Minute)); err != nil {
			t.Fatal(err)
		}
		if got := c.restart(1).lines(t); !slices.Equal(got, want) {
			t.Fatalf("after restart %d: %q, want %q", i, got, want)
		}
	}
}

func TestWhoGivesUpWaitingIsForgotten(t *testing.T) {
	c := newCluster(t, 3)
	leader := c.leader()
	leader.submit(t, "before")
	for id, m := range c.members {
		if m != leader {
			m.Stop(within(t, time.Minute))
			delete(c.members, id)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := leader.Submit(ctx, []byte("alone")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a command without a majority: %v", err)
	}
	if _, err := leader.Barrier(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a barrier without a majority: %v", err)
	}
	if view, err := leader.View(t.Context()); err != nil || len(view.([]string)) != 1 {
		t.Errorf("a view without a majority: %v, %v", view, err)
	}
	cancelled, cancelNow := context.WithCancel(context.Background())
	time.AfterFunc(20*time.Millisecond, cancelNow)
	if _, err := leader.QueryLeader(cancelled, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a question without a majority: %v", err)
	}
	eventually(t, "it steps down", func() bool { return !leader.Status().Leading })
}

// A defragmentation takes as long as it takes: only its context ends it.
func TestADefragmentationOutlastsPatience(t *testing.T) {
	c := newCluster(t, 1)
	c.leader().Stop(within(t, time.Minute))
	c.patience = 20 * testTick
	alone := c.restart(1)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- alone.Defragment(ctx) }()
	for range 20 { // whatever becomes of each, five ticks have passed
		_, _ = alone.Submit(t.Context(), []byte("pause"))
	}
	select {
	case err := <-ended:
		t.Fatalf("it ended: %v", err)
	default:
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
}

// Its own context would let each of these wait for ever.
func TestPatienceEnds(t *testing.T) {
	c := newCluster(t, 2)
	c.leader().submit(t, "before")
	for _, m := range c.members {
		m.Stop(within(t, time.Minute))
	}
	c.patience = 20 * testTick
	alone := c.restart(1)
	begun := time.Now()
	var group sync.WaitGroup
	for what, request := range map[string]func() error{
		"a command":  func() error { _, err := alone.Submit(t.Context(), []byte("alone")); return err },
		"a barrier":  func() error { _, err := alone.Barrier(t.Context()); return err },
		"a question": func() error { _, err := alone.QueryLeader(t.Context(), nil); return err },
	} {
		group.Go(func() {
			if err := request(); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s without a majority: %v", what, err)
			}
		})
	}
	group.Wait()
	if took := time.Since(begun); took < c.patience/2 {
		t.Errorf("patience of %s ended after %s", c.patience, took)
	}
	c.restart(2)
	if lines := c.leader().lines(t); len(lines) != 1 {
		t.Errorf("a command was executed that had been given up: %q", lines)
	}
}

func TestAFailedWriteEndsTheMember(t *testing.T) {
	c := newCluster(t, 3)
	leader := c.leader()
	leader.submit(t, "before")
	broken := errors.New("the device is gone")
	judge := func(op vfs.Op) vfs.Verdict {
		if op.Kind == vfs.Sync {
			return vfs.Verdict{Err: broken}
		}
		return vfs.Verdict{}
	}
	leader.judge.Store(&judge)
	var others sync.WaitGroup
	for i := range 50 {
		others.Go(func() {
			if _, err := leader.Submit(context.Background(), fmt.Append(nil, i)); err == nil {
				t.Error("a member acknowledged a command that its own disk did not take")
			}
			leader.View(context.Background())
			leader.Barrier(context.Background())
		})
	}
	_, err := leader.Submit(within(t, time.Minute), []byte("during"))
	others.Wait()
	if !errors.Is(err, ErrFailed) || !strings.Contains(err.Error(), broken.Error()) {
		t.Errorf("the request that waited was told %v", err)
	}
	select {
	case <-leader.Done():
	case <-time.After(time.Minute):
		t.Fatal("the member goes on after a failed write")
	}
	if err := leader.Err(); err == nil || !strings.Contains(err.Error(), broken.Error()) {
		t.Errorf("it ended with %v", leader.Err())
	}
	c.leader().submit(t, "after")
}

func TestAPanicOfTheMachineEndsTheMemberAndNotTheProcess(t *testing.T) {
	m := newCluster(t, 1).members[1]
	m.submit(t, "before")
	if _, err := m.View(t.Context()); err != nil {
		t.Fatal(err)
	}
	var others sync.WaitGroup
	for range 50 {
		others.Go(func() { m.Submit(context.Background(), []byte("panic")) })
	}
	others.Wait()
	if _, err := m.Submit(within(t, time.Minute), []byte("panic")); !errors.Is(err, ErrFailed) {
		t.Errorf("the request that did it was told %v", err)
	}
	select {
	case <-m.Done():
	case <-time.After(time.Minute):
		t.Fatal("the member goes on after a panic")
	}
	if m.Err() == nil {
		t.Error("it ended without an error")
	}
	if _, err := m.View(t.Context()); err == nil {
		t.Error("a member that ended shows a view that nothing keeps up to date")
	}
}

// What arrives while a write is under way shares the next one: with a disk that takes 20 ms, forty
// clients are done after a few writes and not after forty.
func TestASlowDiskIsShared(t *testing.T) {
	m := newCluster(t, 1).members[1]
	m.submit(t, "before")
	var syncs atomic.Int64
	judge := func(op vfs.Op) vfs.Verdict {
		if op.Kind == vfs.Sync {
			syncs.Add(1)
			time.Sleep(20 * time.Millisecond)
		}
		return vfs.Verdict{}
	}
	m.judge.Store(&judge)
	var group sync.WaitGroup
	for client := range 40 {
		group.Go(func() { m.submit(t, fmt.Sprint(client)) })
	}
	group.Wait()
	m.judge.Store(nil)
	if len(m.lines(t)) != 41 {
		t.Errorf("%d lines", len(m.lines(t)))
	}
	if n := syncs.Load(); n >= 40 {
		t.Errorf("40 commands took %d syncs", n)
	}
}

// A follower whose disk hangs until all is over: nobody may wait for it.
func TestASlowDiskOfAFollowerDelaysNobody(t *testing.T) {
	c := newCluster(t, 3)
	leader := c.leader()
	leader.submit(t, "before")
	released := make(chan struct{})
	judge := func(op vfs.Op) vfs.Verdict {
		if op.Kind == vfs.Sync {
			<-released
		}
		return vfs.Verdict{}
	}
	for _, m := range c.members {
		if m != leader {
			m.judge.Store(&judge)
			break
		}
	}
	for i := range 20 {
		leader.submit(t, fmt.Sprint(i))
	}
	close(released)
}

func TestARemovedMemberEnds(t *testing.T) {
	c := newCluster(t, 3)
	leader := c.leader()
	leader.submit(t, "before")
	var victim *testNode
	for _, m := range c.members {
		if m != leader {
			victim = m
		}
	}
	id := victim.Status().ID
	left, err := leader.Change(within(t, time.Minute), []replica.Change{
		{Kind: replica.ChangeRemove, Member: replica.Member{ID: id}},
	})
	if err != nil || len(left.Members) != 2 {
		t.Fatalf("%v, %v", left, err)
	}
	select {
	case <-victim.Done():
	case <-time.After(time.Minute):
		t.Fatal("the removed member goes on")
	}
	if !errors.Is(victim.Err(), ErrRemoved) {
		t.Errorf("it ended with %v", victim.Err())
	}
	options, again := c.options(id, victim.dir, listenOn(t, "127.0.0.1:0"))
	if again.Node, err = Start(options); err == nil {
		c.members[id] = again
		<-again.Done()
		err = again.Err()
	}
	if !errors.Is(err, ErrRemoved) {
		t.Errorf("with its old data it ends with %v", err)
	}
	leader.submit(t, "after")
}

func TestAWipedMemberIsRefused(t *testing.T) {
	c := newCluster(t, 3)
	leader := c.leader()
	leader.submit(t, "before")
	eventually(t, "all are named", func() bool {
		return !slices.ContainsFunc(leader.Members().Members, func(m replica.Member) bool {
			return m.Incarnation == 0
		})
	})
	id := leader.Status().ID%3 + 1
	if err := c.members[id].Stop(within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	options, wiped := c.options(id, t.TempDir(), listenOn(t, "127.0.0.1:0"))
	options.Replica.Incarnation = 77
	var err error
	if wiped.Node, err = Start(options); err != nil {
		t.Fatal(err)
	}
	c.members[id] = wiped
	select {
	case <-wiped.Done():
	case <-time.After(time.Minute):
		t.Fatal("a member with an empty disk takes part under its old ID")
	}
	if !errors.Is(wiped.Err(), ErrRefused) {
		t.Errorf("it ended with %v", wiped.Err())
	}
}

func TestTooManyRequestsAreRefusedAndNotKept(t *testing.T) {
	m := newCluster(t, 1).members[1]
	m.submit(t, "before")
	release := make(chan struct{})
	judge := func(op vfs.Op) vfs.Verdict {
		if op.Kind == vfs.Sync {
			<-release
		}
		return vfs.Verdict{}
	}
	m.judge.Store(&judge)
	big := make([]byte, 4<<20)
	errs := make(chan error, 20)
	for range cap(errs) {
		go func() {
			_, err := m.Submit(context.Background(), big)
			errs <- err
		}()
	}
	refused := 0
	for range 4 {
		select {
		case err := <-errs:
			if errors.Is(err, replica.ErrTooMany) || errors.Is(err, ErrTooMany) {
				refused++
			}
		case <-time.After(time.Minute):
		}
	}
	close(release)
	for range cap(errs) - 4 {
		<-errs
	}
	if refused == 0 {
		t.Error("80 MiB of commands were kept for a disk that does not answer")
	}
}
