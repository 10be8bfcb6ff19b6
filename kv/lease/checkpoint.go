package lease

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrDamaged says that bytes are not a checkpoint of a book.
var ErrDamaged = errors.New("lease: not a checkpoint of leases")

// formatVersion is the first byte of a checkpoint. Version 1:
//
//	┌────────────┬─────────────┬──────────────┬─────────────────────────────────────┐
//	│ version: 1 │ last serial │ count        │ count × (ID, serial, time to live)  │
//	│ 1 byte     │ uvarint     │ uvarint      │ varint, uvarint, varint             │
//	└────────────┴─────────────┴──────────────┴─────────────────────────────────────┘
//
// IDs ascend. A later version may add the remaining time of long leases.
const formatVersion = 1

// Checkpoint is the replicated part of the book but for the keys, which the key-value store knows.
// It takes 5 to 25 bytes a lease.
func (b *Book) Checkpoint() []byte {
	blob := []byte{formatVersion}
	blob = binary.AppendUvarint(blob, uint64(b.last))
	blob = binary.AppendUvarint(blob, uint64(b.leases.Len()))
	b.leases.Scan(func(id ID, l *lease) bool {
		blob = binary.AppendVarint(blob, int64(id))
		blob = binary.AppendUvarint(blob, uint64(l.Serial))
		blob = binary.AppendVarint(blob, int64(l.ttl))
		return true
	})
	return blob
}

// Restore gives the book of a checkpoint; it does not lead, and its leases own nothing until keys
// are attached again. Anything else is refused with ErrDamaged.
func Restore(blob []byte) (*Book, error) {
	r := reader{blob: blob}
	if version := r.byte(); version != formatVersion {
		return nil, fmt.Errorf("%w: version %d", ErrDamaged, version)
	}
	b := &Book{last: Serial(r.uvarint())}
	for count := r.uvarint(); count > 0 && !r.bad; count-- {
		id, serial, ttl := ID(r.varint()), Serial(r.uvarint()), Seconds(r.varint())
		newest, _, some := b.leases.Max()
		if some && id <= newest || serial == 0 || serial > b.last || ttl > TTLMax {
			return nil, fmt.Errorf("%w: a lease that cannot follow %d", ErrDamaged, newest)
		}
		b.leases.Set(id, &lease{Grant: Grant{id, serial}, ttl: ttl})
	}
	if r.bad || len(r.blob) > 0 {
		return nil, fmt.Errorf("%w: %d bytes do not end where they should", ErrDamaged, len(blob))
	}
	return b, nil
}

// reader takes a checkpoint apart. Once bad, it gives zeros.
type reader struct {
	blob []byte
	bad  bool
}

func (r *reader) byte() byte {
	if len(r.blob) == 0 {
		r.bad = true
		return 0
	}
	first := r.blob[0]
	r.blob = r.blob[1:]
	return first
}

func (r *reader) uvarint() uint64 {
	value, n := binary.Uvarint(r.blob)
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.blob = r.blob[n:]
	return value
}

func (r *reader) varint() int64 {
	u := r.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}
