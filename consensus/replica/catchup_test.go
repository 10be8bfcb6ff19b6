package replica

import (
	"testing"
	"time"
)

// A follower catches up while others go on to write: as long as its link carries more than is
// written it comes closer, and it never fetches again what it has.
func TestAFollowerCatchesUpUnderLoad(t *testing.T) {
	c := newChase(t, 1, 10, 4000)
	need := time.Duration(c.bytes) * time.Second / chaseRate
	took := c.level(chaseRate/5, 10*need)
	t.Logf("%d bytes, of which %d were carried, in %v; the link takes %v; %d chunks in flight; "+
		"the leader kept %d", c.bytes, c.wire.carried, took, need, c.flight, c.kept)
	if took > 2*need {
		t.Errorf("it took %v; twice what the link needs is %v", took, 2*need)
	}
	if c.wire.twice+c.wire.missed > 0 {
		t.Errorf("%d bytes were fetched twice, and %d before those in front of them", c.wire.twice,
			c.wire.missed)
	}
	if c.count(EventInstalled) != 1 {
		t.Errorf("%d snapshots were installed", c.count(EventInstalled))
	}
	if full := int(2 * chaseOneWay * chaseRate / time.Second / 700); c.flight < full {
		t.Errorf("%d chunks were in flight at most; %d fill the link", c.flight, full)
	}
	if c.fetching > chaseFetch {
		t.Errorf("%d bytes were under way or held, at most %d may be", c.fetching, chaseFetch)
	}
	if o := &c.leader.replica.options; c.kept > keepLogs*o.LogBytesMax+2*o.CheckpointBytes {
		t.Errorf("the leader kept %d bytes of log", c.kept)
	}
	c.wire = nil
	c.settle()
}

// What a follower has of its own is not fetched, whoever of the others leads.
func TestWhatAFollowerHasIsNotFetched(t *testing.T) {
	c := newChase(t, 2, 3000, 1000)
	own := 0
	for _, s := range c.behind.replica.background.latest.segments {
		if s.Sealed {
			own += int(s.Length)
		}
	}
	if own < c.bytes/2 {
		t.Fatalf("it has only %d of %d bytes", own, c.bytes)
	}
	took := c.level(chaseRate/5, time.Minute)
	t.Logf("%d bytes, of which it had %d; %d were carried, in %v", c.bytes, own, c.wire.carried, took)
	// Beside what it lacks: what is written meanwhile, one unsealed segment, and the heads of chunks.
	if most := (c.bytes-own)*3/2 + 8<<10; c.wire.carried > most {
		t.Errorf("%d bytes were carried, at most %d should be", c.wire.carried, most)
	}
	c.wire = nil
	c.settle()
}

// A connection that breaks costs what was under way, and no more, however often and for however
// long: the leader may have given up the transfer meanwhile.
func TestAFetchGoesOnAfterDisconnects(t *testing.T) {
	for _, away := range []time.Duration{time.Second, 3 * time.Second, 20 * time.Second} {
		c := newChase(t, 3, 10, 3000)
		breaks := 0
		alone := func(from, to MemberID) bool { return from == c.behind.id || to == c.behind.id }
		for c.count(EventInstalled) == 0 && c.now < c.began+Time(5*time.Minute) {
			for range 200 {
				c.step(chaseRate / 16)
			}
			if c.count(EventInstalled) == 0 {
				breaks++
				c.cut = alone
				c.run(away)
				c.cut = func(MemberID, MemberID) bool { return false }
			}
		}
		t.Logf("%d bytes, of which %d were carried, over %d breaks of %v", c.bytes, c.wire.carried,
			breaks, away)
		if breaks < 2 || c.count(EventInstalled) == 0 {
			t.Errorf("%d breaks, %d snapshots installed", breaks, c.count(EventInstalled))
		}
		if most := breaks * 2 * chaseFetch; c.wire.twice > most {
			t.Errorf("%d bytes were fetched twice; what was under way are %d", c.wire.twice, most)
		}
		c.wire = nil
		c.settle()
	}
}

// Offers may follow each other faster than one can be fetched. The last segment grows from one to
// the next, and what was fetched of it stays.
func TestNothingIsFetchedTwiceUnderManyOffers(t *testing.T) {
	for seed := range uint64(6) {
		c := newChase(t, 20+seed, 10, 1000)
		c.leader.replica.options.LogBytesMax = 1 << 10
		for c.count(EventInstalled) == 0 && c.now < c.began+Time(time.Minute) {
			c.step(chaseRate / 4)
		}
		offers := c.count(EventSnapshotRecv)
		if c.count(EventInstalled) == 0 || offers < 4 {
			t.Errorf("seed %d: %d offers, %d installed", c.seed, offers, c.count(EventInstalled))
		}
		if c.wire.twice+c.wire.missed > 0 {
			t.Errorf("seed %d: %d bytes were fetched twice under %d offers", c.seed, c.wire.twice, offers)
		}
	}
}

// Another leader has the same segments under the same checksums.
func TestAFetchGoesOnWithAnotherLeader(t *testing.T) {
	for _, reign := range []int{350, 400, 500, 700} { // commands under each leader
		c := newChase(t, 4, 10, 3000)
		c.followLeaders(reign)
	}
}

func (c *chase) followLeaders(reign int) {
	changes := 0
	for c.count(EventInstalled) == 0 && c.now < c.began+Time(time.Minute) {
		for range reign {
			c.step(chaseRate / 8)
		}
		if c.count(EventInstalled) == 0 {
			changes++
			for _, a := range c.up() {
				if a != c.behind && !a.replica.leading() {
					c.leader.replica.Transfer(a.id)
					c.take(c.leader)
					c.leader = a
					break
				}
			}
		}
	}
	c.t.Logf("%d bytes, of which %d were carried, under %d leaders", c.bytes, c.wire.carried,
		changes+1)
	if changes == 0 || c.count(EventInstalled) == 0 {
		c.t.Errorf("%d changes of the leader, %d snapshots", changes, c.count(EventInstalled))
	}
	if most := c.store() + changes*2*chaseFetch; c.wire.carried > most {
		c.t.Errorf("%d bytes were carried, at most %d should be", c.wire.carried, most)
	}
	c.wire = nil
	c.settle()
}
