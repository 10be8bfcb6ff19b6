package replica

import (
	"fmt"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"
)

// A trip is a network of one round trip, with the clock of a cluster that is made for it.
type trip struct {
	round, tick time.Duration
}

// trips go from a loopback device to a satellite. Where the tick is a tenth of a second, as by
// default, rounds over the slow ones take longer than the time between two heartbeats.
var trips = []trip{
	{2, 100 * time.Millisecond},
	{200 * time.Microsecond, 100 * time.Millisecond},
	{time.Millisecond, 100 * time.Millisecond},
	{4 * time.Millisecond, 100 * time.Millisecond},
	{30 * time.Millisecond, 100 * time.Millisecond},
	{80 * time.Millisecond, 100 * time.Millisecond},
	{120 * time.Millisecond, 100 * time.Millisecond},
	{240 * time.Millisecond, 100 * time.Millisecond},
	{500 * time.Millisecond, 100 * time.Millisecond},
	{500 * time.Millisecond, 250 * time.Millisecond},
	{2 * time.Second, 500 * time.Millisecond},
	{2 * time.Second, 2 * time.Second},
}

const syncTime = time.Millisecond

var question = []byte("how long?")

// distant makes three members that are a round trip from each other, and have a leader.
func distant(t *testing.T, on trip) (w *world, leader, follower *actor) {
	w = emptyWorld(t, 7)
	w.tick, w.link, w.sync = on.tick, on.round/2, syncTime
	w.populate(3)
	w.run(60 * on.tick)
	if leader = w.leading(); leader == nil {
		t.Fatal("no leader")
	}
	return w, leader, w.follower()
}

// costs are what requests of one kind took, from their submission to their answer.
type costs struct {
	asked, answered int
	most            time.Duration
}

func (w *world) timed(a *actor, c *costs, submit func(RequestID)) {
	w.request++
	begun := w.now
	c.asked++
	a.answers[w.request] = func(answer Answer) {
		if answer.Err != nil {
			w.t.Errorf("a request was answered: %v", answer.Err)
		}
		c.answered++
		c.most = max(c.most, time.Duration(w.now-begun))
	}
	id := w.request
	w.input(a, 0, func() {
		a.replica.Tick(w.now)
		submit(id)
		w.take(a)
	})
}

// mixed has each of the members do what clients ask for, at random moments of several round trips.
func (w *world) mixed(on trip, members map[string]*actor) map[string]*costs {
	all := map[string]*costs{}
	for name := range members {
		for _, kind := range []string{"put", "read", "ask"} {
			all[name+" "+kind] = &costs{}
		}
	}
	span := 4*on.round + 20*time.Millisecond
	for i := range 400 {
		for _, name := range []string{"leader", "follower"} {
			a := members[name]
			if a == nil {
				continue
			}
			w.timed(a, all[name+" read"], a.replica.Read)
			if i%8 == 0 {
				w.timed(a, all[name+" ask"], func(id RequestID) { a.replica.QueryLeader(id, question) })
			}
			if i%20 == 0 {
				command := fmt.Sprint("put ", name, i)
				w.sent[command] = true
				w.timed(a, all[name+" put"], func(id RequestID) {
					a.replica.Submit(id, []byte(command))
				})
			}
		}
		w.run(w.delay(span / 200))
	}
	w.run(3*on.round + 100*time.Millisecond)
	return all
}

// A read is proved by a round of messages between the leader and a majority. It must not cost more
// than that, and the way to the leader, whatever the links take: not the rest of the round before,
// and least of all for ever.
func TestAReadCostsOneRoundTripOnTheLeaderAndTwoElsewhere(t *testing.T) {
	for _, on := range trips {
		t.Run(fmt.Sprint(on.round, " tick ", on.tick), func(t *testing.T) {
			w, leader, follower := distant(t, on)
			all := w.mixed(on, map[string]*actor{"leader": leader, "follower": follower})
			overhead := all["leader put"].most - on.round
			for name, trips := range map[string]float64{
				"leader read": 1.1, "leader ask": 1.1, "follower read": 2.1, "follower ask": 2.1,
			} {
				c := all[name]
				bound := time.Duration(trips*float64(on.round)) + overhead
				if c.answered != c.asked || c.most > bound {
					t.Errorf("%s: %d of %d are answered, after %v at most; the bound is %v",
						name, c.answered, c.asked, c.most, bound)
				}
			}
		})
	}
}

// In a data centre those who come while a round is under way share the next one.
func TestReadsShareRoundsWhereRoundTripsAreShort(t *testing.T) {
	on := trip{200 * time.Microsecond, 100 * time.Millisecond}
	w, leader, _ := distant(t, on)
	begun, since := leader.replica.reads.begun, w.now
	c := &costs{}
	for range 2000 {
		w.timed(leader, c, leader.replica.Read)
		w.run(2 * time.Microsecond)
	}
	spent := time.Duration(w.now - since)
	if rounds := leader.replica.reads.begun - begun; rounds > uint64(spent/on.round)+1 {
		t.Errorf("%d rounds began in %v, of %v each", rounds, spent, on.round)
	}
	if w.run(on.round * 2); c.answered != c.asked {
		t.Errorf("%d of %d reads are answered", c.answered, c.asked)
	}
}

// The rounds that are under way stay few, even when a link becomes slow all of a sudden.
func TestRoundsUnderWayAreBoundedWhenALinkSlowsDown(t *testing.T) {
	on := trip{200 * time.Microsecond, 500 * time.Millisecond}
	w, leader, follower := distant(t, on)
	w.link = time.Second
	most := 0
	c := &costs{}
	for range 20_000 {
		for _, a := range []*actor{leader, follower} {
			w.timed(a, c, a.replica.Read)
			most = max(most, len(a.replica.reads.rounds))
		}
		w.run(400 * time.Microsecond)
	}
	if most > roundsMax || most < roundsPerTrip {
		t.Errorf("%d rounds were under way", most)
	}
	t.Logf("%d rounds were under way at most", most)
	if w.run(5 * time.Second); c.answered != c.asked {
		t.Errorf("%d of %d reads are answered", c.answered, c.asked)
	}
}

// A leader whose loop is late hears of the answers to a round after several ticks of its clock.
func TestAReadCostsNoMoreThanAPutWhereALoopIsLate(t *testing.T) {
	on := trip{time.Millisecond, 100 * time.Millisecond}
	w, leader, follower := distant(t, on)
	leader.turns = 350 * time.Millisecond
	all := w.mixed(on, map[string]*actor{"leader": leader, "follower": follower})
	w.run(5 * time.Second)
	for _, name := range []string{"leader read", "leader ask", "follower read", "follower ask"} {
		c, put := all[name], all["leader put"].most
		if c.answered != c.asked || c.most > put+leader.turns {
			t.Errorf("%s: %d of %d are answered, after %v at most; a put took %v",
				name, c.answered, c.asked, c.most, put)
		}
	}
}

// One lost message delays a read by the time between two heartbeats, not more.
func TestOneLostMessageDelaysAReadByAHeartbeat(t *testing.T) {
	kinds := map[string]struct {
		kind     raftpb.MessageType
		follower bool
	}{
		"question":         {raftpb.MsgReadIndex, true},
		"answer":           {raftpb.MsgReadIndexResp, true},
		"heartbeats":       {raftpb.MsgHeartbeat, false},
		"their answers":    {raftpb.MsgHeartbeatResp, false},
		"heartbeats there": {raftpb.MsgHeartbeat, true},
	}
	for name, lost := range kinds {
		for _, on := range trips {
			t.Run(fmt.Sprint(name, " ", on.round, " tick ", on.tick), func(t *testing.T) {
				w, leader, follower := distant(t, on)
				a, bound := leader, on.round
				if lost.follower {
					a, bound = follower, 2*on.round
				}
				left := 2 // a leader sends to two
				w.drops = func(m Message) bool {
					if m.Raft.GetType() != lost.kind || left == 0 || len(m.Raft.GetContext()) == 0 &&
						len(m.Raft.GetEntries()) == 0 {
						return false
					}
					left--
					return true
				}
				if lost.kind == raftpb.MsgReadIndex || lost.kind == raftpb.MsgReadIndexResp {
					left = 1
				}
				c := &costs{}
				w.timed(a, c, a.replica.Read)
				w.run(20*on.tick + 3*on.round)
				if bound += on.tick + 2*time.Millisecond; c.answered != 1 || c.most > bound || left != 0 {
					t.Errorf("answered %d after %v, the bound is %v, %d are left to lose",
						c.answered, c.most, bound, left)
				}
			})
		}
	}
}

// With a fifth of all messages lost, reads are answered late, but all are.
func TestReadsAreAnsweredWhereMessagesAreLost(t *testing.T) {
	for _, on := range trips {
		t.Run(fmt.Sprint(on.round, " tick ", on.tick), func(t *testing.T) {
			w, leader, follower := distant(t, on)
			w.loss = 20
			c := &costs{}
			for range 200 {
				w.timed(follower, c, follower.replica.Read)
				w.timed(leader, c, leader.replica.Read)
				w.timed(follower, c, func(id RequestID) { follower.replica.QueryLeader(id, question) })
				w.run(w.delay(on.round/10 + 1))
			}
			w.run(200 * on.tick)
			if c.answered != c.asked {
				t.Errorf("%d of %d are answered", c.answered, c.asked)
			}
			t.Logf("the slowest took %v", c.most)
		})
	}
}

// A fresh leader that is the only voter has acknowledged what its log holds, but does not know yet
// that it did. Who asks it for an index then, itself or a learner, must wait.
func TestALearnerReadsWhatTheOnlyVoterHadAcknowledged(t *testing.T) {
	w, voter := elected(t, 8, 1)
	w.change(voter, Change{Kind: ChangeAdd, Member: Member{ID: 2, Learner: true,
		PeerURLs: []string{"http://2"}}})
	learner := w.add(2, nil)
	w.run(2 * time.Second)
	w.cut = func(from, to MemberID) bool { return from == learner.id || to == learner.id }
	w.submit(voter, "acknowledged")
	w.run(20 * time.Millisecond)
	w.crash(voter)
	if len(w.acked) != 1 {
		t.Fatal("the command was not acknowledged")
	}
	w.cut = func(MemberID, MemberID) bool { return false }
	w.start(voter)
	w.sync = time.Second // its first entry takes long
	c := &costs{}
	for range 100 {
		w.run(50 * time.Millisecond)
		w.read(learner)
		w.timed(learner, c, learner.replica.Read)
	}
	w.sync = 0
	if w.settle(); c.answered != c.asked {
		t.Errorf("%d of %d reads are answered", c.answered, c.asked)
	}
}
