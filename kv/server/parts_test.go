package server

import (
	"errors"
	"fmt"
	"log/slog"
	"path"
	"slices"
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/client/pkg/v3/types"

	"detcd/consensus/replica"
	"detcd/kv"
	"detcd/storage/archive"
	"detcd/storage/vfs"
	"detcd/storage/vfs/vfstest"
	"detcd/storage/wal"
)

// A home is the data directory of a member and a directory for its log.
type home struct{ member, log *vfs.Memory }

func newHome() home { return home{vfs.NewMemory(), vfs.NewMemory()} }

// A resident is a single member in its home, driven by hand.
type resident struct {
	t       *testing.T
	store   *kv.Store
	replica *replica.Replica
	disk    *replica.Disk
	now     replica.Time
}

// homeConfig is that of a single member. The paths are for messages only.
func homeConfig(walDir string) Config {
	c := Default()
	c.Name, c.DataDir, c.WALDir = "m1", "the/data", walDir
	c.InitialCluster = types.URLsMap{"m1": c.AdvertisePeerURLs}
	c.Log = slog.New(slog.DiscardHandler)
	return c
}

// moveIn starts a member as a server does, but for its network. Segments are small; with long,
// checkpoints are frequent, so that the log and the archive let go of what is old.
func moveIn(t *testing.T, h home, c Config, long bool) (*resident, error) {
	t.Helper()
	store := &storage{dir: h.member, paths: storagePaths{data: c.DataDir, log: c.WALDir}}
	var dedicated vfs.FS
	if c.WALDir != "" {
		dedicated = h.log
	}
	if err := errors.Join(store.checkEtcd(dedicated), store.findLog(dedicated)); err != nil {
		return nil, err
	}
	b, err := c.begin(t.Context(), store)
	if err != nil {
		return nil, err
	}
	small := func() replica.Options {
		o := c.replicaOptions(b, store)
		o.SessionID, o.WALOptions = o.Incarnation+1, wal.Options{SegmentSize: 2 << 10}
		if long {
			o.CheckpointBytes = 1 << 10
		}
		return o
	}
	if err := c.forceAlone(b, small()); err != nil {
		return nil, store.wrong(err)
	}
	r := &resident{t: t, store: kv.New(kv.Options{
		ElectionTimeout: c.ElectionTimeout, Archive: archive.Options{SegmentSize: 1 << 10},
	})}
	options := small()
	options.Machine = r.store
	if r.replica, r.disk, err = replica.Open(options); err != nil {
		return nil, store.wrong(err)
	}
	for ticks := 0; ; ticks++ {
		now := r.replica.Status()
		if now.Leading && now.Applied == now.Last {
			return r, nil
		}
		if ticks > 1000 {
			t.Fatalf("it does not lead: %+v", now)
		}
		r.now += replica.Time(c.HeartbeatInterval)
		r.replica.Tick(r.now)
		r.turn()
	}
}

// turn does everything that the replica wants.
func (r *resident) turn() {
	for {
		effects := r.replica.Take()
		if w := effects.Write; w != nil {
			if err := r.disk.Do(w); err != nil {
				r.t.Fatal(err)
			}
			r.replica.Done(w)
		}
		if b := effects.Background; b != nil {
			if err := r.disk.DoBackground(b); err != nil {
				r.t.Fatal(err)
			}
			r.replica.BackgroundDone(b)
		}
		if effects.Write == nil && effects.Background == nil && !effects.More {
			return
		}
	}
}

func (r *resident) put(key, value string) {
	r.replica.Submit(1, kv.Internal(&pb.PutRequest{Key: []byte(key), Value: []byte(value)}))
	r.turn()
}

// content is all that clients can see.
func (r *resident) content() string {
	got, err := r.store.View().(*kv.View).Read(&pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}})
	if err != nil {
		r.t.Fatal(err)
	}
	var all strings.Builder
	fmt.Fprintf(&all, "revision %d", r.store.Revision())
	for _, one := range got.Kvs {
		fmt.Fprintf(&all, " %s=%s@%d", one.Key, one.Value, one.ModRevision)
	}
	return all.String()
}

// live lets a member live in a home for a while, and returns what it has then.
func live(t *testing.T, h home, walDir, life string, long bool) string {
	t.Helper()
	r, err := moveIn(t, h, homeConfig(walDir), long)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		r.put(fmt.Sprint("key ", i), fmt.Sprint(life, " ", i))
		r.put("often", fmt.Sprint(life, i))
	}
	r.put(life, "was here")
	return r.content()
}

// copyTree copies a directory with all that is in it.
func copyTree(t *testing.T, to vfs.FS, toDir string, from vfs.FS, dir string) {
	t.Helper()
	names, err := from.List(dir)
	if err != nil {
		return
	}
	if err := vfs.MakeDir(to, toDir); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if _, err := from.List(path.Join(dir, name)); err == nil {
			copyTree(t, to, path.Join(toDir, name), from, path.Join(dir, name))
			continue
		}
		vfstest.WriteFile(t, to, path.Join(toDir, name),
			vfstest.ReadFile(t, from, path.Join(dir, name)))
	}
	if err := to.SyncDir(toDir); err != nil {
		t.Fatal(err)
	}
}

// files are the contents of all files in a home.
func (h home) files(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	var walk func(fs vfs.FS, dir, as string)
	walk = func(fs vfs.FS, dir, as string) {
		names, err := fs.List(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, base := range names {
			name := path.Join(dir, base)
			if _, err := fs.List(name); err == nil {
				walk(fs, name, as)
			} else {
				all[path.Join(as, name)] = string(vfstest.ReadFile(t, fs, name))
			}
		}
	}
	walk(h.member, ".", "member")
	walk(h.log, ".", "log")
	return all
}

// What a part of a directory may be.
const (
	partNew  = "new"  // as the member left it
	partOld  = "old"  // a copy from between its lives
	partTwin = "twin" // of another member that began with the same flags, so has the same IDs
	partNone = "none"
	partEtcd = "etcd" // what etcd has in its place
)

// copies are the homes that parts are taken from, and what their members had.
type copies struct {
	homes map[string]home
	held  map[string]string
}

// makeCopies lets a member live twice, and a twin of it once. The log is in member/wal.
func makeCopies(t *testing.T, long bool) copies {
	t.Helper()
	c := copies{map[string]home{}, map[string]string{}}
	h := newHome()
	c.held[partOld] = live(t, h, "", "first life", long)
	c.homes[partOld] = home{h.member.CrashClone(nil), h.log.CrashClone(nil)}
	c.held[partNew] = live(t, h, "", "second life", long)
	c.homes[partNew] = h
	twin := newHome()
	c.held[partTwin] = live(t, twin, "", "twin", long)
	c.homes[partTwin] = twin
	return c
}

// A jumble is a directory whose parts come from here and there.
type jumble struct{ log, checkpoint, archive, snap string }

// A placement is where the log is put, and what the flag says of that.
type placement struct {
	name   string
	inside bool   // in member/wal, else in the dedicated directory
	dir    string // there
	flag   string // --wal-dir
}

func placements() []placement {
	return []placement{
		{"in member/wal, no flag", true, "wal", ""},
		{"in its own directory", false, ".", "the/log"},
		{"where earlier versions had it", false, "wal", "the/log"},
		{"in its own directory, the flag is forgotten", false, ".", ""},
		{"in member/wal, a flag names another place", true, "wal", "the/log"},
	}
}

// build makes the home of a jumble.
func (c *copies) build(t *testing.T, j jumble, p placement) home {
	t.Helper()
	h := newHome()
	for part, from := range map[string]string{"checkpoint": j.checkpoint, "archive": j.archive} {
		if source, ok := c.homes[from]; ok {
			copyTree(t, h.member, part, source.member, part)
		}
	}
	at := vfs.FS(h.log)
	if p.inside {
		at = h.member
	}
	if source, ok := c.homes[j.log]; ok {
		copyTree(t, at, p.dir, source.member, "wal")
	} else if j.log == partEtcd {
		if err := vfs.MakeDir(at, p.dir); err != nil {
			t.Fatal(err)
		}
		vfstest.WriteFile(t, at, path.Join(p.dir, "0000000000000000-0000000000000000.wal"), nil)
	}
	if j.snap == partEtcd {
		if err := vfs.MakeDir(h.member, "snap"); err != nil {
			t.Fatal(err)
		}
		vfstest.WriteFile(t, h.member, "snap/db", []byte("bolt"))
	}
	return h
}

// allowed is what a member may have that starts with a jumble: what was there last. Only where all
// is of one earlier or other life there is nothing that could tell.
func (c *copies) allowed(j jumble, p placement) string {
	if p.flag == "" && !p.inside {
		j.log = partNone // it is out of sight
	}
	if j.log == j.checkpoint && j.checkpoint == j.archive && j.snap == partNone {
		if j.log == partNone {
			return "revision 1"
		}
		return c.held[j.log]
	}
	return c.held[partNew]
}

// TestNothingIsForgottenWhateverIsLeft takes away, exchanges and makes older any of the parts of a
// directory, and starts a member with any change of flags: it has all its data, or it does not
// start and says why, and has changed nothing.
func TestNothingIsForgottenWhateverIsLeft(t *testing.T) {
	flags := map[string]func(*Config){
		"the same":      func(*Config) {},
		"alone":         func(c *Config) { c.Members.ForceAlone = true },
		"another token": func(c *Config) { c.InitialClusterToken = "another" },
		"existing":      func(c *Config) { c.Existing = true },
	}
	for _, long := range []bool{false, true} {
		c := makeCopies(t, long)
		served := map[jumble]int{}
		for _, j := range jumbles() {
			for _, p := range placements() {
				for name, change := range flags {
					h := c.build(t, j, p)
					config := homeConfig(p.flag)
					change(&config)
					if c.try(t, h, config, c.allowed(j, p)) {
						served[j]++
					}
					if t.Failed() {
						t.Fatalf("long %v, %+v, %s, flags %s", long, j, p.name, name)
					}
				}
			}
		}
		whole := jumble{partNew, partNew, partNew, partNone}
		older := jumble{partNew, partOld, partOld, partNone}
		if served[whole] != 3*len(flags) || (served[older] > 0) != !long {
			t.Errorf("long %v: all together was served %d times, an older checkpoint %d times",
				long, served[whole], served[older])
		}
		t.Logf("long %v: %d jumbles of %d were served", long, len(served), len(jumbles()))
	}
}

func jumbles() (all []jumble) {
	parts := []string{partNew, partOld, partTwin, partNone}
	for _, log := range append(slices.Clone(parts), partEtcd) {
		for _, checkpoint := range parts {
			for _, archive := range parts {
				for _, snap := range []string{partNone, partEtcd} {
					all = append(all, jumble{log, checkpoint, archive, snap})
				}
			}
		}
	}
	return all
}

// try starts a member in a home and says whether it serves.
func (c *copies) try(t *testing.T, h home, config Config, allowed string) bool {
	t.Helper()
	before := h.files(t)
	r, err := moveIn(t, h, config, false)
	if err == nil {
		if got := r.content(); got != allowed {
			t.Errorf("it serves\n%s\nand not\n%s", got, allowed)
		}
		return true
	}
	if config.Existing && strings.Contains(err.Error(), "cannot fetch cluster info") {
		return false // an empty directory is to join others, and there are none
	}
	if !strings.Contains(err.Error(), "the/") {
		t.Errorf("the error names no path: %v", err)
	}
	after := h.files(t)
	for name, content := range before {
		if after[name] != content {
			t.Errorf("%s was changed, and then the start refused: %v", name, err)
		}
	}
	return false
}

// TestAFileThatIsGoneIsNoticed takes away one file of a directory after the other. It has a
// checkpoint behind all that was acknowledged: where the log alone knows what came last, nobody
// could tell that its last segment is gone.
func TestAFileThatIsGoneIsNoticed(t *testing.T) {
	for _, long := range []bool{false, true} {
		h := newHome()
		live(t, h, "", "first", long)
		live(t, h, "", "second", long)
		r, err := moveIn(t, h, homeConfig(""), long)
		if err != nil {
			t.Fatal(err)
		}
		r.replica.Checkpoint()
		r.turn()
		want, refused := r.content(), 0
		for name := range h.files(t) {
			image := newHome()
			copyTree(t, image.member, ".", h.member, ".")
			if err := image.member.Remove(strings.TrimPrefix(name, "member/")); err != nil {
				t.Fatal(err)
			}
			again, err := moveIn(t, image, homeConfig(""), long)
			if err != nil {
				refused++
			} else if got := again.content(); got != want {
				t.Errorf("long %v: without %s it has\n%s\nand not\n%s", long, name, got, want)
			}
		}
		if refused < 4 { // checkpoint, start, a segment of the archive, one of the log
			t.Errorf("long %v: %d files are needed", long, refused)
		}
	}
}
