package archive

import (
	"fmt"
	"path"
	"slices"
	"sort"
)

// ID orders records: by Major, then by Minor.
type ID struct {
	Major uint64
	Minor uint32
}

// Less says whether i comes before other.
func (i ID) Less(other ID) bool {
	if i.Major != other.Major {
		return i.Major < other.Major
	}
	return i.Minor < other.Minor
}

// Record is one entry. Head and Body are opaque; Open tells of heads, not of bodies. Their bytes
// belong to the archive and must not be changed.
type Record struct {
	ID         ID
	Head, Body []byte
}

// Segment is what a checkpoint must remember of one file. A list of them, in order, is the archive.
type Segment struct {
	Name     string // base name in the directory of the archive
	Length   int64  // bytes that belong to it; the file of an unsealed one may be longer
	Sealed   bool   // it never changes again; only the last of a list may be unsealed
	Checksum uint32 // covers all of its bytes, by way of the checksums inside
}

// Options bound the sizes; zero means the default.
type Options struct {
	SegmentSize int64 // bytes of records after which a segment is sealed: 16 MiB, at most 1 GiB
	StepSize    int   // bytes that one step reads and writes, a flush apart: 1 MiB
	FlushSize   int   // unwritten bytes that ask for a step: 1 MiB
}

const (
	segmentSizeDefault = 16 << 20
	segmentSizeMax     = 1 << 30
	stepSizeDefault    = 1 << 20
	flushSizeDefault   = 1 << 20
)

func (o Options) withDefaults() Options {
	if o.SegmentSize <= 0 {
		o.SegmentSize = segmentSizeDefault
	}
	if o.StepSize <= 0 {
		o.StepSize = stepSizeDefault
	}
	if o.FlushSize <= 0 {
		o.FlushSize = flushSizeDefault
	}
	o.SegmentSize = min(o.SegmentSize, segmentSizeMax)
	return o
}

// Archive is the owner's side. It decides and never writes: what it wants written it hands out as a
// Step. All its methods are called from one goroutine.
//
// Views share its slices: these are added to or replaced, never changed below their length.
type Archive struct {
	dir     string
	options Options
	number  uint64 // of the next file's name

	sealed []*segment // in files, ascending
	sums   Stats      // of the sealed
	full   []*draft   // behind them, closed, being written
	active *draft     // behind them, the one that grows
	merge  *merge     // under way, or nil

	step    *Step       // handed out and not done
	wrote   bool        // the last step wrote what was appended: a merge comes first now
	planned bool        // no merge is worth it, until a record dies or a segment is sealed
	swept   bool        // no file can be removed, until one is retired or a checkpoint saved
	retired []Segment   // files that nothing in the archive uses any more
	saved   []Segment   // what a durable checkpoint names
	flushed [][]Segment // what checkpoints name that were begun since, the oldest first

	rewriting bool     // a defragmentation is at the segments that begin at until or before it
	until     ID       // the last record when it was asked for
	leaving   []string // the files that it waits for to be removed
}

func (a *Archive) newDraft() *draft {
	name := fmt.Sprintf("s%016x.seg", a.number)
	a.number++
	return &draft{memory: memory{table: newTable()}, name: name, path: path.Join(a.dir, name)}
}

// Append adds a record behind all others; id must be above every one before. Head and body are
// copied; together they have at most 512 MiB. The record is at once readable through a new View. It
// is in memory until a step has written it: who appends faster than steps are executed must watch
// Stats.Unwritten.
func (a *Archive) Append(id ID, head, body []byte) {
	if last, ok := a.last(); ok && !last.Less(id) {
		panic(fmt.Sprintf("archive: %v is appended behind %v", id, last))
	}
	if len(head)+len(body) > payloadSizeMax {
		panic(fmt.Sprintf("archive: %v has %d bytes", id, len(head)+len(body)))
	}
	if !a.active.table.fits(id) {
		a.roll()
	}
	a.active.append(Record{ID: id, Head: head, Body: body})
	if a.active.table.data() >= a.options.SegmentSize {
		a.roll()
	}
}

// last is the highest ID; false when there is no record.
func (a *Archive) last() (ID, bool) {
	t := &a.active.table
	if t.length() == 0 && len(a.full) > 0 {
		t = &a.full[len(a.full)-1].table
	} else if t.length() == 0 && len(a.sealed) > 0 {
		t = &a.sealed[len(a.sealed)-1].table
	}
	if t.length() == 0 {
		return ID{}, false
	}
	return t.id(t.length() - 1), true
}

// roll closes the active segment and begins another.
func (a *Archive) roll() {
	a.active.close()
	a.full = append(a.full, a.active)
	a.active = a.newDraft()
}

// Kill says that nobody will ask for the record again: a merge may drop it. Killing an unknown or a
// dead record does nothing. The archive does not remember kills across Open.
func (a *Archive) Kill(id ID) {
	if a.active.dead.kill(&a.active.table, id) {
		return
	}
	for _, d := range a.full {
		if d.dead.kill(&d.table, id) {
			return
		}
	}
	after := sort.Search(len(a.sealed), func(i int) bool { return id.Less(a.sealed[i].table.id(0)) })
	if after == 0 {
		return
	}
	s := a.sealed[after-1]
	before := s.dead.bytes
	s.dead.kill(&s.table, id)
	a.sums.Live -= s.dead.bytes - before
	a.sums.Dead += s.dead.bytes - before
	if a.merge != nil && slices.Contains(a.merge.sources, s) {
		a.merge.draft.dead.kill(&a.merge.draft.table, id) // if it was copied already
	}
	a.planned = false
}

// Step returns the next piece of bulk work, or nil. It must be executed, then given to Done, before
// the next Step or Flush.
func (a *Archive) Step() *Step {
	a.assertNoStep()
	s := a.removeStep()
	if s == nil && a.wrote {
		s = a.mergeStep()
	}
	a.wrote = false
	if s == nil {
		s = a.writeStep()
		a.wrote = s != nil
	}
	if s == nil {
		s = a.mergeStep()
	}
	a.step = s
	return s
}

func (a *Archive) assertNoStep() {
	if a.step != nil {
		panic("archive: the step before was not done")
	}
}

// writeStep is the next bytes of what was appended.
func (a *Archive) writeStep() *Step {
	d := a.active
	if len(a.full) > 0 {
		d = a.full[0]
	} else if d.unwritten() < int64(a.options.FlushSize) {
		return nil
	}
	return &Step{writes: []*write{d.writes(int64(a.options.StepSize))}}
}

// removeStep removes the retired files that no checkpoint needs.
func (a *Archive) removeStep() *Step {
	if a.swept {
		return nil
	}
	var names []string
	for _, s := range a.retired {
		needed := isNamed(a.saved, s.Name)
		for _, list := range a.flushed {
			needed = needed || isNamed(list, s.Name)
		}
		if !needed {
			names = append(names, s.Name)
		}
	}
	a.swept = true
	if names == nil {
		return nil
	}
	return &Step{remove: names}
}

func isNamed(list []Segment, name string) bool {
	return slices.ContainsFunc(list, func(s Segment) bool { return s.Name == name })
}

// Flush returns what a checkpoint may name once the step is executed. The step writes and syncs all
// that is still in memory, however much; it is nil when there is nothing to write.
func (a *Archive) Flush() ([]Segment, *Step) {
	a.assertNoStep()
	var list []Segment
	for _, s := range a.sealed {
		list = append(list, s.listed())
	}
	step := &Step{}
	for _, d := range a.drafts() {
		list = append(list, d.listed())
		if d.unwritten() > 0 {
			step.writes = append(step.writes, d.writes(d.unwritten()))
		}
	}
	a.flushed = append(a.flushed, slices.Clone(list))
	if step.writes == nil {
		return list, nil
	}
	a.step = step
	return list, step
}

// drafts returns what is in memory, but not an active segment without records.
func (a *Archive) drafts() []*draft {
	if a.active.table.length() == 0 {
		return a.full
	}
	return append(slices.Clone(a.full), a.active)
}

// Done takes back an executed step. Done of nil does nothing.
func (a *Archive) Done(s *Step) {
	if s == nil {
		return
	}
	if s != a.step {
		panic("archive: this is not the step that was handed out")
	}
	a.step = nil
	for _, w := range s.writes {
		d := w.draft
		d.file, d.written = w.file, w.end
		if w.copy != nil {
			d.footer = w.copy.result
		}
		switch {
		case !d.closed || d.unwritten() > 0:
		case a.merge != nil && d == a.merge.draft:
			a.publishMerge()
		default: // in the order in which they were closed
			a.setSealed(append(a.sealed, d.sealed()))
			a.full = slices.Clone(a.full[1:])
		}
	}
	a.retired = slices.DeleteFunc(a.retired, func(r Segment) bool {
		return slices.Contains(s.remove, r.Name)
	})
	a.leaving = slices.DeleteFunc(a.leaving, func(name string) bool {
		return slices.Contains(s.remove, name)
	})
}

// setSealed replaces the list of sealed segments.
func (a *Archive) setSealed(list []*segment) {
	a.sealed, a.sums, a.planned = list, Stats{}, false
	for _, s := range list {
		a.sums.add(&s.table, &s.dead)
		a.sums.Disk += s.length
	}
}

// Saved says that a durable checkpoint names these segments, as a Flush returned them, and that no
// older one is needed: later steps may remove other files that the archive no longer uses, but none
// that a later Flush named.
func (a *Archive) Saved(segments []Segment) {
	a.saved, a.swept = slices.Clone(segments), false
	for i, list := range slices.Backward(a.flushed) {
		if slices.Equal(list, segments) {
			a.flushed = slices.Clone(a.flushed[i+1:])
			return
		}
	}
}
