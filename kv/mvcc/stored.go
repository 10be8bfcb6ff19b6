package mvcc

import (
	"encoding/binary"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"detcd/storage/archive"
)

// Stored calls each for every change that etcd would have in its database, with the bytes that it
// would have there, in order: what is behind the last compaction, and of what is before it the puts
// that were the latest of their key. A delete at the very revision of the compaction is still
// there: a watch may begin at it. The bytes are valid during the call only. An error of each ends
// it, and is returned.
func (v *View) Stored(each func(revision, change []byte) error) error {
	old := newChanges(v.compacted)
	if v.compacted > 1 { // the first change is at 2
		var all walk
		all.step(v.index, math.MaxInt, func(i item) {
			latest := i.newest.at(v.compacted)
			if latest != nil && !latest.tombstone() {
				old.add(latest)
			}
		})
	}
	var failed error
	var buffer []byte
	err := v.archive.Scan(archive.ID{}, first(v.revision+1), func(r archive.Record) bool {
		of, key, err := cutHead(r.ID, r.Head)
		if err != nil {
			failed = err
			return false
		}
		buried := of.main == v.compacted && of.tombstone()
		if of.main > v.compacted || old.has(&of) || buried {
			buffer = appendRevision(buffer[:0], &of)
			size := len(buffer)
			buffer = appendChange(buffer, &of, key, r.Body)
			failed = each(buffer[:size:size], buffer[size:])
		}
		return failed == nil
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return fmt.Errorf("mvcc: stored changes up to revision %d: %w", v.revision, err)
	}
	return nil
}

// appendRevision appends what etcd stores a change under.
func appendRevision(b []byte, v *version) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(v.main))
	b = append(b, '_')
	b = binary.BigEndian.AppendUint64(b, uint64(v.sub))
	if v.tombstone() {
		b = append(b, 't')
	}
	return b
}

// appendChange appends what etcd stores of a change.
func appendChange(b []byte, v *version, key, value []byte) []byte {
	b = appendBytes(b, 1, key)
	b = appendNumber(b, 2, v.create)
	if !v.tombstone() {
		b = appendNumber(b, 3, v.main)
	}
	b = appendNumber(b, 4, v.number)
	b = appendBytes(b, 5, value)
	return appendNumber(b, 6, v.lease)
}

// appendBytes and appendNumber append a field of a protobuf message; zero values are left out.
func appendBytes(b []byte, field protowire.Number, value []byte) []byte {
	if len(value) == 0 {
		return b
	}
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), value)
}

func appendNumber(b []byte, field protowire.Number, value int64) []byte {
	if value == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), uint64(value))
}
