package mvcc

import (
	"bytes"
	"cmp"
	"sort"

	"go.etcd.io/etcd/api/v3/mvccpb"
)

// row is one key of a range on its way into the result.
type row struct {
	key   string
	value []byte
	*version
}

// Range reads keys and their values as of a revision. It returns ErrCompacted or ErrFutureRevision
// when the view cannot know, or an error of the archive, which is the end of the member.
//
// It does what etcd 3.7 does, also where that surprises: a limit is applied before sorting if Order
// is OrderNone, though a target other than the key is then sorted in ascending order; ties of a
// sort fall as package sort lets them; KeysOnly loses the leases, unless the target is the value.
func (v *View) Range(o RangeOptions) (*Result, error) {
	revision, err := v.resolve(o.Revision)
	if err != nil {
		return nil, err
	}
	result := &Result{Revision: v.revision}
	if o.CountOnly {
		v.index.visit(o.Key, o.End, revision, func(string, *version) bool {
			result.Count++
			return true
		})
		return result, nil
	}
	rows, count := v.collect(&o, revision)
	result.Count = count
	byValue := o.Target == TargetValue
	if byValue {
		err = v.fill(rows)
	}
	o.sort(rows)
	if o.Limit > 0 && int64(len(rows)) > o.Limit {
		rows, result.More = rows[:o.Limit], true
	}
	if !byValue && !o.KeysOnly {
		err = v.fill(rows)
	}
	if err != nil {
		return nil, err
	}
	result.KVs = keyValues(rows, o.KeysOnly, !o.KeysOnly || byValue)
	return result, nil
}

// resolve returns the revision that a request means.
func (v *View) resolve(revision int64) (int64, error) {
	switch {
	case revision > v.revision:
		return 0, ErrFutureRevision
	case revision <= 0:
		return v.revision, nil
	case revision < v.compacted:
		return 0, ErrCompacted
	}
	return revision, nil
}

// unordered says that the rows may stay in the order of the keys as far as the limit is concerned.
func (o *RangeOptions) unordered() bool {
	return o.Order == OrderNone || o.Target == TargetKey && o.Order == OrderAscend
}

// ordered says that rows need no sort.
func (o *RangeOptions) ordered() bool {
	return o.Target == TargetKey && o.Order != OrderDescend
}

// bounded says that revisions are bounded.
func (o *RangeOptions) bounded() bool {
	return o.MinModRevision != 0 || o.MaxModRevision != 0 ||
		o.MinCreateRevision != 0 || o.MaxCreateRevision != 0
}

// within says whether a version is within the bounds.
func (o *RangeOptions) within(v *version) bool {
	return (o.MaxModRevision == 0 || v.main <= o.MaxModRevision) &&
		(o.MinModRevision == 0 || v.main >= o.MinModRevision) &&
		(o.MaxCreateRevision == 0 || v.create <= o.MaxCreateRevision) &&
		(o.MinCreateRevision == 0 || v.create >= o.MinCreateRevision)
}

// collect returns the rows in the order of keys, at most one more than the limit if the limit comes
// first, and how many keys there are.
func (v *View) collect(o *RangeOptions, revision int64) (rows []row, count int64) {
	early := o.Limit > 0 && o.unordered() && !o.bounded()
	v.index.visit(o.Key, o.End, revision, func(key string, found *version) bool {
		count++
		if (!early || count <= o.Limit+1) && o.within(found) {
			rows = append(rows, row{key: key, version: found})
		}
		return true
	})
	return rows, count
}

// sort brings the rows into the order that was asked for.
func (o *RangeOptions) sort(rows []row) {
	if o.ordered() {
		return
	}
	s := sorter{rows: rows}
	switch o.Target {
	case TargetVersion:
		s.compare = func(a, b *row) int { return cmp.Compare(a.number, b.number) }
	case TargetCreate:
		s.compare = func(a, b *row) int { return cmp.Compare(a.create, b.create) }
	case TargetMod:
		s.compare = func(a, b *row) int { return cmp.Compare(a.main, b.main) }
	case TargetValue:
		s.compare = func(a, b *row) int { return bytes.Compare(a.value, b.value) }
	default:
		s.compare = func(a, b *row) int { return cmp.Compare(a.key, b.key) }
	}
	if o.Order == OrderDescend {
		sort.Sort(sort.Reverse(s))
	} else {
		sort.Sort(s)
	}
}

// sorter sorts with sort.Sort, which is not stable but leaves equal rows as etcd's own use of it
// does.
type sorter struct {
	rows    []row
	compare func(a, b *row) int
}

func (s sorter) Len() int           { return len(s.rows) }
func (s sorter) Less(i, j int) bool { return s.compare(&s.rows[i], &s.rows[j]) < 0 }
func (s sorter) Swap(i, j int)      { s.rows[i], s.rows[j] = s.rows[j], s.rows[i] }

// keyValues makes the answer of the rows. All of it takes three allocations.
func keyValues(rows []row, keysOnly, leases bool) []*mvccpb.KeyValue {
	size := 0
	for i := range rows {
		size += len(rows[i].key)
	}
	keys := make([]byte, 0, size)
	kvs := make([]mvccpb.KeyValue, len(rows))
	out := make([]*mvccpb.KeyValue, len(rows))
	for i := range rows {
		r, kv := &rows[i], &kvs[i]
		start := len(keys)
		keys = append(keys, r.key...)
		kv.Key = keys[start:len(keys):len(keys)]
		kv.CreateRevision, kv.ModRevision, kv.Version = r.create, r.main, r.number
		if leases {
			kv.Lease = r.lease
		}
		if !keysOnly {
			kv.Value = r.value
		}
		out[i] = kv
	}
	return out
}
