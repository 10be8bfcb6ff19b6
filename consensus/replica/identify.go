package replica

import (
	"errors"
	"fmt"
	"io/fs"

	"detcd/storage/archive"
	"detcd/storage/checkpoint"
	"detcd/storage/vfs"
	"detcd/storage/wal"
)

// Identity says whose a data directory is, and what its last checkpoint names.
type Identity struct {
	ID          MemberID
	Cluster     uint64
	Incarnation uint64
	Members     Membership
	Number      uint64 // of the checkpoint
	Applied     Index
	LogFrom     wal.Sequence      // the first record of the log that recovery needs
	Segments    []archive.Segment // what belongs to the archive
}

// Identify reads whose a data directory is, and changes nothing. It returns false for one that is
// new. Its errors are damage (*vfs.CorruptionError), a newer format (ErrVersion), or of the system.
func Identify(dir vfs.FS) (Identity, bool, error) {
	number, blob, err := checkpoint.Load(dir, checkpointDir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Identity{}, false, nil
	case err != nil:
		return Identity{}, false, fmt.Errorf("load the checkpoint: %w", err)
	case number == 0:
		return Identity{}, false, nil
	}
	saved, err := decodeCheckpoint(blob)
	if err != nil {
		return Identity{}, false, err
	}
	return Identity{ID: saved.identity.member, Cluster: saved.identity.cluster,
		Incarnation: saved.identity.incarnation, Members: saved.membership, Number: number,
		Applied: saved.applied, LogFrom: saved.walFrom, Segments: saved.segments}, true, nil
}
