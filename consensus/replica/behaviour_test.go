package replica

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"detcd/storage/vfs"
)

// elect lets a new world find its leader.
func elected(t *testing.T, seed uint64, size int) (*world, *actor) {
	w := newWorld(t, seed, size)
	w.run(4 * time.Second)
	leader := w.leading()
	if leader == nil {
		t.Fatal("no leader after four seconds")
	}
	return w, leader
}

func (w *world) follower() *actor {
	for _, a := range w.up() {
		if !a.replica.leading() {
			return a
		}
	}
	w.t.Fatal("no follower")
	return nil
}

func (w *world) change(a *actor, changes ...Change) (result Answer) {
	w.request++
	answered := false
	a.answers[w.request] = func(answer Answer) { result, answered = answer, true }
	a.replica.Change(w.request, changes)
	w.take(a)
	w.run(3 * time.Second)
	if !answered {
		w.t.Fatal("a change of the membership was not answered")
	}
	return result
}

func (w *world) count(kind EventKind) int {
	n := 0
	for _, a := range w.members {
		for _, e := range a.events {
			if e.Kind == kind {
				n++
			}
		}
	}
	return n
}

func TestAFollowerThatIsFarBehindGetsASnapshotUnderLoad(t *testing.T) {
	for seed := range uint64(8) {
		w, _ := elected(t, 10+seed, 3)
		behind := w.follower()
		w.crash(behind)
		w.load(6*time.Second, "while away")
		w.loss = int(seed) // percent: chunks and offers are lost too
		w.start(behind)
		w.load(6*time.Second, "while it catches up")
		w.settle()
		if w.count(EventInstalled) == 0 {
			t.Errorf("seed %d: no snapshot was installed", w.seed)
		}
	}
}

func TestACrashAtAnyMomentOfASnapshotIsRecovered(t *testing.T) {
	w, _ := elected(t, 20, 3)
	behind := w.follower()
	w.crash(behind)
	w.load(6*time.Second, "while away")
	for round := range 40 {
		w.start(behind)
		w.load(w.delay(600*time.Millisecond), fmt.Sprint("round", round))
		w.crash(behind)
	}
	w.settle()
}

func TestAWipedMemberIsRefusedUntilItIsAddedAgain(t *testing.T) {
	w, leader := elected(t, 30, 3)
	wiped := w.follower()
	w.submit(leader, "before")
	w.run(time.Second)
	w.crash(wiped)
	wiped.fs, wiped.incarnation = vfs.NewMemory(), 99
	w.start(wiped)
	w.run(2 * time.Second)
	if !strings.Contains(wiped.refused, "another data directory") {
		t.Fatalf("a wiped member was not refused: %q", wiped.refused)
	}
	if wiped.replica.term > 1 && wiped.replica.writes.durable.GetVote() != 0 {
		t.Error("a wiped member voted")
	}
	w.crash(wiped)
	leader = w.leading()
	added := Member{ID: 9, PeerURLs: []string{"http://9"}}
	answer := w.change(leader, Change{Kind: ChangeRemove, Member: Member{ID: wiped.id}},
		Change{Kind: ChangeAdd, Member: added})
	if answer.Err != nil || len(answer.Value.(Membership).Members) != 3 {
		t.Fatalf("replacing the member: %+v", answer)
	}
	w.members = slices.DeleteFunc(w.members, func(a *actor) bool { return a == wiped })
	w.add(9, nil)
	w.load(2*time.Second, "after")
	w.settle()
}

func TestARemovedMemberIsToldAndStaysOut(t *testing.T) {
	w, leader := elected(t, 40, 3)
	out := w.follower()
	answer := w.change(leader, Change{Kind: ChangeRemove, Member: Member{ID: out.id}})
	if answer.Err != nil {
		t.Fatal(answer.Err)
	}
	w.run(2 * time.Second)
	if !out.removed && out.refused == "" {
		t.Error("the removed member does not know")
	}
	w.crash(out)
	out.removed, out.refused = false, ""
	w.start(out)
	w.run(5 * time.Second)
	if !out.removed && out.refused == "" {
		t.Error("the removed member came back with its old data and was not refused")
	}
	answer = w.change(w.leading(), Change{Kind: ChangeAdd, Member: Member{ID: out.id}})
	if !errors.Is(answer.Err, ErrMemberRemoved) {
		t.Errorf("its ID was given again: %v", answer.Err)
	}
}

// The only voter hands over to another in one step. It must not leave before that one knows.
func TestTheOnlyVoterIsReplaced(t *testing.T) {
	for seed := range uint64(20) {
		w, old := elected(t, 400+seed, 1)
		w.loss = int(seed / 4) // percent: it stays for ten election time-outs, not for ever
		added := Member{ID: 9, PeerURLs: []string{"http://9"}}
		w.request++
		old.replica.Change(w.request, []Change{{Kind: ChangeAdd, Member: added},
			{Kind: ChangeRemove, Member: Member{ID: 1}}})
		w.take(old)
		w.run(200 * time.Millisecond)
		w.add(9, nil)
		w.run(20 * time.Second)
		leader := w.leading()
		if leader == nil || leader.id != 9 || !old.removed && old.refused == "" {
			t.Errorf("seed %d: leader %v, the old one: removed %v %q", w.seed, leader, old.removed,
				old.refused)
		}
	}
}

func TestALearnerIsPromoted(t *testing.T) {
	w, leader := elected(t, 50, 3)
	learner := Member{ID: 4, PeerURLs: []string{"http://4"}, Learner: true}
	if answer := w.change(leader, Change{Kind: ChangeAdd, Member: learner}); answer.Err != nil {
		t.Fatal(answer.Err)
	}
	four := w.add(4, nil)
	w.load(3*time.Second, "learning")
	if !four.replica.Status().Learner || four.machine.count == 0 {
		t.Errorf("the learner has %d commands: %+v", four.machine.count, four.replica.Status())
	}
	promote := Change{Kind: ChangePromote, Member: Member{ID: 4}}
	if answer := w.change(w.leading(), promote); answer.Err != nil {
		t.Fatal(answer.Err)
	}
	w.settle()
	if four.replica.Status().Learner {
		t.Error("it is still a learner")
	}
	answer := w.change(w.leading(), promote)
	if !errors.Is(answer.Err, ErrNotLearner) {
		t.Errorf("promoting a voter: %v", answer.Err)
	}
}

func TestADeposedLeaderAnswersNoReadAndNoQuestion(t *testing.T) {
	w, old := elected(t, 60, 3)
	w.cut = func(from, to MemberID) bool { return from == old.id || to == old.id }
	answered := false
	old.answers[1000] = func(Answer) { answered = true }
	old.replica.Read(1000)
	old.answers[1001] = func(Answer) { answered = true }
	old.replica.QueryLeader(1001, []byte("mine?"))
	w.take(old)
	w.run(4 * time.Second)
	if leader := w.leading(); leader == old || answered {
		t.Fatalf("led by %d; the deposed leader answered: %v", leader.id, answered)
	}
	if old.machine.leading {
		t.Error("its machine believes that it leads")
	}
	w.settle()
	if !answered {
		t.Error("after healing the read was not answered")
	}
}

func TestWhatWasDueUnderADeposedLeaderIsVoid(t *testing.T) {
	w, old := elected(t, 70, 3)
	w.cut = func(from, to MemberID) bool { return from == old.id || to == old.id }
	w.sent["due"] = true
	old.machine.due = [][]byte{[]byte("due")}
	w.run(4 * time.Second)
	w.settle()
	if list := w.leading().machine.commands(t); slices.Contains(list, "due") {
		t.Error("a command of the deposed leader was executed")
	}
	leader := w.leading()
	leader.machine.due = [][]byte{[]byte("due")}
	w.run(time.Second)
	w.settle()
	if list := w.leading().machine.commands(t); !slices.Contains(list, "due") {
		t.Error("a command of the leader was not executed")
	}
}

func TestAQuestionReachesTheLeaderFromAnyMember(t *testing.T) {
	w, leader := elected(t, 80, 3)
	for _, a := range w.members {
		w.request++
		var got string
		a.answers[w.request] = func(answer Answer) { got = string(answer.Value.([]byte)) }
		a.replica.QueryLeader(w.request, []byte("how long?"))
		w.take(a)
		w.run(time.Second)
		if got != "re:how long?" {
			t.Errorf("member %d was answered %q", a.id, got)
		}
	}
	if leader.machine.asked != 3 {
		t.Errorf("the leader was asked %d times", leader.machine.asked)
	}
}

func TestNoAnswerOfAFollowerPrecedesItsWrite(t *testing.T) {
	w, leader := elected(t, 90, 3)
	follower := w.follower()
	w.run(time.Second)
	w.submit(leader, "x")
	for follower.replica.writes.current == nil {
		w.run(time.Millisecond)
	}
	write := follower.replica.writes.current
	if len(write.responses) == 0 {
		t.Fatal("nothing is withheld")
	}
	for follower.replica.writes.current == write {
		if follower.replica.log.last() >= Index(write.entries[0].GetIndex()) {
			t.Fatal("the entry counts as durable before its write is done")
		}
		w.run(time.Microsecond)
	}
}

func TestADirectoryOfAnotherMemberIsRefused(t *testing.T) {
	fs := vfs.NewMemory()
	open := func(id MemberID, cluster uint64) error {
		_, disk, err := Open(Options{ID: id, Cluster: cluster, Machine: &ledger{}, FS: fs,
			Members: []Member{{ID: id}}})
		if err == nil {
			err = disk.Close()
		}
		return err
	}
	if err := open(1, 7); err != nil {
		t.Fatal(err)
	}
	if err := open(2, 7); !errors.Is(err, ErrCluster) {
		t.Errorf("another member: %v", err)
	}
	if err := open(1, 8); !errors.Is(err, ErrCluster) {
		t.Errorf("another cluster: %v", err)
	}
	if err := open(1, 7); err != nil {
		t.Errorf("the same again: %v", err)
	}
}

// The same inputs give the same effects: two runs of a world are equal event by event.
func TestTwoRunsAreEqual(t *testing.T) {
	story := func() string {
		w := newWorld(t, 5, 3)
		for round := range 6 {
			w.misfortune()
			w.load(time.Second, fmt.Sprint("r", round))
		}
		w.settle()
		var b strings.Builder
		for _, a := range w.members {
			fmt.Fprintln(&b, a.id, a.events, a.machine.sum, a.replica.Status())
		}
		return b.String()
	}
	if first, second := story(), story(); first != second {
		t.Errorf("two runs differ:\n%s\n%s", first, second)
	}
}
