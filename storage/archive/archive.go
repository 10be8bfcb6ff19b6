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

// Record is one entry. Head and Body are opaque; heads are handed to Open's callback, bodies are not.
// Their bytes belong to the archive and must not be changed.
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
	SegmentSize int64 // bytes of records after which a segment is sealed: 16 MiB, 1 GiB at most
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
	o.SegmentSize = min(o.SegmentSize, segmentSizeMax)
	if o.StepSize <= 0 {
		o.StepSize = stepSizeDefault
	}
	if o.FlushSize <= 0 {
		o.FlushSize = flushSizeDefault
	}
	return o
}

// Archive is the owner's side. It decides and never writes: what it wants written it hands out as a
// Step. All its methods are called from one goroutine.
type Archive struct {
	dir     string
	options Options
	number  uint64 // of the next segment's name

	sealed []*segment // in files, ascending; replaced as a whole, for views share it
	full   []*draft   // behind them, closed, being written; replaced as a whole too
	active *draft     // behind them, the one that grows
	merge  *merge     // under way, or nil

	step    *Step     // handed out and not done
	wrote   bool      // the last step wrote what was appended: a merge comes first now
	retired []Segment // files that nothing in the archive uses any more
	saved   []Segment // what the last durable checkpoint names
	flushed []Segment // what the checkpoint names that is being made
}

func (a *Archive) newDraft() *draft {
	name := fmt.Sprintf("s%016x.seg", a.number)
	a.number++
	return &draft{memory: memory{table: newTable()}, name: name, path: path.Join(a.dir, name)}
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

// Append adds a record behind all others; id must be above every one before. Head and body are copied;
// together they have at most 512 MiB. The record is at once readable through a new View. It is in memory
// until a step has written it: who appends faster than steps are executed must watch Stats.Unwritten.
func (a *Archive) Append(id ID, head, body []byte) {
	if last, ok := a.last(); ok && !last.Less(id) {
		panic(fmt.Sprintf("archive: %v appended behind %v", id, last))
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

// roll closes the active segment and begins another.
func (a *Archive) roll() {
	a.active.close()
	a.full = append(slices.Clone(a.full), a.active)
	a.active = a.newDraft()
}

// Kill says that nobody will ask for the record again: a merge may drop it. Killing an unknown or dead
// record does nothing. The archive does not remember kills across Open.
func (a *Archive) Kill(id ID) {
	for i := len(a.full); i >= 0; i-- {
		d := a.active
		if i < len(a.full) {
			d = a.full[i]
		}
		if at := d.table.find(id); at >= 0 {
			d.dead.add(at, d.table.size(at))
			return
		}
	}
	i := sort.Search(len(a.sealed), func(i int) bool { return id.Less(a.sealed[i].table.id(0)) }) - 1
	if i < 0 {
		return
	}
	s := a.sealed[i]
	at := s.table.find(id)
	if at >= 0 && s.dead.add(at, s.table.size(at)) && a.merge != nil {
		a.merge.kill(s, id)
	}
}

// Step returns the next piece of bulk work, or nil. It must be executed, then given to Done, before
// the next Step or Flush.
func (a *Archive) Step() *Step {
	a.assertNoStep()
	s := a.removeStep()
	if s == nil && a.wrote {
		s = a.mergeStep()
	}
	wrote := false
	if s == nil {
		s = a.writeStep()
		wrote = s != nil
	}
	if s == nil {
		s = a.mergeStep()
	}
	a.wrote = wrote
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
	var names []string
	for _, s := range a.retired {
		if !named(a.saved, s.Name) && !named(a.flushed, s.Name) {
			names = append(names, s.Name)
		}
	}
	if names == nil {
		return nil
	}
	return &Step{remove: names}
}

func named(list []Segment, name string) bool {
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
	for _, d := range a.full {
		list = append(list, d.listed())
		step.writes = append(step.writes, d.writes(d.unwritten()))
	}
	if d := a.active; d.size() > 0 {
		list = append(list, d.listed())
		if d.unwritten() > 0 {
			step.writes = append(step.writes, d.writes(d.unwritten()))
		}
	}
	a.flushed = slices.Clone(list)
	if step.writes == nil {
		return list, nil
	}
	a.step = step
	return list, step
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
		w.draft.file, w.draft.written = w.file, w.end
		if w.copy != nil {
			w.draft.footer = w.copy.result
		}
		if w.draft.closed && w.draft.unwritten() == 0 {
			a.publish(w.draft)
		}
	}
	a.retired = slices.DeleteFunc(a.retired, func(r Segment) bool {
		return slices.Contains(s.remove, r.Name)
	})
}

// publish makes a segment of a draft that is all written: from now on new views read it from its file.
func (a *Archive) publish(d *draft) {
	if a.merge != nil && d == a.merge.draft {
		a.publishMerge()
		return
	}
	if d != a.full[0] {
		panic("archive: segments were sealed out of order")
	}
	a.sealed = append(slices.Clone(a.sealed), d.sealed())
	a.full = slices.Clone(a.full[1:])
}

// Saved says that a durable checkpoint names these segments and only these: later steps may remove
// other files that the archive no longer uses.
func (a *Archive) Saved(segments []Segment) {
	a.saved = slices.Clone(segments)
	if slices.Equal(a.saved, a.flushed) {
		a.flushed = nil
	}
}
