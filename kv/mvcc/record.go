package mvcc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"detcd/storage/archive"
)

var errHead = errors.New("mvcc: the head of a record is malformed")

// appendHead appends the head of a version's record: what the index must know of it. The number
// comes first and says whether there is more than the key; doc.go has the picture.
func appendHead(dst []byte, v *version, key []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(v.number))
	if !v.tombstone() {
		dst = binary.AppendUvarint(dst, uint64(v.main-v.create))
		dst = binary.AppendVarint(dst, v.lease)
	}
	return append(dst, key...)
}

// cutHead is the inverse. The key points into head.
func cutHead(id archive.ID, head []byte) (v version, key []byte, err error) {
	fail := func() (version, []byte, error) {
		return version{}, nil, fmt.Errorf("%w: revision %d.%d", errHead, id.Major, id.Minor)
	}
	if id.Major > math.MaxInt64 {
		return fail()
	}
	v.main, v.sub = int64(id.Major), id.Minor
	number, size := binary.Uvarint(head)
	if size <= 0 || number > math.MaxInt64 {
		return fail()
	}
	v.number, head = int64(number), head[size:]
	if v.tombstone() {
		return v, head, nil
	}
	age, size := binary.Uvarint(head)
	if size <= 0 || age >= id.Major {
		return fail()
	}
	v.create, head = v.main-int64(age), head[size:]
	if v.lease, size = binary.Varint(head); size <= 0 {
		return fail()
	}
	return v, head[size:], nil
}
