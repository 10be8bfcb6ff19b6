package replica

import (
	"detcd/storage/archive"
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
	LogPassed   []wal.Position    // where the log has been
	Segments    []archive.Segment // what belongs to the archive
}

// Identify reads whose the data directory of FS and WAL is, and changes nothing. It returns false
// for one that is new. Its errors are damage (*vfs.CorruptionError), a newer format (ErrVersion), a
// part that is missing (ErrParts), or of the system. What the log holds is not looked at unless
// there is nothing else.
func Identify(options Options) (Identity, bool, error) {
	options.setDefaults()
	p, err := readParts(&options)
	if err != nil || p.saved == nil {
		return Identity{}, false, err
	}
	saved := p.saved
	return Identity{ID: saved.identity.member, Cluster: saved.identity.cluster,
		Incarnation: saved.identity.incarnation, Members: saved.membership, Number: saved.number,
		Applied: saved.applied, LogFrom: saved.walFrom, LogPassed: p.passed,
		Segments: saved.segments}, true, nil
}
