package archive

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"detcd/storage/vfs"
)

// known is what the model knows of a record.
type known struct {
	Record
	dead bool
}

// checkpoint is a list of segments and the records that a recovery from it must show.
type checkpoint struct {
	segments []Segment
	records  []Record
}

// moment is a view with what it must show forever: all that lived then, and nothing that never was.
type moment struct {
	view  *View
	alive []Record
	ever  []Record
}

// world is an archive on a device that may crash or be full, next to a model of it: a sorted list.
type world struct {
	memory  *vfs.Memory
	disk    vfs.FS // the memory, judged
	options Options
	choose  *rand.Rand
	fail    func(format string, args ...any)

	archive *Archive
	records []known // all that the archive was given and may still have
	next    ID
	moments []moment

	step    *Step
	calm    bool       // no crash is looked at but those that happen
	full    bool       // the next allocation fails
	durable checkpoint // the last one saved
	coming  *checkpoint
	flush   *Step       // of the one that is coming, until it is done
	needed  [][]Segment // those made durable that somebody may still read
}

func newWorld(options Options, seed uint64, fail func(string, ...any)) *world {
	w := &world{options: options, choose: rand.New(rand.NewPCG(seed, 0)), fail: fail}
	w.open(vfs.NewMemory())
	return w
}

// open recovers from the durable checkpoint, and takes what it held as the model.
func (w *world) open(memory *vfs.Memory) {
	w.memory, w.disk = memory, vfs.Wrap(memory, w.judge)
	w.step, w.coming, w.flush, w.moments = nil, nil, nil, nil
	w.needed = [][]Segment{w.durable.segments}
	w.archive = w.recover(w.disk)
	w.records = nil
	for _, r := range w.durable.records {
		w.records = append(w.records, known{Record: r})
	}
}

// judge looks at a crash before every change of the device, and lets the device be full at times.
func (w *world) judge(op vfs.Op) vfs.Verdict {
	if op.Kind.Changes() && !w.calm {
		w.recover(w.memory.CrashClone(w.choose))
		w.recover(w.memory.CrashClone(nil))
	}
	if op.Kind == vfs.Allocate && w.full {
		w.full = false
		return vfs.Verdict{Err: vfs.ErrNoSpace}
	}
	return vfs.Verdict{}
}

// recover opens the durable checkpoint, which must show exactly what it held.
func (w *world) recover(fs vfs.FS) *Archive {
	i, held := 0, w.durable.records
	each := func(id ID, head []byte, body int) error {
		if i == len(held) {
			return fmt.Errorf("%v was not held", id)
		}
		r := held[i]
		if i++; r.ID != id || !bytes.Equal(r.Head, head) || len(r.Body) != body {
			return fmt.Errorf("%v %q %d, want %v %q %d", id, head, body, r.ID, r.Head, len(r.Body))
		}
		return nil
	}
	a, err := Open(fs, "archive", w.durable.segments, w.options, each)
	if err != nil {
		w.fail("recovery: %v", err)
	}
	if err := a.valid(); err != nil {
		w.fail("recovery: %v", err)
	}
	if got := w.scan(a.View()); !equal(got, held) {
		w.fail("recovery shows %d records, want %d", len(got), len(held))
	}
	if report, err := Check(fs, "archive", w.durable.segments); err != nil ||
		report.Records != len(held) || report.Unnamed != nil {
		w.fail("recovery: check says %+v, %v", report, err)
	}
	return a
}

func (w *world) scan(v *View) []Record {
	var out []Record
	err := v.Scan(ID{}, ID{Major: 1<<64 - 1}, func(r Record) bool {
		out = append(out, Record{ID: r.ID, Head: bytes.Clone(r.Head), Body: bytes.Clone(r.Body)})
		return true
	})
	if err != nil {
		w.fail("scan: %v", err)
	}
	return out
}

func equal(a, b []Record) bool {
	return slices.EqualFunc(a, b, func(a, b Record) bool {
		return a.ID == b.ID && bytes.Equal(a.Head, b.Head) && bytes.Equal(a.Body, b.Body)
	})
}

func (w *world) randomBytes(length int) []byte {
	b := make([]byte, length)
	for i := range b {
		b[i] = byte(w.choose.Uint32())
	}
	return b
}

// append adds a record whose Major is so much higher, or whose Minor is if the jump is 0.
func (w *world) append(jump uint64, head, body int) {
	if jump > 0 {
		w.next = ID{Major: w.next.Major + jump}
	} else {
		w.next.Minor++
	}
	r := Record{ID: w.next, Head: w.randomBytes(head), Body: w.randomBytes(body)}
	w.records = append(w.records, known{Record: r})
	mine, scratch := bytes.Clone(r.Head), bytes.Clone(r.Body)
	w.archive.Append(r.ID, mine, scratch)
	clear(mine) // the archive must have copied
	clear(scratch)
}

func (w *world) kill(i int) {
	if len(w.records) > 0 {
		r := &w.records[i%len(w.records)]
		r.dead = true
		w.archive.Kill(r.ID)
	}
}

// killAlive kills a record if it is alive, and says so.
func (w *world) killAlive(i int) bool {
	if w.records[i].dead {
		return false
	}
	w.kill(i)
	return true
}

// forget drops the dead from the model.
func (w *world) forget() {
	w.records = slices.DeleteFunc(w.records, func(r known) bool { return r.dead })
}

// take asks for a step, or for the flush of a checkpoint, unless a step is under way.
func (w *world) take(flush bool) {
	switch {
	case w.step != nil:
	case !flush:
		w.step = w.archive.Step()
	case w.coming == nil:
		w.coming = &checkpoint{records: w.scan(w.archive.View())}
		w.coming.segments, w.flush = w.archive.Flush()
		w.step = w.flush
	}
}

func (w *world) execute() {
	err := Execute(w.disk, "archive", w.step)
	if errors.Is(err, vfs.ErrNoSpace) {
		err = Execute(w.disk, "archive", w.step)
	}
	if err != nil {
		w.fail("execute: %v", err)
	}
	w.archive.Done(w.step)
	if w.step == w.flush {
		w.flush = nil
	}
	w.step = nil
}

// save makes the checkpoint durable that is coming, if its flush is done.
func (w *world) save() {
	if w.coming != nil && w.flush == nil {
		w.durable, w.coming = *w.coming, nil
		w.needed = append(w.needed, w.durable.segments)
	}
}

// tell lets the archive know of the last durable checkpoint, and nobody needs another.
func (w *world) tell() {
	w.needed = [][]Segment{w.durable.segments}
	w.archive.Saved(w.durable.segments)
}

// valid checks the archive from inside, and that every file is there that somebody needs.
func (w *world) valid() error {
	if err := w.archive.valid(); err != nil {
		return err
	}
	for _, list := range w.needed {
		if _, err := Check(w.memory, "archive", list); err != nil {
			return err
		}
	}
	return w.counted()
}

// counted checks the figures: against the model, and against the files unless a step is under way.
func (w *world) counted() error {
	stats, live, disk := w.archive.Stats(), int64(0), int64(0)
	for _, r := range w.records {
		if !r.dead {
			live += r.numbers().recordSize()
		}
	}
	all, count := int64(0), 0
	for _, r := range w.scan(w.archive.View()) {
		all += r.numbers().recordSize()
		count++
	}
	if stats.Live != live || stats.Live+stats.Dead != all || stats.Records != count {
		return fmt.Errorf("%d bytes live, %d in all, %d records: %+v", live, all, count, stats)
	}
	names, err := w.memory.List("archive")
	for _, name := range names {
		file, err := w.memory.Open("archive/" + name)
		if err != nil {
			return err
		}
		size, err := file.Size()
		if err != nil {
			return err
		}
		disk += size
	}
	if w.step == nil && stats.Disk != disk {
		return fmt.Errorf("%d bytes on disk: %+v", disk, stats)
	}
	return err
}

// settle does all the work there is.
func (w *world) settle() {
	for range 2 { // first all is in files, then a checkpoint names it and the rest is removed
		w.take(true)
		w.execute()
		w.save()
		w.tell()
		for n := 0; ; n++ {
			w.take(false)
			if w.step == nil {
				break
			}
			w.execute()
			if n > 1_000_000 {
				w.fail("there is always another step")
			}
		}
	}
	w.take(true)
	w.execute()
	w.save()
	w.tell()
}

// look remembers a view, and verifies one that was remembered.
func (w *world) look(i int) {
	m := moment{view: w.archive.View()}
	for _, e := range w.records {
		m.ever = append(m.ever, e.Record)
		if !e.dead {
			m.alive = append(m.alive, e.Record)
		}
	}
	w.moments = append(w.moments, m)
	w.verify(w.moments[i%len(w.moments)])
	if len(w.moments) > 5 {
		w.moments = slices.Delete(w.moments, 0, 1)
	}
}

func (w *world) verify(m moment) {
	for _, r := range m.alive {
		got, err := m.view.Get(r.ID)
		if err != nil || !equal([]Record{got}, []Record{r}) {
			w.fail("get %v: %v", r.ID, err)
		}
	}
	got, k := w.scan(m.view), 0
	for _, r := range got {
		for k < len(m.ever) && m.ever[k].ID.Less(r.ID) {
			k++
		}
		if k == len(m.ever) || !equal([]Record{r}, m.ever[k:k+1]) {
			w.fail("scan shows %v, which never was", r.ID)
		}
	}
	if len(got) < len(m.alive) {
		w.fail("scan shows %d records, %d are alive", len(got), len(m.alive))
	}
	if len(got) > 0 {
		w.verifyScan(m.view, got)
	}
	if _, err := m.view.Get(ID{Major: w.next.Major + 1}); !errors.Is(err, ErrNotFound) {
		w.fail("got a record that never was: %v", err)
	}
}

// verifyScan scans a random part, of which the records are known.
func (w *world) verifyScan(v *View, all []Record) {
	i, k := w.choose.IntN(len(all)), w.choose.IntN(len(all))
	from, to, limit := all[min(i, k)].ID, all[max(i, k)].ID, w.choose.IntN(len(all))+1
	var got []Record
	err := v.Scan(from, to, func(r Record) bool {
		got = append(got, Record{ID: r.ID, Head: bytes.Clone(r.Head), Body: bytes.Clone(r.Body)})
		return len(got) < limit
	})
	want := all[min(i, k):max(i, k)]
	if want = want[:min(limit, len(want))]; err != nil || !equal(got, want) {
		w.fail("scan from %v to %v shows %d records, want %d: %v", from, to, len(got), len(want), err)
	}
}

// crash recovers on what the device holds after a crash now. What was appended after the durable
// checkpoint is lost here; in a member the log brings it back.
func (w *world) crash() {
	choose := w.choose
	if choose.IntN(3) == 0 {
		choose = nil
	}
	w.open(w.memory.CrashClone(choose))
}
