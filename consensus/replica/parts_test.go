package replica

import (
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"detcd/storage/checkpoint"
	"detcd/storage/vfs"
	"detcd/storage/vfs/vfstest"
	"detcd/storage/wal"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// A hermit is a cluster of one member, driven by hand.
type hermit struct {
	machine *ledger
	replica *Replica
	disk    *Disk
	now     Time
}

// hermitOptions are those of a run; each has a number of its own.
func hermitOptions(fs vfs.FS, run uint64) Options {
	return Options{ID: 1, Cluster: 7, Incarnation: 100 + run, SessionID: run, FS: fs,
		Machine: &ledger{}, Members: []Member{{ID: 1, PeerURLs: []string{"http://1"}}},
		Self: Member{Name: "m1"}, CheckpointBytes: 1 << 10, WALOptions: wal.Options{SegmentSize: 1 << 10}}
}

// settleIn starts a member and lets it lead.
func settleIn(o Options) (*hermit, error) {
	h := &hermit{machine: o.Machine.(*ledger)}
	var err error
	if h.replica, h.disk, err = Open(o); err != nil {
		return nil, err
	}
	for err == nil && !h.replica.leading() {
		h.now += Time(100 * time.Millisecond)
		h.replica.Tick(h.now)
		err = h.turn()
	}
	return h, err
}

func (h *hermit) turn() error {
	for {
		effects := h.replica.Take()
		if w := effects.Write; w != nil {
			if err := h.disk.Do(w); err != nil {
				return err
			}
			h.replica.Done(w)
		}
		if b := effects.Background; b != nil {
			if err := h.disk.DoBackground(b); err != nil {
				return err
			}
			h.replica.BackgroundDone(b)
		}
		if effects.Write == nil && effects.Background == nil && !effects.More {
			return nil
		}
	}
}

// do executes a command.
func (h *hermit) do(command string) error {
	h.replica.Submit(1, []byte(command))
	return h.turn()
}

// A diary is what a member did over several runs.
type diary struct {
	runs  uint64
	acked uint64 // commands
}

// live starts a member, which must have all that was acknowledged, and executes some commands.
func (d *diary) live(fs vfs.FS, commands int) error {
	d.runs++
	h, err := settleIn(hermitOptions(fs, d.runs))
	if err != nil {
		return err
	}
	if h.machine.count < d.acked || h.machine.count > d.acked+1 {
		return fmt.Errorf("it has %d commands, %d were acknowledged", h.machine.count, d.acked)
	}
	d.acked = h.machine.count
	for range commands {
		if err := h.do("some command that is long enough"); err != nil {
			return err
		}
		d.acked++
	}
	return h.disk.Close()
}

// TestACrashAtAnyMomentOfAStartIsRecovered crashes the first start of a member before each of its
// operations, the start after that again, and looks at a third one. So it does with a second start.
func TestACrashAtAnyMomentOfAStartIsRecovered(t *testing.T) {
	for _, earlier := range []int{-1, 20} {
		memory := vfs.NewMemory()
		d := &diary{}
		if earlier >= 0 {
			must(t, d.live(memory, earlier))
		}
		third := func(t *testing.T, image *vfs.Memory, d diary) {
			must(t, d.live(image, 2))
			must(t, d.live(image, 0))
		}
		fs, done := vfstest.CrashEverywhere(t, memory, 2, func(t *testing.T, image *vfs.Memory) {
			d := *d
			fs, done := vfstest.CrashEverywhere(t, image, 0, func(t *testing.T, image *vfs.Memory) {
				third(t, image, d)
			})
			must(t, d.live(fs, 0))
			done()
		})
		must(t, d.live(fs, 1))
		if moments := done(); moments < 20 {
			t.Errorf("after %d commands: only %d moments", earlier, moments)
		}
		if t.Failed() {
			t.Fatalf("after %d commands", earlier)
		}
	}
}

// TestADirectoryThatIsNotSyncedIsMissed lets no sync of one directory happen, and crashes.
func TestADirectoryThatIsNotSyncedIsMissed(t *testing.T) {
	for _, dir := range []string{"none", ".", "checkpoint", "archive", "archive/start", "wal"} {
		memory, d := vfs.NewMemory(), &diary{}
		fs := vfs.Wrap(memory, func(op vfs.Op) vfs.Verdict {
			return vfs.Verdict{Lie: op.Kind == vfs.SyncDir && op.Name == dir}
		})
		must(t, d.live(fs, 60))
		before := d.acked
		err := d.live(memory.CrashClone(nil), 0)
		if noticed := err != nil || d.acked < before; noticed != (dir != "none") {
			t.Errorf("without the syncs of %s: %d of %d commands, %v", dir, d.acked, before, err)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestAStartOfAnotherMemberIsRefused puts the start that another member's archive has, from before
// all that the log still has, in the place of this one's; and the log of another member with the
// files of a program that named no positions.
func TestAStartOfAnotherMemberIsRefused(t *testing.T) {
	fs := vfs.NewMemory()
	must(t, (&diary{}).live(fs, 100))
	start := func(by uint64) []byte {
		return encodeStart(identity{7, 1, by}, wal.Position{Sequence: 2, Chain: 9})
	}
	for _, c := range []struct {
		by      uint64
		refused bool
	}{{101, false}, {102, true}} {
		image := fs.CrashClone(nil)
		must(t, checkpoint.Save(image, startDir, 2, start(c.by)))
		_, _, err := Open(hermitOptions(image, 2))
		if errors.Is(err, ErrParts) != c.refused || (err != nil) != c.refused {
			t.Errorf("a start of incarnation %d: %v", c.by, err)
		}
	}
	old := oldDirectory(t)
	log, _, err := wal.Open(old, walDir, 1, wal.Options{SegmentSize: 1 << 10})
	must(t, err)
	must(t, log.Append([][]byte{appendStartRecord(nil, identity{7, 1, 102}, 1)}))
	if _, _, err := Open(hermitOptions(old, 1)); !errors.Is(err, ErrParts) {
		t.Errorf("the log of another member: %v", err)
	}
}

// oldDirectory is what a program wrote that named no positions of the log: a member with a term, a
// vote, and one command.
func oldDirectory(t *testing.T) *vfs.Memory {
	t.Helper()
	memory := vfs.NewMemory()
	first := firstCheckpoint(new(hermitOptions(memory, 1)))
	w := writer{[]byte{1}}
	w.identity(first.identity)
	w.hard(first.hard)
	w.uvarint(uint64(first.walFrom))
	w.shared(first)
	w.string(first.state)
	must(t, checkpoint.Save(memory, checkpointDir, 1, w.bytes))
	must(t, vfs.MakeDir(memory, archiveDir))
	log, _, err := wal.Open(memory, walDir, 1, wal.Options{SegmentSize: 1 << 10})
	must(t, err)
	e := envelope{kind: entryCommands, sessionID: 99, origin: 1, number: 1, requests: []RequestID{1},
		commands: [][]byte{[]byte("old")}}
	hard := &raftpb.HardState{Term: new(uint64(2)), Vote: new(uint64(1)), Commit: new(uint64(2))}
	must(t, log.Append([][]byte{
		appendEntry(nil, &raftpb.Entry{Term: new(uint64(2)), Index: new(uint64(2)), Data: e.encode()}),
		appendHard(nil, hard),
	}))
	must(t, log.Close())
	return memory
}

// TestAnOldDirectoryIsTakenOver reads what earlier programs wrote, and makes of it what this one
// writes. A log that was lost is noticed there too.
func TestAnOldDirectoryIsTakenOver(t *testing.T) {
	fs := oldDirectory(t)
	lost := vfs.NewMemory()
	_, blob, err := checkpoint.Load(fs, checkpointDir)
	must(t, err)
	must(t, checkpoint.Save(lost, checkpointDir, 1, blob))
	if _, _, err := Open(hermitOptions(lost, 1)); !errors.Is(err, ErrParts) {
		t.Errorf("without its log: %v", err)
	}
	d := &diary{acked: 1}
	must(t, d.live(fs, 3))
	must(t, d.live(fs, 0))
	if d.acked != 4 {
		t.Errorf("it has %d commands", d.acked)
	}
	o := hermitOptions(fs, 3)
	o.setDefaults()
	p, err := readParts(&o)
	must(t, err)
	if p.run != 2 || p.saved.passed.Sequence == 0 {
		t.Errorf("it was not taken over: run %d, %+v", p.run, p.saved)
	}
}

// TestTheFormatIsPinned compares the bytes that tell the parts of a directory of each other with a
// golden file; docs/formats/member.md explains them. If they must differ, the versions must too.
func TestTheFormatIsPinned(t *testing.T) {
	by, at := identity{1, 2, 3}, wal.Position{Sequence: 300, Chain: 1 << 31}
	var dump strings.Builder
	for _, one := range []struct {
		title string
		bytes []byte
	}{
		{"the record of a start", appendStartRecord(nil, by, 4)},
		{"archive/start", encodeStart(by, at)},
		{"a checkpoint", sampleImage().encode()},
	} {
		dump.WriteString(one.title + "\n" + hex.Dump(one.bytes))
	}
	const golden = "testdata/member.hex"
	if *rewrite {
		must(t, os.WriteFile(golden, []byte(dump.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	must(t, err)
	if dump.String() != string(want) {
		t.Errorf("the bytes are\n%s\nwant\n%s", dump.String(), want)
	}
	page, err := os.ReadFile("../../docs/formats/member.md")
	must(t, err)
	for _, section := range strings.SplitAfter(dump.String(), "|\n") {
		if !strings.Contains(string(page), section) {
			t.Errorf("docs/formats/member.md does not show %s", section)
		}
	}
	gotBy, gotAt, err := decodeStart(encodeStart(by, at))
	if err != nil || gotBy != by || gotAt != at {
		t.Errorf("%v, %v, %v", gotBy, gotAt, err)
	}
	if gotBy, ok := decodeStartRecord(appendStartRecord(nil, by, 4)); !ok || gotBy != by {
		t.Errorf("%v, %v", gotBy, ok)
	}
}
