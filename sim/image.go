package sim

import (
	"math/rand/v2"

	"detcd/consensus/replica"
)

// A crash is a matter of moments, and few of them are tried by crashing. So now and then the judge
// looks at what a crash would leave just now: from a copy of the disk the member must recover, in a
// program of its own, and remember what it has promised. The run does not notice.

// imagesOneIn is how many operations of the disk there are to one such look. Where both lanes are
// under way, and where a snapshot is being installed, it looks oftener: that is where what one lane
// has done may rest on what the other has not.
const imagesOneIn = 256

// wouldRecover looks now and then, when an operation of the disk has ended and nobody knows it yet.
func (m *member) wouldRecover() {
	w := m.world
	oneIn := imagesOneIn
	if b := m.bulk; b != nil && m.write != nil && b.Checkpoint != nil {
		if oneIn = 16; m.receiving {
			oneIn = 1
		}
	}
	if w.imageRandom.IntN(oneIn) > 0 || m.disk.failing() || m.disk.damaged || m.disk.forgot ||
		m.disk.trap != nil {
		return
	}
	var tear *rand.Rand
	if w.imageRandom.IntN(2) == 0 {
		tear = w.imageRandom
	}
	random := rand.NewPCG(w.imageRandom.Uint64(), 0)
	before := w.raft.source
	w.raft.source = random
	defer func() { w.raft.source = before }()
	o := m.options(m.newStore(), m.disk.memory.CrashClone(tear))
	r, _, err := replica.Open(o)
	if err != nil {
		w.judge.fail("member %d would not recover from a crash: %v", m.number, err)
		return
	}
	w.saw("image-recovers")
	w.judge.keepsItsWord(m, r.Status())
}
