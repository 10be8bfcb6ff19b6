package replica

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"
)

var (
	seeds     = flag.Uint64("seeds", 40, "how many worlds of misfortune to run")
	firstSeed = flag.Uint64("first-seed", 100, "the seed of the first")
)

func (w *world) submit(a *actor, command string) {
	w.request++
	id := w.request
	w.sent[command] = true
	a.answers[id] = func(answer Answer) {
		if answer.Err == nil {
			w.acked[command] = answer.Value.(uint64)
		}
	}
	a.replica.Submit(id, []byte(command))
	w.take(a)
}

// read does a linearizable read and compares it with what was acknowledged before it began.
func (w *world) read(a *actor) {
	w.request++
	least := uint64(0)
	for _, place := range w.acked {
		least = max(least, place)
	}
	a.answers[w.request] = func(answer Answer) {
		if view := answer.Value.(ledgerView); view.count < least {
			w.t.Fatalf("seed %d: member %d read %d commands, %d were acknowledged before",
				w.seed, a.id, view.count, least)
		}
	}
	a.replica.Read(w.request)
	w.take(a)
}

func (w *world) up() []*actor {
	return slices.DeleteFunc(slices.Clone(w.members), func(a *actor) bool {
		return a.replica == nil || a.refused != "" || a.removed
	})
}

func (w *world) leading() *actor {
	var leader *actor
	for _, a := range w.up() {
		if a.replica.leading() && (leader == nil || a.replica.term > leader.replica.term) {
			leader = a
		}
	}
	return leader
}

// settle heals everything, lets the members agree, and judges what they hold.
func (w *world) settle() {
	w.t.Helper()
	w.loss, w.slow = 0, time.Millisecond
	w.cut = func(MemberID, MemberID) bool { return false }
	for _, a := range w.members {
		if a.replica == nil {
			w.start(a)
		}
	}
	agreed := func() bool {
		leader := w.leading()
		if leader == nil {
			return false
		}
		for _, a := range w.up() {
			if a.replica.applied != leader.replica.applied || a.replica.leader != leader.id {
				return false
			}
		}
		return true
	}
	w.run(5 * time.Second)
	for range 60 {
		if agreed() {
			break
		}
		w.run(time.Second)
	}
	if !agreed() {
		for _, a := range w.up() {
			w.t.Logf("member %d: %+v", a.id, a.replica.Status())
		}
		w.t.Fatalf("seed %d: the members do not agree after healing", w.seed)
	}
	w.judge()
}

func (w *world) judge() {
	w.t.Helper()
	for _, a := range w.up() {
		list := a.machine.commands(w.t)
		seen := map[string]bool{}
		for _, command := range list {
			if seen[command] || !w.sent[command] {
				w.t.Fatalf("seed %d: %q is there twice or was never sent", w.seed, command)
			}
			seen[command] = true
		}
		for command, place := range w.acked {
			if place > uint64(len(list)) || list[place-1] != command {
				w.t.Fatalf("seed %d: member %d lost %q, acknowledged at %d",
					w.seed, a.id, command, place)
			}
		}
	}
}

// load submits commands and reads at random members for a while.
func (w *world) load(d time.Duration, name string) {
	for i := 0; ; i++ {
		start := w.now
		if up := w.up(); len(up) > 0 {
			a := up[w.random.IntN(len(up))]
			if w.random.IntN(3) == 0 {
				w.read(a)
			} else {
				w.submit(a, fmt.Sprintf("%s-%d-%0*d", name, i, w.random.IntN(100), 0))
			}
		}
		w.run(w.delay(8 * time.Millisecond))
		if d -= time.Duration(w.now - start); d <= 0 {
			return
		}
	}
}

func TestThreeMembersAgreeOnWhatWasSubmitted(t *testing.T) {
	w := newWorld(t, 1, 3)
	w.run(3 * time.Second)
	w.load(5*time.Second, "a")
	w.settle()
	if len(w.acked) < 300 {
		t.Errorf("only %d commands were acknowledged", len(w.acked))
	}
	for _, a := range w.members {
		members := a.replica.Members().Members
		for i, m := range members {
			if m.Name != fmt.Sprint("m", m.ID) || m.Incarnation != w.members[i].incarnation {
				t.Errorf("member %d knows %+v", a.id, m)
			}
		}
	}
}

func TestOneMemberIsItsOwnMajority(t *testing.T) {
	w := newWorld(t, 2, 1)
	w.run(3 * time.Second)
	w.load(2*time.Second, "a")
	for round := range 20 {
		w.crash(w.members[0])
		w.start(w.members[0])
		w.load(2*time.Second, fmt.Sprint("b", round))
	}
	w.settle()
	if len(w.acked) < 1000 {
		t.Errorf("only %d commands were acknowledged", len(w.acked))
	}
}

// Crashes with lost and torn unsynced data, lost messages and partitions, at random: whatever was
// acknowledged is there, once, in its place.
func TestNothingAcknowledgedIsLost(t *testing.T) {
	acked := 0
	for seed := range *seeds {
		w := newWorld(t, *firstSeed+seed, 3+2*int(seed%2))
		w.run(2 * time.Second)
		for round := range 12 {
			w.misfortune()
			w.load(w.delay(1500*time.Millisecond), fmt.Sprint("r", round))
		}
		w.settle()
		acked += len(w.acked)
	}
	if acked < 100*int(*seeds) {
		t.Errorf("only %d commands were acknowledged in %d worlds", acked, *seeds)
	}
}

func (w *world) misfortune() {
	a := w.members[w.random.IntN(len(w.members))]
	switch w.random.IntN(6) {
	case 0, 1:
		if a.replica != nil {
			w.crash(a)
		} else {
			w.start(a)
		}
	case 2:
		w.loss = w.random.IntN(20)
	case 3:
		lonely := a.id
		w.cut = func(from, to MemberID) bool { return from == lonely || to == lonely }
	case 4:
		w.cut = func(MemberID, MemberID) bool { return false }
		for _, b := range w.members {
			if b.replica == nil {
				w.start(b)
			}
		}
	case 5:
		if leader := w.leading(); leader != nil {
			leader.replica.Transfer(a.id)
			w.take(leader)
		}
	}
}
