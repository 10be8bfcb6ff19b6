package replica

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// lists returns how long each list of requests of the member is.
func lists(r *Replica) map[string]int {
	lengths := map[string]int{
		"commands": len(r.proposals.pending.list), "changes": len(r.proposals.changes.list),
		"questions": len(r.requests.queries.list), "reads": len(r.reads.waiting),
	}
	for _, rounds := range [][]readIndexRound{r.reads.rounds, r.reads.confirmed} {
		for i := range rounds {
			lengths["reads"] += len(rounds[i].readers)
		}
	}
	return lengths
}

// A time-out ends thousands of requests at once. To forget one must not cost a look at all: work is
// counted as the lengths of the lists that were gone through. Nor may those that are forgotten go
// on taking room while there is no leader.
func TestForgettingCostsTheSameHoweverManyWait(t *testing.T) {
	const many = 4000
	orders := map[string]func(ids []RequestID){
		"in order":  func([]RequestID) {},
		"backwards": slices.Reverse[[]RequestID],
		"at random": func(ids []RequestID) {
			rand.New(rand.NewPCG(1, 1)).Shuffle(len(ids), func(i, j int) {
				ids[i], ids[j] = ids[j], ids[i]
			})
		},
	}
	kinds := map[string]func(r *Replica, id RequestID){
		"commands": func(r *Replica, id RequestID) { r.Submit(id, []byte("command")) },
		"changes": func(r *Replica, id RequestID) {
			r.Change(id, []Change{{Kind: ChangeAdd, Member: Member{ID: MemberID(id) + 10}}})
		},
		"reads":     (*Replica).Read,
		"questions": func(r *Replica, id RequestID) { r.QueryLeader(id, question) },
	}
	for kind, ask := range kinds {
		for name, order := range orders {
			t.Run(kind+" "+name, func(t *testing.T) {
				r := newWorld(t, 1, 3).members[0].replica // there is no leader yet
				var ids []RequestID
				for id := range RequestID(many) {
					ids = append(ids, id+1)
					ask(r, id+1)
				}
				order(ids)
				work := 0
				before := lists(r)
				if before[kind] != many {
					t.Fatalf("%d of %d wait", before[kind], many)
				}
				for i, id := range ids {
					r.Forget(id)
					after := lists(r)
					if after[kind] != before[kind] {
						work += before[kind]
					}
					if left := many - i - 1; after[kind] > 2*left {
						t.Fatalf("%d wait, and %d are held", left, after[kind])
					}
					before = after
				}
				if work > 4*many {
					t.Errorf("forgetting %d of them took %d looks at one", many, work)
				}
				if len(r.requests.waiting) != 0 || r.proposals.bytes != 0 {
					t.Errorf("%d are left, %d bytes", len(r.requests.waiting), r.proposals.bytes)
				}
			})
		}
	}
}

// What is forgotten before it was handed to raft is not executed; what waits beside it is.
func TestAForgottenCommandIsNotExecuted(t *testing.T) {
	w := newWorld(t, 3, 3)
	a := w.members[0]
	for i := range 60 {
		command := fmt.Sprint("command ", i)
		w.submit(a, command)
		w.sent[command] = i%3 != 0
	}
	for i := range 60 {
		if i%3 == 0 {
			a.replica.Forget(RequestID(i + 1))
		}
	}
	w.run(4 * time.Second)
	w.settle()
	if len(w.acked) != 40 {
		t.Errorf("%d of 40 commands were acknowledged", len(w.acked))
	}
}

// Each kind of request has its bound; at the bound the client is told, and one that is forgotten
// makes room.
func TestTooManyRequestsAreRefused(t *testing.T) {
	a := newWorld(t, 1, 3).members[0]
	for id := range RequestID(requestsMax) {
		a.replica.Read(id + 1)
		a.replica.QueryLeader(id+1+requestsMax, question)
	}
	refused := func() (ids []RequestID) {
		for _, answer := range a.replica.Take().Answers {
			if answer.Err == ErrTooMany {
				ids = append(ids, answer.ID)
			}
		}
		return ids
	}
	if ids := refused(); len(ids) != 0 {
		t.Fatalf("%d are refused", len(ids))
	}
	const next = 3 * requestsMax
	a.replica.Read(next)
	a.replica.QueryLeader(next+1, question)
	if ids := refused(); !slices.Equal(ids, []RequestID{next, next + 1}) {
		t.Errorf("refused are %v", ids)
	}
	a.replica.Forget(7)
	a.replica.Forget(7 + requestsMax)
	a.replica.Read(next + 2)
	a.replica.QueryLeader(next+3, question)
	if ids := refused(); len(ids) != 0 {
		t.Errorf("with room, refused are %v", ids)
	}
}

// Requests that nobody answers end in time, in their order, without having been carried out if they
// had not been handed to raft; without a limit they wait.
func TestRequestsRunOutOfTime(t *testing.T) {
	for _, patience := range []time.Duration{0, 700 * time.Millisecond} {
		w := emptyWorld(t, 4)
		w.bounds.RequestTimeout = patience
		w.cut = func(MemberID, MemberID) bool { return true }
		w.populate(3)
		a := w.members[0]
		ended := map[RequestID]Time{}
		var order []RequestID
		for id := range RequestID(300) {
			a.answers[id] = func(answer Answer) {
				if answer.Err != ErrTimeout {
					t.Errorf("%d: %v", answer.ID, answer.Err)
				}
				ended[answer.ID] = w.now
				order = append(order, answer.ID)
			}
			switch id % 3 {
			case 0:
				a.replica.Submit(id, []byte("too late"))
			case 1:
				a.replica.Read(id)
			case 2:
				a.replica.QueryLeader(id, question)
			}
			w.run(time.Millisecond)
		}
		w.run(2 * time.Second)
		w.cut = func(MemberID, MemberID) bool { return false }
		if patience == 0 {
			if len(ended) != 0 {
				t.Errorf("%d requests ended", len(ended))
			}
			continue
		}
		if len(ended) != 300 || !slices.IsSorted(order) {
			t.Errorf("%d requests of 300 ended, in the order %v", len(ended), order)
		}
		for id, at := range ended {
			asked := Time(id) * Time(time.Millisecond)
			if late := time.Duration(at - asked); late < patience-defaultTick ||
				late > patience+2*defaultTick {
				t.Errorf("request %d ended after %v", id, late)
			}
		}
		w.settle() // which finds a command that was never to be
	}
}
