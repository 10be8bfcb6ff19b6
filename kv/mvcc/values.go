package mvcc

import (
	"fmt"
	"slices"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"detcd/storage/archive"
)

const (
	gapMax    = 8        // revisions between two records that are read in one pass, at most
	passMin   = 4        // records that are worth a pass
	arenaSize = 64 << 10 // bytes of room for values that are made at a time, at most
)

// wanted is a value to read, and where it goes.
type wanted struct {
	*version
	into *mvccpb.KeyValue
}

// fill reads the values of items. Where the records of several stand close together, it reads them
// and what is between them in one pass: keys that were written together are often read together.
func (v *View) fill(items []item, kvs []*mvccpb.KeyValue) error {
	list := make([]wanted, len(items))
	for i := range items {
		list[i] = wanted{items[i].newest, kvs[i]}
	}
	ascending := func(a, b wanted) int { return a.compare(b.version) }
	if !slices.IsSortedFunc(list, ascending) {
		slices.SortFunc(list, ascending)
	}
	var room arena
	for begin, end := 0, 0; begin < len(list); begin = end {
		for end = begin + 1; end < len(list) && list[end].main-list[end-1].main <= gapMax; {
			end++
		}
		room.expected = len(list) - begin
		if err := v.pass(list[begin:end], &room); err != nil {
			return err
		}
	}
	return nil
}

// read reads the value of one version.
func (v *View) read(one *version) ([]byte, error) {
	record, err := v.archive.Get(one.id())
	if err != nil {
		return nil, fmt.Errorf("mvcc: read revision %d.%d: %w", one.main, one.sub, err)
	}
	return record.Body, nil
}

// pass reads the values of versions that stand close together, in ascending order.
func (v *View) pass(list []wanted, room *arena) (err error) {
	if len(list) < passMin {
		for _, w := range list {
			if w.into.Value, err = v.read(w.version); err != nil {
				return err
			}
		}
		return nil
	}
	first, last := list[0].id(), list[len(list)-1]
	err = v.archive.Scan(first, last.following(), func(r archive.Record) bool {
		if r.ID == list[0].id() {
			list[0].into.Value = room.keep(r.Body)
			list = list[1:]
		}
		return len(list) > 0
	})
	if err == nil && len(list) > 0 {
		err = archive.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("mvcc: read revisions %d to %d: %w", first.Major, last.main, err)
	}
	return nil
}

// arena copies values into large pieces of memory.
type arena struct {
	free     []byte
	expected int // values that may still come
}

func (a *arena) keep(value []byte) []byte {
	if len(value) > cap(a.free)-len(a.free) {
		size := max(len(value), min(arenaSize, len(value)*a.expected))
		a.free = make([]byte, 0, size)
	}
	a.expected--
	start := len(a.free)
	a.free = append(a.free, value...)
	return a.free[start:len(a.free):len(a.free)]
}
