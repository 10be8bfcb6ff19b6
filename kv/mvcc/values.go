package mvcc

import (
	"fmt"
	"slices"

	"detcd/storage/archive"
)

const (
	gapMax    = 8        // revisions between two records that are read in one pass, at most
	passMin   = 4        // records that are worth a pass
	arenaSize = 64 << 10 // bytes of room for values that are made at a time, at most
)

// fill reads the values of the rows. Where the records of several stand close together, it reads
// them and what is between them in one pass: keys that were written together are often read
// together.
func (v *View) fill(rows []row) error {
	if len(rows) < passMin {
		for i := range rows {
			if err := v.read(&rows[i]); err != nil {
				return err
			}
		}
		return nil
	}
	order := make([]*row, len(rows))
	for i := range rows {
		order[i] = &rows[i]
	}
	ascending := func(a, b *row) int { return a.compare(b.version) }
	if !slices.IsSortedFunc(order, ascending) {
		slices.SortFunc(order, ascending)
	}
	var room arena
	for begin, end := 0, 0; begin < len(order); begin = end {
		for end = begin + 1; end < len(order) && order[end].main-order[end-1].main <= gapMax; {
			end++
		}
		room.expected = len(order) - begin
		if err := v.pass(order[begin:end], &room); err != nil {
			return err
		}
	}
	return nil
}

// read reads the value of one row.
func (v *View) read(r *row) error {
	record, err := v.archive.Get(r.id())
	if err != nil {
		return fmt.Errorf("mvcc: read revision %d.%d: %w", r.main, r.sub, err)
	}
	r.value = record.Body
	return nil
}

// pass reads the values of rows that stand close together, in ascending order.
func (v *View) pass(rows []*row, room *arena) error {
	if len(rows) < passMin {
		for _, r := range rows {
			if err := v.read(r); err != nil {
				return err
			}
		}
		return nil
	}
	first, end := rows[0].id(), rows[len(rows)-1].id()
	end.Minor++
	err := v.archive.Scan(first, end, func(r archive.Record) bool {
		if r.ID == rows[0].id() {
			rows[0].value = room.keep(r.Body)
			rows = rows[1:]
		}
		return len(rows) > 0
	})
	if err == nil && len(rows) > 0 {
		err = archive.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("mvcc: read revisions %d.%d to %d.%d: %w",
			first.Major, first.Minor, end.Major, end.Minor, err)
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
