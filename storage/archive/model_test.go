package archive

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"detcd/storage/vfs"
)

// entryOf is what the model knows of a record.
type entryOf struct {
	Record
	dead bool
}

// moment is a view with what it must show forever: all of the living, and nothing that never was.
type moment struct {
	view  *View
	alive []Record
	ever  []Record
}

// world is an archive on a device that may crash, next to a model of it.
type world struct {
	fs      *vfs.Memory
	options Options
	archive *Archive
	records []entryOf // all that the archive was given and may still have
	next    ID
	choose  *rand.Rand

	step    *Step
	flush   []Segment // a checkpoint that is being made, if flushed
	flushed []Record  // what it holds
	isFlush bool
	ready   bool      // the flush is executed
	durable []Segment // the last durable checkpoint
	held    []Record  // what it holds
	moments []moment
	fail    func(format string, args ...any)
}

func newWorld(options Options, seed uint64, fail func(string, ...any)) *world {
	w := &world{fs: vfs.NewMemory(), options: options, choose: rand.New(rand.NewPCG(seed, 0)),
		fail: fail}
	w.open(w.fs)
	return w
}

// open opens the durable checkpoint and takes what it holds as the model.
func (w *world) open(fs *vfs.Memory) {
	var found []ID
	a, err := Open(fs, "archive", w.durable, w.options, func(id ID, head []byte, body int) error {
		found = append(found, id)
		if i := len(found) - 1; i < len(w.held) {
			r := w.held[i]
			if r.ID != id || !bytes.Equal(r.Head, head) || len(r.Body) != body {
				return fmt.Errorf("found %v %q %d, want %v %q %d", id, head, body, r.ID, r.Head, len(r.Body))
			}
		}
		return nil
	})
	if err != nil {
		w.fail("open: %v", err)
	}
	w.fs, w.archive, w.step, w.isFlush, w.moments = fs, a, nil, false, nil
	w.records = nil
	for _, r := range w.held {
		w.records = append(w.records, entryOf{Record: r})
	}
	if got := w.scan(a.View()); !equalRecords(got, w.held) {
		w.fail("opened with %d records, want %d", len(got), len(w.held))
	}
	if _, err := Check(fs, "archive", w.durable); err != nil {
		w.fail("check: %v", err)
	}
}

func (w *world) scan(v *View) []Record {
	var out []Record
	err := v.Scan(ID{}, ID{Major: 1<<64 - 1}, func(r Record) bool {
		out = append(out, copyOf(r))
		return true
	})
	if err != nil {
		w.fail("scan: %v", err)
	}
	return out
}

func copyOf(r Record) Record {
	return Record{ID: r.ID, Head: bytes.Clone(r.Head), Body: bytes.Clone(r.Body)}
}

func equalRecords(a, b []Record) bool {
	return slices.EqualFunc(a, b, func(a, b Record) bool {
		return a.ID == b.ID && bytes.Equal(a.Head, b.Head) && bytes.Equal(a.Body, b.Body)
	})
}

func (w *world) bytes(length int) []byte {
	b := make([]byte, length)
	for i := range b {
		b[i] = byte(w.choose.Uint32())
	}
	return b
}

func (w *world) append(jump uint64, head, body int) {
	if jump > 0 {
		w.next = ID{Major: w.next.Major + jump}
	} else {
		w.next.Minor++
	}
	r := Record{ID: w.next, Head: w.bytes(head), Body: w.bytes(body)}
	w.records = append(w.records, entryOf{Record: r})
	scratch := copyOf(r)
	w.archive.Append(scratch.ID, scratch.Head, scratch.Body)
	clear(scratch.Head) // the archive must have copied
	clear(scratch.Body)
}

func (w *world) kill(i int) {
	if len(w.records) > 0 {
		i %= len(w.records)
		w.records[i].dead = true
		w.archive.Kill(w.records[i].ID)
	}
}

// takeStep asks for a step; executeStep lets the disk do it, looking at a crash before each operation.
func (w *world) takeStep() {
	if w.step == nil && (!w.isFlush || w.ready) {
		w.step = w.archive.Step()
	}
}

func (w *world) takeFlush() {
	if w.step != nil || w.isFlush {
		return
	}
	w.flushed = w.scan(w.archive.View())
	w.flush, w.step = w.archive.Flush()
	w.isFlush, w.ready = true, w.step == nil
}

func (w *world) executeStep() {
	if w.step == nil {
		return
	}
	noSpace := w.choose.IntN(4) == 0
	judge := func(op vfs.Op) vfs.Verdict {
		if op.Kind.Changes() {
			w.wouldRecover(w.fs.CrashClone(w.choose))
			w.wouldRecover(w.fs.CrashClone(nil))
		}
		if op.Kind == vfs.Allocate && noSpace {
			noSpace = false
			return vfs.Verdict{Err: vfs.ErrNoSpace}
		}
		return vfs.Verdict{}
	}
	// The handles that the archive keeps must not be judged later on: only their use by this step is.
	err := Execute(vfs.Wrap(w.fs, judge), "archive", w.step)
	if errors.Is(err, vfs.ErrNoSpace) {
		err = Execute(vfs.Wrap(w.fs, judge), "archive", w.step)
	}
	if err != nil {
		w.fail("execute: %v", err)
	}
	w.archive.Done(w.step)
	w.step = nil
	w.ready = w.isFlush
}

// save makes the checkpoint durable whose flush is executed. The archive learns of it a little later
// in reality, which the model leaves to the caller.
func (w *world) save() {
	if w.isFlush && w.ready && w.step == nil {
		w.durable, w.held = w.flush, w.flushed
		w.archive.Saved(w.durable)
		w.isFlush = false
	}
}

// wouldRecover opens the durable checkpoint on a crashed copy of the device.
func (w *world) wouldRecover(fs *vfs.Memory) {
	var found []Record
	a, err := Open(fs, "archive", w.durable, w.options, func(ID, []byte, int) error { return nil })
	if err == nil {
		err = a.valid()
	}
	if err != nil {
		w.fail("after a crash: %v", err)
		return
	}
	found = w.scan(a.View())
	if !equalRecords(found, w.held) {
		w.fail("a crash left %d records, want %d", len(found), len(w.held))
	}
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
		if err != nil || !equalRecords([]Record{got}, []Record{r}) {
			w.fail("get %v: %v", r.ID, err)
		}
	}
	got, k := w.scan(m.view), 0
	for _, r := range got {
		for k < len(m.ever) && m.ever[k].ID.Less(r.ID) {
			k++
		}
		if k == len(m.ever) || !equalRecords([]Record{r}, m.ever[k:k+1]) {
			w.fail("scan shows %v, which never was", r.ID)
		}
	}
	if len(got) < len(m.alive) {
		w.fail("scan shows %d records, %d are alive", len(got), len(m.alive))
	}
	if _, err := m.view.Get(ID{Major: w.next.Major + 1}); !errors.Is(err, ErrNotFound) {
		w.fail("got a record that never was: %v", err)
	}
}

func (w *world) crash() {
	choose := w.choose
	if choose.IntN(3) == 0 {
		choose = nil
	}
	w.open(w.fs.CrashClone(choose))
	// What was appended after the checkpoint is lost here; in a member the log brings it back.
}

func (w *world) check() {
	if err := w.archive.valid(); err != nil {
		w.fail("%v", err)
	}
}

func TestArchiveBehavesAsASimpleMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		options := Options{
			SegmentSize: rapid.Int64Range(1, 2000).Draw(t, "segment"),
			StepSize:    rapid.IntRange(1, 1000).Draw(t, "step"),
			FlushSize:   rapid.IntRange(1, 500).Draw(t, "flush"),
		}
		w := newWorld(options, rapid.Uint64().Draw(t, "seed"), t.Fatalf)
		jump := rapid.SampledFrom([]uint64{0, 0, 1, 1, 1, 7, 1 << 32, 3 << 40})
		t.Repeat(map[string]func(*rapid.T){
			"append": func(t *rapid.T) {
				for range rapid.IntRange(1, 20).Draw(t, "count") {
					w.append(jump.Draw(t, "jump"), rapid.IntRange(0, 30).Draw(t, "head"),
						rapid.IntRange(0, 300).Draw(t, "body"))
				}
			},
			"kill": func(t *rapid.T) {
				i := rapid.Int().Draw(t, "which") & (1<<30 - 1)
				for k := range rapid.IntRange(1, 20).Draw(t, "count") {
					w.kill(i + k)
				}
			},
			"step":    func(*rapid.T) { w.takeStep() },
			"execute": func(*rapid.T) { w.executeStep() },
			"steps": func(*rapid.T) {
				for range 20 {
					w.executeStep()
					w.takeStep()
				}
			},
			"flush": func(*rapid.T) { w.takeFlush() },
			"save":  func(*rapid.T) { w.save() },
			"look":  func(t *rapid.T) { w.look(rapid.IntRange(0, 10).Draw(t, "moment")) },
			"crash": func(*rapid.T) { w.crash() },
			"":      func(*rapid.T) { w.check() },
		})
	})
}
