package mvcc

import (
	"go.etcd.io/etcd/api/v3/mvccpb"

	"detcd/storage/archive"
)

// Options configure a Store. The zero value is good.
type Options struct {
	Archive archive.Options // sizes of segments and of bulk steps
}

// Revision is the place of one change in history. All changes of a write transaction share Main;
// Sub counts them from 0.
type Revision struct {
	Main, Sub int64
}

// Meta is what the index knows of one version of a key: all but the value. The zero Meta (its
// Version is 0) stands for a key that does not exist, which is also what a compare of a txn sees of
// it.
type Meta struct {
	CreateRevision int64 // revision that created the key
	ModRevision    int64 // revision that wrote this version
	Version        int64 // 1 for the put that created the key, then one more for each put
	Lease          int64 // 0: none
}

// Exists says whether the key was there.
func (m Meta) Exists() bool { return m.Version > 0 }

// Deleted is a key that DeleteRange removed, and what it was.
type Deleted struct {
	Key []byte
	Meta
}

// Order is the direction of a sort. Its numbers are those of etcd's protocol.
type Order int32

// The orders.
const (
	OrderNone Order = iota
	OrderAscend
	OrderDescend
)

// Target is what a range is sorted by. Its numbers are those of etcd's protocol.
type Target int32

// The targets.
const (
	TargetKey Target = iota
	TargetVersion
	TargetCreate
	TargetMod
	TargetValue
)

// RangeOptions say which keys to read, as of when, and how. They are the fields of etcd's
// RangeRequest and mean the same, oddities included; see Range.
type RangeOptions struct {
	Key, End  []byte // [Key, End); no End: just Key; End "\x00": all from Key on
	Revision  int64  // as of this revision; <= 0: now
	Limit     int64  // at most so many; <= 0: all
	Order     Order
	Target    Target
	KeysOnly  bool // no values (and no leases unless sorted by value)
	CountOnly bool // nothing but Result.Count
	Uncounted bool // where the limit is reached the range ends, and Result.Count is less

	// Inclusive bounds; 0: none.
	MinModRevision, MaxModRevision, MinCreateRevision, MaxCreateRevision int64
}

// Result is the answer to a range.
type Result struct {
	KVs      []*mvccpb.KeyValue // the receiver's own; their bytes must not be changed
	Count    int64              // keys in the range, whatever limit and bounds left out
	More     bool               // the limit cut something off
	Revision int64              // the current revision of what was read, not the one asked for
}
