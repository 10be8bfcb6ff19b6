package sim

import (
	"bytes"
	"slices"
	"strings"

	"detcd/consensus/replica"
	"detcd/kv"
	"detcd/storage/vfs"
)

// plantVote makes the mistake of VolatileVote: the record of term and vote that ends a Write is
// replaced by the first one that this life of the member wrote.
func (m *member) plantVote(write *replica.Write) {
	if m.world.options.Bug != VolatileVote || len(write.Records) == 0 {
		return
	}
	last := &write.Records[len(write.Records)-1]
	if m.hard == nil {
		m.hard = bytes.Clone(*last) // its memory is used again
	}
	*last = m.hard
}

// plantSync makes the mistake of AckBeforeSync: the log is not synced when it says so.
func (d *disk) plantSync(op vfs.Op) bool {
	return d.world.options.Bug == AckBeforeSync && op.Kind == vfs.Sync &&
		strings.HasPrefix(op.Name, "wal/") && d.member.up()
}

// plantLease makes the mistake of UndyingLease: what ends leases is not proposed.
func (m *member) plantLease(commands [][]byte) [][]byte {
	if m.world.options.Bug != UndyingLease {
		return commands
	}
	return slices.DeleteFunc(commands, func(command []byte) bool {
		_, ends := kv.ExpiredLease(command)
		return ends
	})
}
