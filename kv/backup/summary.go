package backup

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"google.golang.org/protobuf/encoding/protowire"
)

// Summary is what etcdutl says of a snapshot file, with its names in JSON.
type Summary struct {
	Hash     uint32 `json:"hash"`      // of all rows, by CRC-32C
	Revision int64  `json:"revision"`  // the last that changed something
	Keys     int    `json:"totalKey"`  // that are there at that revision
	Size     int64  `json:"totalSize"` // of the database, in bytes
	Version  string `json:"version"`   // of the storage; empty before 3.6
}

// Summary reads the whole file.
func (c *Contents) Summary() (Summary, error) {
	var s Summary
	err := guard(func() error {
		s.Size = c.tx.Size()
		if meta := c.tx.Bucket([]byte("meta")); meta != nil {
			s.Version = string(meta.Get([]byte("storageVersion")))
		}
		compacted, err := c.Compacted()
		if err != nil {
			return err
		}
		h := &history{compacted: compacted}
		sum, there := crc32.New(crc32.MakeTable(crc32.Castagnoli)), map[string]bool{}
		buckets := c.tx.Cursor()
		for name, _ := buckets.First(); name != nil; name, _ = buckets.Next() {
			bucket := c.tx.Bucket(name)
			if bucket == nil {
				return fmt.Errorf("%w: %q is no bucket", ErrDamaged, name)
			}
			sum.Write(name)
			err := bucket.ForEach(func(key, value []byte) error {
				sum.Write(key)
				sum.Write(value)
				if string(name) != "key" {
					return nil
				}
				if err := h.next(key); err != nil {
					return err
				}
				return s.count(key, value, there)
			})
			if err != nil {
				return err
			}
		}
		s.Hash, s.Keys = sum.Sum32(), len(there)
		return nil
	})
	return s, err
}

// count follows one change of history.
func (s *Summary) count(revision, change []byte, there map[string]bool) error {
	s.Revision = int64(binary.BigEndian.Uint64(revision))
	key, err := cutKey(change)
	if err != nil {
		return err
	}
	if deleted := len(revision) > 17; deleted {
		delete(there, string(key))
	} else {
		there[string(key)] = true
	}
	return nil
}

// cutKey reads the key of a change, which is its first field.
func cutKey(change []byte) ([]byte, error) {
	for len(change) > 0 {
		field, kind, n := protowire.ConsumeTag(change)
		if n < 0 {
			return nil, fmt.Errorf("%w: a malformed change", ErrDamaged)
		}
		change = change[n:]
		if field == 1 && kind == protowire.BytesType {
			key, n := protowire.ConsumeBytes(change)
			if n < 0 {
				return nil, fmt.Errorf("%w: a malformed key", ErrDamaged)
			}
			return key, nil
		}
		n = protowire.ConsumeFieldValue(field, kind, change)
		if n < 0 {
			return nil, fmt.Errorf("%w: a malformed change", ErrDamaged)
		}
		change = change[n:]
	}
	return nil, nil
}
