package archive

import "slices"

// merge rewrites the live records of adjacent sealed segments as one.
type merge struct {
	sources []*segment
	draft   *draft
	source  int // the next record to look at: which source,
	record  int // and which of its records
}

// Which segments are merged bounds both the files and the work (docs/decisions has the reckoning):
//
//   - one whose records are mostly dead is rewritten: what is copied is less than what is freed;
//   - two neighbours with little alive between them become one: every such merge takes one segment
//     away, and one appears only when SegmentSize bytes were appended.
func (a *Archive) plan() []*segment {
	half := a.options.SegmentSize / 2
	for i, s := range a.sealed {
		live, run := s.live(), a.sealed[i:i+1]
		pair := i+1 < len(a.sealed) && live+a.sealed[i+1].live() <= half && spanFits(a.sealed[i:i+2])
		if !mostlyDead(s) && !pair {
			continue
		}
		for end := i + 1; end < len(a.sealed); end++ {
			next := a.sealed[end]
			live += next.live()
			small := live <= half || mostlyDead(next) && live <= a.options.SegmentSize
			if !small || !spanFits(a.sealed[i:end+1]) {
				break
			}
			run = a.sealed[i : end+1]
		}
		return run
	}
	return nil
}

func mostlyDead(s *segment) bool { return s.dead.bytes > 0 && 2*s.dead.bytes >= s.table.data() }

// spanFits says whether the records of the run can share one table.
func spanFits(run []*segment) bool {
	last := run[len(run)-1]
	return last.table.id(last.table.length()-1).Major-run[0].table.base < 1<<32
}

// mergeStep returns the next step of the merge, beginning one if there is reason to.
func (a *Archive) mergeStep() *Step {
	for {
		if a.merge == nil {
			run := a.plan()
			if run == nil {
				return nil
			}
			a.merge = &merge{sources: slices.Clone(run), draft: a.newDraft()}
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

// next decides which records are copied now: the live ones in a stretch of one source that has at most
// size bytes. They are in the draft from here on, so that a later Kill finds them there too.
func (m *merge) next(size int64) *copying {
	for ; m.source < len(m.sources); m.source, m.record = m.source+1, 0 {
		s := m.sources[m.source]
		for m.record < s.table.length() {
			to := s.table.upTo(m.record, s.table.length(), size)
			var keep []int
			for i := m.record; i < to; i++ {
				if !s.dead.has(i) {
					keep = append(keep, i)
				}
			}
			m.record = to
			if keep == nil {
				continue
			}
			for _, i := range keep {
				m.draft.table.add(s.table.id(i), s.table.size(i))
			}
			return &copying{source: s, from: keep[0], to: keep[len(keep)-1] + 1, keep: keep,
				footer: m.draft.footer}
		}
	}
	return nil
}

// kill marks the copy of a record as dead.
func (m *merge) kill(s *segment, id ID) {
	if !slices.Contains(m.sources, s) {
		return
	}
	if i := m.draft.table.find(id); i >= 0 {
		m.draft.dead.add(i, m.draft.table.size(i))
	}
}

// publishMerge puts the merged segment, if it has any record, in the place of its sources.
func (a *Archive) publishMerge() {
	m := a.merge
	at := slices.Index(a.sealed, m.sources[0])
	list := slices.Clone(a.sealed[:at])
	if m.draft.table.length() > 0 {
		list = append(list, m.draft.sealed())
	}
	a.sealed = append(list, a.sealed[at+len(m.sources):]...)
	for _, s := range m.sources {
		a.retired = append(a.retired, s.listed())
	}
	a.merge = nil
}
