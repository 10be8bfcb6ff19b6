package replica

import "detcd/storage/archive"

// Defragment has the machine give back the room of what is dead. Its Answer comes when the files
// are gone that were replaced for it; that takes as long as it takes, and delays no Write. The work
// goes on when the request is forgotten.
func (r *Replica) Defragment(id RequestID) {
	q := &request{kind: requestDefragment, id: id}
	if !r.wait(q) {
		return
	}
	b := &r.background
	b.defragments.list, b.defragmenting = append(b.defragments.list, q), true
	r.machine.Defragment()
}

// lookAtDefragmentation makes the checkpoint that a defragmentation needs before the files that it
// has replaced can go, and answers who waits for it.
func (r *Replica) lookAtDefragmentation() {
	b := &r.background
	if !b.defragmenting {
		return
	}
	switch r.machine.Defragmenting() {
	case archive.Naming:
		b.wanted, b.dirty = true, true
	case archive.Idle:
		for _, q := range b.defragments.list {
			if !q.gone {
				r.finish(q, nil, nil)
			}
		}
		b.defragments, b.defragmenting = queue{}, false
	}
}
