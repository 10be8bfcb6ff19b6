package replica

import (
	"errors"
	"fmt"
	"io/fs"

	"detcd/storage/checkpoint"
	"detcd/storage/vfs"
)

// Identity says whose a data directory is.
type Identity struct {
	ID          MemberID
	Cluster     uint64
	Incarnation uint64
	Members     Membership // as of the last checkpoint
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
		Incarnation: saved.identity.incarnation, Members: saved.membership}, true, nil
}
