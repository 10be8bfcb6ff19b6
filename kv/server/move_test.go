package server

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"detcd/consensus/replica"
)

// move moves what a pattern matches into a directory.
func move(t *testing.T, pattern, to string) {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: %q, %v", pattern, names, err)
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if err := os.Rename(name, filepath.Join(to, filepath.Base(name))); err != nil {
			t.Fatal(err)
		}
	}
}

// lives starts a member, wants a key of it unless it is the first time, puts one, and stops.
func lives(t *testing.T, config Config, first bool) {
	t.Helper()
	s := start(t, config)
	ready(t, s)
	if !first {
		expect(t, s, "k", "v")
	}
	put(t, s, "k", "v")
	stop(t, s)
}

// refuses wants a start and an audit to be refused, with these words.
func refuses(t *testing.T, config Config, want error, words ...string) {
	t.Helper()
	s, err := Start(t.Context(), config)
	if err == nil {
		stop(t, s)
		t.Fatal("it starts")
	}
	auditErr := Verify(config.DataDir, config.WALDir, new(bytes.Buffer))
	for _, err := range []error{err, auditErr} {
		if want != nil && !errors.Is(err, want) {
			t.Errorf("%v is not %v", err, want)
		}
		for _, word := range words {
			if err == nil || !strings.Contains(err.Error(), word) {
				t.Errorf("%q is not in: %v", word, err)
			}
		}
	}
}

// The log of a member is moved to a disk of its own, as etcd's is, and back.
func TestALogIsMovedToADiskOfItsOwn(t *testing.T) {
	config := testConfigs(t, 1)[0]
	lives(t, config, true)
	inside, disk := filepath.Join(config.DataDir, "member", "wal"), filepath.Join(t.TempDir(), "disk")
	moved := config
	moved.WALDir = disk
	refuses(t, moved, nil, inside) // the flag comes before the move
	move(t, inside+"/*.wal", disk)
	lives(t, moved, false)
	if err := Verify(config.DataDir, disk, new(bytes.Buffer)); err != nil {
		t.Error(err)
	}
	// The flag is forgotten.
	if s, err := Start(t.Context(), config); err == nil {
		stop(t, s)
		t.Error("it starts without its log")
	} else if !strings.Contains(err.Error(), "there is no log") ||
		!strings.Contains(err.Error(), "--wal-dir must name the place") {
		t.Error(err)
	}
	// Where earlier versions had it, and back.
	move(t, disk+"/*.wal", filepath.Join(disk, "wal"))
	lives(t, moved, false)
	move(t, filepath.Join(disk, "wal", "*.wal"), inside)
	lives(t, config, false)
	// The default may be named.
	for _, same := range []string{inside, filepath.Join(config.DataDir, "member")} {
		config.WALDir = same
		lives(t, config, false)
	}
	if names, err := filepath.Glob(inside + "/*.wal"); err != nil || len(names) == 0 {
		t.Errorf("%q, %v", names, err)
	}
}

// A copy of the log that stayed behind is not taken for the log.
func TestALogThatStayedBehindIsRefused(t *testing.T) {
	config := testConfigs(t, 1)[0]
	lives(t, config, true)
	inside, disk := filepath.Join(config.DataDir, "member", "wal"), t.TempDir()
	if err := os.CopyFS(filepath.Join(disk, "copy"), os.DirFS(inside)); err != nil {
		t.Fatal(err)
	}
	move(t, inside+"/*.wal", disk)
	moved := config
	moved.WALDir = disk
	lives(t, moved, false)
	move(t, filepath.Join(disk, "copy", "*.wal"), inside)
	if s, err := Start(t.Context(), config); err == nil {
		stop(t, s)
		t.Error("it starts with a copy of its log")
	} else if !strings.Contains(err.Error(), "it is an older copy, or has lost its end") {
		t.Error(err)
	}
	lives(t, moved, false)
}

// Where etcd has been nothing is begun, and nothing is changed.
func TestADirectoryOfEtcdIsRefused(t *testing.T) {
	for _, found := range []string{
		"member/snap/db", "member/snap/0000000000000002-0000000000000007.snap",
		"member/wal/0000000000000000-0000000000000000.wal",
	} {
		config := testConfigs(t, 1)[0]
		name := filepath.Join(config.DataDir, filepath.FromSlash(found))
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte("etcd's"), 0o600); err != nil {
			t.Fatal(err)
		}
		refuses(t, config, ErrEtcd, name, "detcd snapshot restore", "docs/operations.md")
		config.Members.ForceAlone, config.Existing = true, true
		refuses(t, config, ErrEtcd, name)
		count := 0
		err := filepath.WalkDir(config.DataDir, func(string, os.DirEntry, error) error {
			count++
			return nil
		})
		if err != nil || count != 4 { // data, member, one directory, one file
			t.Errorf("%s: there are %d names, %v", found, count, err)
		}
	}
	// The log alone may be of etcd's.
	config := testConfigs(t, 1)[0]
	config.WALDir = t.TempDir()
	name := filepath.Join(config.WALDir, "0000000000000000-0000000000000000.wal")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := Start(t.Context(), config); !errors.Is(err, ErrEtcd) {
		t.Error(err)
		stop(t, s)
	}
}

// A snapshot is not restored over a log, which would win; nor does a restore that fails leave one.
func TestARestoreKeepsOffALog(t *testing.T) {
	config := testConfigs(t, 1)[0]
	config.WALDir = t.TempDir()
	s := start(t, config)
	ready(t, s)
	put(t, s, "k", "old")
	file := saved(t, s)
	put(t, s, "k", "v")
	stop(t, s)
	restored := config
	restored.DataDir = filepath.Join(t.TempDir(), "restored")
	err := Restore(restored, file, RestoreOptions{})
	if err == nil || !strings.Contains(err.Error(), "holds the log of another member") {
		t.Errorf("into the directory of another log: %v", err)
	}
	if err := checkEmpty(restored.DataDir); err != nil {
		t.Error(err)
	}
	lives(t, config, false)
	restored.WALDir = t.TempDir()
	err = Restore(restored, file, RestoreOptions{BumpRevision: math.MaxInt64, MarkCompacted: true})
	const tooMuch = "--bump-revision=9223372036854775807 is too much"
	if err == nil || !strings.Contains(err.Error(), tooMuch) {
		t.Errorf("a revision that is too high: %v", err)
	}
	if names, err := filepath.Glob(restored.WALDir + "/*.wal"); err != nil || len(names) > 0 {
		t.Errorf("it left %q, %v", names, err)
	}
	if err := Restore(restored, file, RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	again := restored
	again.DataDir += "2"
	if err := Restore(again, file, RestoreOptions{}); err == nil {
		t.Error("two members were restored with one log")
	}
	s = start(t, restored)
	ready(t, s)
	expect(t, s, "k", "old")
	stop(t, s)
	// The archive and the log are there, and the checkpoint is not: it would be an empty member.
	if err := os.RemoveAll(filepath.Join(restored.DataDir, "member", "checkpoint")); err != nil {
		t.Fatal(err)
	}
	refuses(t, restored, replica.ErrParts, restored.DataDir, restored.WALDir, "no checkpoint")
}

func TestARevisionIsRaisedWithinBounds(t *testing.T) {
	for _, c := range []struct {
		revision int64
		bump     uint64
		want     int64
	}{
		{7, 0, 7}, {7, 1000, 1007}, {7, revisionMax - 7, revisionMax}, {7, revisionMax - 6, 0},
		{7, math.MaxInt64, 0}, {7, math.MaxUint64, 0}, {revisionMax, 1, 0}, {revisionMax + 1, 1, 0},
		{revisionMax + 1, 0, revisionMax + 1},
	} {
		got, err := RestoreOptions{BumpRevision: c.bump}.bump(c.revision)
		if got != c.want || (err != nil) != (c.want == 0) {
			t.Errorf("%d raised by %d: %d, %v", c.revision, c.bump, got, err)
		}
	}
}
