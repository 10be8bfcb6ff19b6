package explore

import (
	"detcd/consensus/replica"
	"detcd/storage/archive"
	"detcd/storage/vfs"
)

// journal is the machine of the members that are explored: the list of the commands that were
// applied, each of which is the number of the operation that proposed it. The answer to a command
// is how many there are with it; a view is how many there are.
type journal struct{ commands []byte }

var _ replica.Machine = (*journal)(nil)

func (j *journal) Apply(_ uint64, command []byte, _ bool) any {
	j.commands = append(j.commands, command...)
	return len(j.commands)
}

func (j *journal) View() any { return len(j.commands) }

func (j *journal) Restore(vfs.FS, string, []byte, []archive.Segment) error {
	j.commands = nil
	return nil
}

func (j *journal) Due(int64) [][]byte              { return nil }
func (j *journal) Lead(int64, bool)                {}
func (j *journal) Query(int64, []byte) []byte      { return nil }
func (j *journal) StorageStep() *archive.Step      { return nil }
func (j *journal) StorageStepDone(*archive.Step)   {}
func (j *journal) Saved([]archive.Segment)         {}
func (j *journal) Defragment()                     {}
func (j *journal) Defragmenting() archive.Progress { return 0 }

// Checkpoint is asked for but never saved: the background lane stands still (see member.turn).
func (j *journal) Checkpoint() ([]byte, []archive.Segment, *archive.Step) { return nil, nil, nil }
