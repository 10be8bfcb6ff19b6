package replica

import (
	"errors"
	"testing"
	"time"
)

// Two members are asked, one shortly after the other, for the last learner that there may be. The
// second does not know yet of the first one's, so it is decided where both are applied.
func TestTwoLearnersAtOnceAreNotOneTooMany(t *testing.T) {
	late := 0
	for seed := range uint64(12) {
		w, leader := elected(t, 900+seed, 3)
		learner := func(id MemberID) Change {
			return Change{Kind: ChangeAddLearner, Member: Member{ID: id}, LearnersMax: 2}
		}
		if answer := w.change(leader, learner(11)); answer.Err != nil {
			t.Fatal(answer.Err)
		}
		errs := make([]error, 2)
		for i, a := range []*actor{leader, w.follower()} {
			w.request++
			a.answers[w.request] = func(answer Answer) { errs[i] = answer.Err }
			a.replica.Change(w.request, []Change{learner(MemberID(12 + i))})
			w.take(a)
			if i == 1 && errs[1] == nil {
				late++ // it was not refused at once
			}
			w.run(time.Duration(seed) * 2 * time.Millisecond)
		}
		w.run(3 * time.Second)
		if n := leader.replica.membership.learners(); n != 2 || errs[0] != nil {
			t.Errorf("seed %d: %d learners, %v", w.seed, n, errs)
		}
		if errs[1] != nil && !errors.Is(errs[1], ErrTooManyLearners) {
			t.Errorf("seed %d: %v", w.seed, errs[1])
		}
		if errs[1] == nil {
			late-- // nor later: raft dropped it, for there was one under way
		}
	}
	if late == 0 {
		t.Error("none was refused where it was applied")
	}
}

// Logs of older builds have a kind of change that says the same in fewer bytes.
func TestAnOldAddOfALearnerIsRead(t *testing.T) {
	w := writer{}
	w.byte(byte(changeAddOnlyLearner))
	w.member(&Member{ID: 3, PeerURLs: []string{"u"}})
	r := reader{bytes: w.bytes}
	c := r.change()
	if r.bad || c.Kind != ChangeAddLearner || c.LearnersMax != 1 || c.Member.ID != 3 {
		t.Errorf("%+v", c)
	}
}

// Who is cut off and asks first whether he could win stays in his term, and disturbs nobody when he
// is back. Who does not ask campaigns in vain, and the leader has to follow him to his term.
func TestWhoDoesNotAskFirstLeavesTheTerm(t *testing.T) {
	for _, unasked := range []bool{false, true} {
		w, leader := elected(t, 77, 3)
		out := w.follower()
		w.cut = func(from, to MemberID) bool { return from == out.id || to == out.id }
		w.crash(out)
		out.unasked = unasked
		w.start(out)
		before := leader.replica.term
		w.run(20 * time.Second)
		if left := out.replica.term > before; left != unasked {
			t.Errorf("unasked %v: terms %d and %d", unasked, before, out.replica.term)
		}
		w.cut = func(MemberID, MemberID) bool { return false }
		w.run(5 * time.Second)
		if now := w.leading(); now == nil || (now.replica.term > before) != unasked {
			t.Errorf("unasked %v: the leader is %+v", unasked, now)
		}
		w.settle()
	}
}
