package replica

import (
	"fmt"
	"testing"
	"time"

	"detcd/storage/archive"
)

// defragment asks a member to give back room, and tells when it has answered.
func (w *world) defragment(a *actor) (id RequestID, done *bool) {
	w.request++
	done = new(bool)
	a.answers[w.request] = func(answer Answer) { *done = answer.Err == nil }
	a.replica.Defragment(w.request)
	w.take(a)
	return w.request, done
}

// A defragmentation is answered when the files are gone that it has replaced, also where no command
// comes that would ask for a checkpoint. One that was forgotten is done all the same, and commands
// do not wait for it.
func TestADefragmentationIsAnsweredWhenTheRoomIsBack(t *testing.T) {
	for _, forgotten := range []bool{false, true} {
		w := newWorld(t, 1, 1)
		a := w.members[0]
		w.run(5 * time.Second)
		for i := range 300 {
			w.submit(a, fmt.Sprint("command ", i, " of some length, so that there are segments"))
			w.run(10 * time.Millisecond)
		}
		w.run(20 * time.Second) // all is in files, and named by a checkpoint
		for i := uint64(1); i <= a.machine.count; i += 4 {
			a.machine.archive.Kill(archive.ID{Major: i})
		}
		w.run(20 * time.Second)
		before := a.machine.archive.Stats()
		if before.Dead == 0 {
			t.Fatal("merges left nothing to be done")
		}
		id, done := w.defragment(a)
		if *done {
			t.Fatal("answered before anything was done")
		}
		if forgotten {
			a.replica.Forget(id)
			w.submit(a, "meanwhile")
		}
		w.run(20 * time.Second)
		after := a.machine.archive.Stats()
		if *done == forgotten || after.Dead != 0 || after.Disk >= before.Disk {
			t.Errorf("forgotten %v, answered %v: %+v, before %+v", forgotten, *done, after, before)
		}
		if (w.acked["meanwhile"] > 0) != forgotten {
			t.Error("a command waits")
		}
		w.crash(a)
		w.start(a)
		w.run(20 * time.Second)
		if n := int(a.machine.count); n != len(w.acked) {
			t.Errorf("%d commands are there after a restart", n)
		}
	}
}

// Where nothing is dead there is nothing to wait for.
func TestADefragmentationOfNothingIsAnsweredAtOnce(t *testing.T) {
	w := newWorld(t, 1, 1)
	w.run(5 * time.Second)
	if _, done := w.defragment(w.members[0]); !*done {
		t.Error("it waits")
	}
}
