package backup

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	bolt "go.etcd.io/bbolt"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"detcd/kv"
	"detcd/kv/lease"
)

// ErrDamaged says that a file is not a sound snapshot of etcd.
var ErrDamaged = errors.New("backup: not a sound snapshot")

// ErrUnsigned is etcd's error for a file without a checksum, as a copy of a database is.
var ErrUnsigned = errors.New("snapshot missing hash but --skip-hash-check=false")

// Contents is a snapshot file that is read. It is never changed. It must be closed.
type Contents struct {
	db *bolt.DB
	tx *bolt.Tx
}

// Open opens a snapshot file of etcd's or ours, and compares it with its checksum unless that is to
// be skipped. Then nothing but the rows themselves tells of damage.
func Open(path string, skipChecksum bool) (*Contents, error) {
	if err := checkSum(path, skipChecksum); err != nil {
		return nil, err
	}
	if err := checkStructure(path); err != nil {
		return nil, err
	}
	c := &Contents{}
	err := guard(func() (err error) {
		if c.db, err = bolt.Open(path, 0o400, &bolt.Options{ReadOnly: true}); err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		if c.tx, err = c.db.Begin(false); err != nil {
			return err
		}
		if c.tx.Bucket([]byte("key")) == nil {
			return fmt.Errorf("%w: it has no bucket of keys", ErrDamaged)
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// guard runs something that reads the database. bbolt trusts its pages: one that points out of the
// mapped file ends in a fault, and that would end the program. checkStructure leaves little of it.
// (bbolt's own check ends so, too, on a goroutine where it cannot be caught; so it is not used.)
func guard(do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	return do()
}

// checkSum compares the checksum behind the database with its bytes.
func checkSum(path string, skip bool) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	length := info.Size() - sha256.Size
	switch {
	case skip:
		return nil
	case info.Size()%512 != sha256.Size:
		return ErrUnsigned
	}
	sum, want := sha256.New(), make([]byte, sha256.Size)
	if _, err := io.CopyN(sum, file, length); err != nil {
		return err
	}
	if _, err := io.ReadFull(file, want); err != nil {
		return err
	}
	if got := sum.Sum(nil); !bytes.Equal(got, want) {
		return fmt.Errorf("%w: expected sha256 %x, got %x", ErrDamaged, want, got)
	}
	return nil
}

// Close lets the file go.
func (c *Contents) Close() error {
	var all []error
	if c.tx != nil {
		all = append(all, c.tx.Rollback())
	}
	if c.db != nil {
		all = append(all, c.db.Close())
	}
	return errors.Join(all...)
}

// EachChange calls each for every change of history in order, with etcd's bytes. They are valid
// during the call only. What is missing above the last compaction is damage.
func (c *Contents) EachChange(each func(revision, change []byte) error) error {
	compacted, err := c.Compacted()
	if err != nil {
		return err
	}
	h := &history{compacted: compacted}
	return guard(func() error {
		return c.tx.Bucket([]byte("key")).ForEach(func(revision, change []byte) error {
			if err := h.next(revision); err != nil {
				return err
			}
			return each(revision, change)
		})
	})
}

// A history is followed from change to change: every revision has one, and they are numbered from 0
// in each. Only compaction makes gaps.
type history struct {
	compacted int64
	main, sub int64 // of the last change; 0: there was none
}

// next wants the change that follows.
func (h *history) next(revision []byte) error {
	if len(revision) < 17 {
		return fmt.Errorf("%w: a revision of %d bytes", ErrDamaged, len(revision))
	}
	main := int64(binary.BigEndian.Uint64(revision))
	sub := int64(binary.BigEndian.Uint64(revision[9:]))
	follows := main == h.main && sub == h.sub+1 || main == h.main+1 && sub == 0
	if first := h.main == 0; first {
		follows = sub == 0 && main <= 2 // revision 1 is that of an empty store
	}
	if !follows && main > h.compacted+1 {
		return fmt.Errorf("%w: between the revisions %d/%d and %d/%d something is missing",
			ErrDamaged, h.main, h.sub, main, sub)
	}
	h.main, h.sub = main, sub
	return nil
}

// EachLease calls each for every lease in ascending order.
func (c *Contents) EachLease(each func(id lease.ID, ttl lease.Seconds) error) error {
	return guard(func() error {
		bucket := c.tx.Bucket([]byte("lease"))
		if bucket == nil {
			return nil
		}
		return bucket.ForEach(func(key, value []byte) error {
			id, ttl, err := cutLease(value)
			if err != nil {
				return fmt.Errorf("lease %x: %w", key, err)
			}
			return each(id, ttl)
		})
	})
}

// EachAlarm calls each for every alarm.
func (c *Contents) EachAlarm(each func(kv.Alarm) error) error {
	return guard(func() error {
		bucket := c.tx.Bucket([]byte("alarm"))
		if bucket == nil {
			return nil
		}
		return bucket.ForEach(func(key, _ []byte) error {
			var one pb.AlarmMember
			if err := proto.Unmarshal(key, &one); err != nil {
				return fmt.Errorf("%w: alarm %x: %w", ErrDamaged, key, err)
			}
			return each(kv.Alarm{Kind: one.Alarm, Member: one.MemberID})
		})
	})
}

// cutLease reads {ID, TTL, RemainingTTL}. The last is of no use: a restored lease gets its time.
func cutLease(value []byte) (id lease.ID, ttl lease.Seconds, err error) {
	for len(value) > 0 {
		field, kind, n := protowire.ConsumeTag(value)
		if n < 0 || kind != protowire.VarintType {
			return 0, 0, fmt.Errorf("%w: a malformed lease", ErrDamaged)
		}
		number, m := protowire.ConsumeVarint(value[n:])
		if m < 0 {
			return 0, 0, fmt.Errorf("%w: a malformed lease", ErrDamaged)
		}
		switch field {
		case 1:
			id = lease.ID(number)
		case 2:
			ttl = lease.Seconds(number)
		}
		value = value[n+m:]
	}
	return id, ttl, nil
}

// Compacted is the revision of the last compaction that was begun; -1: there was none.
func (c *Contents) Compacted() (int64, error) {
	compacted := int64(-1)
	err := guard(func() error {
		bucket := c.tx.Bucket([]byte("meta"))
		if bucket == nil {
			return nil
		}
		for _, name := range []string{"scheduledCompactRev", "finishedCompactRev"} {
			if value := bucket.Get([]byte(name)); len(value) >= 8 {
				compacted = max(compacted, int64(binary.BigEndian.Uint64(value)))
			}
		}
		return nil
	})
	return compacted, err
}
