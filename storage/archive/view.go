package archive

import (
	"errors"
	"sort"
)

// View is the archive at one moment. It never changes, may be used from any goroutine, and needs no
// release: its files stay readable though removed, and close when nothing refers to them.
type View struct {
	sealed []*segment
	full   []*draft
	active memory
}

// View returns the records as they are now. It costs one small allocation.
func (a *Archive) View() *View {
	return &View{sealed: a.sealed, full: a.full, active: a.active.memory}
}

// source is one part of a view.
type source interface {
	records() *table
	// block returns whole records, at least one, of from..to-1. Those of a file are in the
	// buffer, until the next call, or new if there is no buffer.
	block(from, to int, b *buffer) ([]byte, error)
	// decode takes record i from the front of data.
	decode(data []byte, i int) (Record, error)
}

func (v *View) parts() int { return len(v.sealed) + len(v.full) + 1 }

// part returns the i-th source in ascending order. Only the last may be empty.
func (v *View) part(i int) source {
	if i < len(v.sealed) {
		return v.sealed[i]
	}
	if i -= len(v.sealed); i < len(v.full) {
		return &v.full[i].memory
	}
	return &v.active
}

// search returns the part in which id is, if it is in any.
func (v *View) search(id ID) int {
	last := v.parts() - 1
	after := sort.Search(last+1, func(i int) bool {
		t := v.part(i).records()
		return t.length() == 0 || id.Less(t.id(0))
	})
	return max(after-1, 0)
}

// Get returns the record; ErrNotFound when there is none. What it returns may be kept, but what is
// kept for long should be copied: it may hold on to the segment that is in memory.
func (v *View) Get(id ID) (Record, error) {
	p := v.part(v.search(id))
	i := p.records().find(id)
	if i < 0 {
		return Record{}, ErrNotFound
	}
	data, err := p.block(i, i+1, nil)
	if err != nil {
		return Record{}, err
	}
	return p.decode(data, i)
}

const (
	scanSizeMin = 16 << 10  // what a scan reads first,
	scanSizeMax = 256 << 10 // and what it reads at a time in the end
)

// Scan calls each for the records from <= ID < to in ascending order until it returns false. Killed
// records may still be among them. The bytes of a record are valid during the call only.
func (v *View) Scan(from, to ID, each func(Record) bool) error {
	b := &buffer{size: scanSizeMin}
	visit := func(r Record, _ []byte) error {
		if !each(r) {
			return errStop
		}
		return nil
	}
	for k := v.search(from); k < v.parts(); k++ {
		p := v.part(k)
		t := p.records()
		end := t.search(to)
		err := walk(p, t.search(from), end, b, visit)
		if errors.Is(err, errStop) {
			return nil
		}
		if err != nil || end < t.length() {
			return err
		}
	}
	return nil
}

// walk calls each for the records from..to-1 of one part, with their bytes.
func walk(p source, from, to int, b *buffer, each func(r Record, data []byte) error) error {
	for from < to {
		data, err := p.block(from, to, b)
		if err != nil {
			return err
		}
		b.size = min(2*b.size, scanSizeMax)
		for ; len(data) > 0; from++ {
			r, err := p.decode(data, from)
			if err != nil {
				return err
			}
			size := p.records().size(from)
			if err := each(r, data[:size]); err != nil {
				return err
			}
			data = data[size:]
		}
	}
	return nil
}
