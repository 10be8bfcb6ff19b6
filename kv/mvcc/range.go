package mvcc

import (
	"bytes"
	"cmp"
	"sort"
	"strings"

	"go.etcd.io/etcd/api/v3/mvccpb"
)

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
	items, count := v.collect(&o, revision)
	result.Count = count
	byValue := o.Target == TargetValue
	if !byValue {
		o.sort(items)
		items, result.More = cutOff(items, o.Limit)
	}
	result.KVs = keyValues(items, !o.KeysOnly || byValue)
	if !o.KeysOnly || byValue {
		if err := v.fill(items, result.KVs); err != nil {
			return nil, err
		}
	}
	if byValue {
		o.sortByValue(result.KVs)
		result.KVs, result.More = cutOff(result.KVs, o.Limit)
	}
	if o.KeysOnly && byValue {
		for _, kv := range result.KVs {
			kv.Value = nil
		}
	}
	return result, nil
}

// cutOff applies a limit.
func cutOff[T any](list []T, limit int64) (rest []T, more bool) {
	if limit > 0 && int64(len(list)) > limit {
		return list[:limit], true
	}
	return list, false
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

// limitFirst says that the limit is applied before all else.
func (o *RangeOptions) limitFirst() bool {
	asIs := o.Order == OrderNone || o.Target == TargetKey && o.Order == OrderAscend
	return o.Limit > 0 && asIs && !o.bounded()
}

// ordered says that no sort is needed.
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

// collect returns what is in the range and within the bounds, in the order of keys, and how many
// keys are in the range. If the limit comes first, it is one more than the limit, if there are so
// many.
func (v *View) collect(o *RangeOptions, revision int64) (items []item, count int64) {
	early := o.limitFirst()
	v.index.visit(o.Key, o.End, revision, func(key string, found *version) bool {
		if (!early || count <= o.Limit) && o.within(found) {
			items = append(items, item{key, found})
		}
		count++
		return !o.Uncounted || !early || count <= o.Limit
	})
	return items, count
}

// sort brings items into the order that was asked for.
func (o *RangeOptions) sort(items []item) {
	compare := func(a, b item) int { return strings.Compare(a.key, b.key) }
	switch o.Target {
	case TargetVersion:
		compare = func(a, b item) int { return cmp.Compare(a.newest.number, b.newest.number) }
	case TargetCreate:
		compare = func(a, b item) int { return cmp.Compare(a.newest.create, b.newest.create) }
	case TargetMod:
		compare = func(a, b item) int { return cmp.Compare(a.newest.main, b.newest.main) }
	}
	if !o.ordered() {
		arrange(sorter[item]{items, compare}, o.Order)
	}
}

func (o *RangeOptions) sortByValue(kvs []*mvccpb.KeyValue) {
	compare := func(a, b *mvccpb.KeyValue) int { return bytes.Compare(a.Value, b.Value) }
	arrange(sorter[*mvccpb.KeyValue]{kvs, compare}, o.Order)
}

// arrange sorts with sort.Sort, which is not stable but leaves equal items as etcd's own use of it
// does.
func arrange(s sort.Interface, order Order) {
	if order == OrderDescend {
		s = sort.Reverse(s)
	}
	sort.Sort(s)
}

// sorter is a sort.Interface.
type sorter[T any] struct {
	list    []T
	compare func(a, b T) int
}

func (s sorter[T]) Len() int           { return len(s.list) }
func (s sorter[T]) Less(i, j int) bool { return s.compare(s.list[i], s.list[j]) < 0 }
func (s sorter[T]) Swap(i, j int)      { s.list[i], s.list[j] = s.list[j], s.list[i] }

// keyValues makes the answer without the values. All of it takes three allocations.
func keyValues(items []item, leases bool) []*mvccpb.KeyValue {
	size := 0
	for _, i := range items {
		size += len(i.key)
	}
	keys := make([]byte, 0, size)
	kvs := make([]mvccpb.KeyValue, len(items))
	out := make([]*mvccpb.KeyValue, len(items))
	for n, i := range items {
		start := len(keys)
		keys = append(keys, i.key...)
		kv := &kvs[n]
		kv.Key = keys[start:len(keys):len(keys)]
		kv.CreateRevision, kv.ModRevision = i.newest.create, i.newest.main
		kv.Version = i.newest.number
		if leases {
			kv.Lease = i.newest.lease
		}
		out[n] = kv
	}
	return out
}
