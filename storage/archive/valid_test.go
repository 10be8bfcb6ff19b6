package archive

import (
	"fmt"
	"slices"
)

// valid checks the invariants of an Archive that doc.go numbers, those and no others.
func (a *Archive) valid() error {
	for _, check := range []func() error{a.ascends, a.located, a.counted, a.staged, a.namesUnique,
		a.mergeFits, a.checkpointsKept, a.nothingLeft} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// parts returns everything that has records, in order.
func (a *Archive) parts() (tables []*table, dead []*graves) {
	for _, s := range a.sealed {
		tables, dead = append(tables, &s.table), append(dead, &s.dead)
	}
	for _, d := range append(slices.Clone(a.full), a.active) {
		tables, dead = append(tables, &d.table), append(dead, &d.dead)
	}
	return tables, dead
}

// 1. IDs ascend strictly, within a segment and from one to the next.
func (a *Archive) ascends() error {
	tables, _ := a.parts()
	var last ID
	count := 0
	for _, t := range tables {
		for i := range t.length() {
			if count > 0 && !last.Less(t.id(i)) {
				return fmt.Errorf("1: %v behind %v", t.id(i), last)
			}
			last = t.id(i)
			count++
		}
	}
	return nil
}

// 2. The records of a segment lie behind each other from its header to the end of its data.
func (a *Archive) located() error {
	tables, _ := a.parts()
	for _, t := range tables {
		if t.offset(0) != headerSize || t.data() < 0 {
			return fmt.Errorf("2: data from %d to %d", t.offset(0), t.end)
		}
		for i := range t.length() {
			if t.size(i) <= 0 {
				return fmt.Errorf("2: %v has %d bytes", t.id(i), t.size(i))
			}
		}
	}
	return nil
}

// 3. The dead bytes of a segment are those of its dead records, and the sums those of all sealed.
func (a *Archive) counted() error {
	again := Archive{}
	again.setSealed(a.sealed)
	if a.sums != again.sums {
		return fmt.Errorf("3: the sums are %+v, summed up %+v", a.sums, again.sums)
	}
	tables, dead := a.parts()
	for k, t := range tables {
		bytes := int64(0)
		for i := range len(dead[k].bits) * 64 {
			if dead[k].has(i) {
				bytes += t.size(i)
			}
		}
		if bytes != dead[k].bytes {
			return fmt.Errorf("3: %d bytes are dead, counted were %d", bytes, dead[k].bytes)
		}
	}
	return nil
}

// 4. Sealed segments are whole in their files and not in memory; full ones are closed and not yet
// whole in their files; the active one is open. Only the active one may be empty.
func (a *Archive) staged() error {
	for _, s := range a.sealed {
		if s.file == nil || s.table.length() == 0 || s.length <= s.table.end {
			return fmt.Errorf("4: sealed %+v", s.listed())
		}
	}
	for _, d := range a.full {
		if !d.closed || d.unwritten() <= 0 || d.table.length() == 0 {
			return fmt.Errorf("4: full %s, %d unwritten", d.name, d.unwritten())
		}
	}
	if a.active.closed || a.active.unwritten() < 0 {
		return fmt.Errorf("4: active %s, %d unwritten", a.active.name, a.active.unwritten())
	}
	return nil
}

// 5. No two files have one name, and no name that is still to come is taken.
func (a *Archive) namesUnique() error {
	var names []string
	for _, s := range append(a.current(), a.retired...) {
		names = append(names, s.Name)
	}
	if a.merge != nil {
		names = append(names, a.merge.draft.name)
	}
	slices.Sort(names)
	if len(slices.Compact(slices.Clone(names))) != len(names) {
		return fmt.Errorf("5: %q", names)
	}
	if slices.Contains(names, fmt.Sprintf("s%016x.seg", a.number)) {
		return fmt.Errorf("5: %d is taken", a.number)
	}
	return nil
}

func (a *Archive) current() []Segment {
	var list []Segment
	for _, s := range a.sealed {
		list = append(list, s.listed())
	}
	for _, d := range append(slices.Clone(a.full), a.active) {
		list = append(list, d.listed())
	}
	return list
}

// 6. The sources of a merge are neighbours among the sealed; each record of its draft is one of
// theirs, and dead in both or in neither.
func (a *Archive) mergeFits() error {
	m := a.merge
	if m == nil {
		return nil
	}
	at := slices.Index(a.sealed, m.sources[0])
	if at < 0 || !slices.Equal(a.sealed[at:at+len(m.sources)], m.sources) {
		return fmt.Errorf("6: the sources are not neighbours")
	}
	copied := 0
	for _, s := range m.sources {
		for i := range s.table.length() {
			if k := m.draft.table.find(s.table.id(i)); k >= 0 {
				copied++
				if s.dead.has(i) != m.draft.dead.has(k) {
					return fmt.Errorf("6: %v is dead only on one side", s.table.id(i))
				}
			}
		}
	}
	if copied != m.draft.table.length() {
		return fmt.Errorf("6: %d of %d records are of the sources", copied, m.draft.table.length())
	}
	return nil
}

// 7. What a checkpoint names, the last one saved or one begun since, is in the archive or retired.
func (a *Archive) checkpointsKept() error {
	kept := append(a.current(), a.retired...)
	for _, list := range append(slices.Clone(a.flushed), a.saved) {
		for _, s := range list {
			if !isNamed(kept, s.Name) {
				return fmt.Errorf("7: %s is gone", s.Name)
			}
		}
	}
	return nil
}

// 8. If planned is set no merge is worth it, and if swept is set no file can be removed but those
// that the step does which is under way.
func (a *Archive) nothingLeft() error {
	again := *a
	again.planned, again.swept = false, false
	if run := again.plan(); a.planned && run != nil {
		return fmt.Errorf("8: %d segments could be merged", len(run))
	}
	s := again.removeStep()
	if a.swept && s != nil && (a.step == nil || !slices.Equal(a.step.remove, s.remove)) {
		return fmt.Errorf("8: %q could be removed", s.remove)
	}
	return nil
}
