package replica

import (
	"fmt"
	"testing"
	"time"
)

// What has gathered shares everything: one entry, one write, one round of messages. A view that is
// asked for in a turn shows what the turn applied.
func TestATurnIsTakenAtOnce(t *testing.T) {
	w, voter := elected(t, 5, 1)
	r := voter.replica
	turn := func(in Inputs) Effects {
		w.run(time.Millisecond)
		in.Now = w.now
		return r.Turn(&in)
	}
	var many Inputs
	for id := range RequestID(50) {
		command := fmt.Sprint("command ", id)
		w.sent[command] = true
		many.Requests = append(many.Requests,
			Input{Kind: InputSubmit, ID: 1000 + id, Data: []byte(command)},
			Input{Kind: InputRead, ID: 2000 + id})
	}
	rounds, batches := r.reads.begun, r.proposals.batches
	effects := turn(many)
	entries := uint64(len(effects.Write.entries))
	if begun := r.reads.begun - rounds; begun != 1 || entries != r.proposals.batches-batches {
		t.Errorf("%d rounds, %d entries in a write for %d batches", begun, entries,
			r.proposals.batches-batches)
	}
	if err := voter.disk.Do(effects.Write); err != nil {
		t.Fatal(err)
	}
	effects = turn(Inputs{Written: effects.Write,
		Requests: []Input{{Kind: InputView, ID: 1}, {Kind: InputView, ID: 2}}})
	if view := effects.View.(ledgerView); view.count != 50 {
		t.Errorf("the view shows %d commands", view.count)
	}
	if last := effects.Answers[len(effects.Answers)-1]; last.ID != 2 || last.Value != effects.View {
		t.Errorf("the last answer is %+v", last)
	}
	if len(effects.Answers) != 52 {
		t.Errorf("%d answers", len(effects.Answers))
	}
}

// A leader that has slept hears of the time before it hears of what waits for it: the lease of a
// question that came meanwhile has not been renewed at the old time.
func TestATurnBeginsWithTheClock(t *testing.T) {
	w, voter := elected(t, 5, 1)
	before := voter.machine.asked
	w.now += Time(time.Hour)
	effects := voter.replica.Turn(&Inputs{Now: w.now,
		Requests: []Input{{Kind: InputQuery, ID: 7, Data: question}}})
	if len(effects.Answers) != 1 || voter.machine.asked != before+1 {
		t.Fatalf("%d answers", len(effects.Answers))
	}
	if voter.machine.since != int64(w.now) {
		t.Errorf("the question was heard at %v, it is %v", voter.machine.since, w.now)
	}
	if effects.Wake <= w.now || effects.Wake > w.now+Time(defaultTick) {
		t.Errorf("at %v it wants to be woken at %v", w.now, effects.Wake)
	}
}
