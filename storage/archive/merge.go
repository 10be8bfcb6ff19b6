package archive

import "slices"

// merge rewrites the living records of adjacent sealed segments as one.
type merge struct {
	sources []*segment
	draft   *draft
	source  int // the next record to look at: which source,
	record  int // and which of its records
}

// plan returns neighbours that are to be rewritten as one, or nil. It bounds files and work alike:
//
//   - a segment that is mostly dead is rewritten: what is copied is less than what is freed;
//   - two neighbours with little alive in them, half a segment at most, become one: that takes one
//     segment away, and one comes only after SegmentSize bytes were appended.
//
// A defragmentation rewrites what has less that is dead, too.
func (a *Archive) plan() []*segment {
	if a.planned {
		return nil
	}
	little := a.options.SegmentSize / 2
	for i, s := range a.sealed {
		live, run := s.live(), a.sealed[i:i+1]
		for _, next := range a.sealed[i+1:] {
			longer := a.sealed[i : i+len(run)+1]
			live += next.live()
			gain := live <= little ||
				live <= a.options.SegmentSize && a.worth(next) && a.worth(s)
			if !gain || !spanFits(longer) {
				break
			}
			run = longer
		}
		if len(run) > 1 || a.worth(s) {
			return run
		}
	}
	return nil
}

func mostlyDead(s *segment) bool { return s.dead.bytes > 0 && 2*s.dead.bytes >= s.table.data() }

// spanFits says whether the records of the run can share one table.
func spanFits(run []*segment) bool {
	first, last := run[0].table.base, &run[len(run)-1].table
	return last.id(last.length()-1).Major-first < 1<<32
}

// mergeStep returns the next step of the merge, beginning one if there is reason to.
func (a *Archive) mergeStep() *Step {
	for {
		if a.merge == nil {
			run := a.plan()
			if run == nil {
				a.planned = true
				a.rewritten()
				return nil
			}
			a.merge = &merge{sources: run, draft: a.newDraft()}
		}
		m := a.merge
		if c := m.next(int64(a.options.StepSize)); c != nil {
			return &Step{writes: []*write{m.draft.copies(c)}}
		}
		if m.draft.table.length() == 0 {
			a.publishMerge() // nothing was alive
			continue
		}
		if !m.draft.closed {
			m.draft.close()
		}
		return &Step{writes: []*write{m.draft.writes(int64(a.options.StepSize))}}
	}
}

// next decides which records are copied now: the living ones in a stretch of one source that has at
// most size bytes. They are in the draft from here on, so that a Kill finds them there too: nothing
// that is killed while a merge is under way comes back to life with its end.
func (m *merge) next(size int64) *copying {
	for ; m.source < len(m.sources); m.source, m.record = m.source+1, 0 {
		s := m.sources[m.source]
		for m.record < s.table.length() {
			to := s.table.upTo(m.record, s.table.length(), size)
			var keep []int
			for i := m.record; i < to; i++ {
				if !s.dead.has(i) {
					keep = append(keep, i)
					m.draft.table.add(s.table.id(i), s.table.size(i))
				}
			}
			m.record = to
			if keep != nil {
				return &copying{source: s, keep: keep, footer: m.draft.footer}
			}
		}
	}
	return nil
}

// publishMerge puts the merged segment, if it has any record, in the place of its sources.
func (a *Archive) publishMerge() {
	m := a.merge
	at := slices.Index(a.sealed, m.sources[0])
	list := slices.Clone(a.sealed[:at])
	if m.draft.table.length() > 0 {
		list = append(list, m.draft.sealed())
	}
	a.setSealed(append(list, a.sealed[at+len(m.sources):]...))
	for _, s := range m.sources {
		a.retired = append(a.retired, s.listed())
	}
	a.merge, a.swept = nil, false
}
