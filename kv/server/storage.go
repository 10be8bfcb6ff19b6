package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"detcd/consensus/replica"
	"detcd/storage/vfs"
	"detcd/storage/wal"
)

// storage is a data directory that this process holds.
type storage struct {
	dir    vfs.FS // <data-dir>/member
	log    vfs.FS // the same, or the dedicated directory of the log
	logDir string // where the log is there
	paths  storagePaths
	locks  []io.Closer
	clocks logClocks
}

// storagePaths are for people.
type storagePaths struct {
	data string // the data directory
	log  string // the directory of the log's segments
}

// openStorage takes the locks of the directories of a member, which it makes if they are not there,
// and finds the log. If it is to wait, it waits for another process to end that has them.
func (c *Config) openStorage(ctx context.Context, wait bool) (*storage, error) {
	member := filepath.Join(c.DataDir, "member")
	dedicated := c.WALDir
	for _, usual := range []string{member, filepath.Join(member, "wal")} {
		if dedicated != "" && isSame(dedicated, usual) {
			dedicated = ""
		}
	}
	s := &storage{dir: vfs.OS(member), paths: storagePaths{data: c.DataDir, log: dedicated}}
	var log vfs.FS
	if dedicated != "" {
		log = vfs.OS(dedicated)
	}
	if err := s.checkEtcd(log); err != nil {
		return s, err
	}
	for _, path := range []string{member, dedicated} {
		if path == "" {
			continue
		}
		if err := s.lock(ctx, path, wait, c.Log); err != nil {
			return s, err
		}
	}
	if err := s.findLog(log); err != nil {
		return s, err
	}
	if c.UnsafeNoFsync {
		c.Log.Warn("fsync is DISABLED by --unsafe-no-fsync: acknowledged writes are LOST when the " +
			"machine fails, and the cluster may contradict itself afterwards")
		s.dir, s.log = withoutSync(s.dir), withoutSync(s.log)
	}
	return s, nil
}

// isSame says whether two paths name one directory.
func isSame(a, b string) bool {
	if one, err := os.Stat(a); err == nil {
		other, err := os.Stat(b)
		return err == nil && os.SameFile(one, other)
	}
	one, err := filepath.Abs(a)
	other, otherErr := filepath.Abs(b)
	return err == nil && otherErr == nil && one == other
}

// findLog decides where the log is: in member/wal, or in the dedicated directory, as etcd has it.
// Earlier versions had it in wal below that; there it stays.
func (s *storage) findLog(dedicated vfs.FS) error {
	inside, err := wal.Exists(s.dir, "wal")
	if err != nil {
		return err
	}
	memberLog := filepath.Join(s.paths.data, "member", "wal")
	if dedicated == nil {
		s.log, s.logDir, s.paths.log = s.dir, "wal", memberLog
		return nil
	}
	path := s.paths.log
	s.log, s.logDir = dedicated, "."
	flat, err := wal.Exists(dedicated, ".")
	if err != nil {
		return err
	}
	nested, err := wal.Exists(dedicated, "wal")
	switch {
	case err != nil:
		return err
	case flat && nested:
		return fmt.Errorf("%w: there is a log in %s and one in %s: take away that which is not of "+
			"this member", replica.ErrParts, path, filepath.Join(path, "wal"))
	case nested:
		s.logDir, s.paths.log = "wal", filepath.Join(path, "wal")
	case !flat && inside:
		return fmt.Errorf("%w: there is no log in %s, which --wal-dir names, but one in %s: move its "+
			"files, or leave --wal-dir out", replica.ErrParts, path, memberLog)
	}
	return nil
}

// wrong adds to an error which directories it is about, and where the log may be instead.
func (s *storage) wrong(err error) error {
	hint := ""
	inside, insideErr := wal.Exists(s.dir, "wal")
	here, hereErr := wal.Exists(s.log, s.logDir)
	switch {
	case insideErr != nil || hereErr != nil:
	case !here:
		hint = "; if the log is elsewhere, --wal-dir must name the place"
	case inside && s.log != s.dir:
		hint = "; there is another log in " + filepath.Join(s.paths.data, "member", "wal")
	}
	return fmt.Errorf("data directory %s, log in %s: %w%s", s.paths.data, s.paths.log, err, hint)
}

// parts are where a replica finds its directory.
func (s *storage) parts() replica.Options {
	return replica.Options{FS: s.dir, WAL: s.log, WALDir: s.logDir}
}

// How often it is looked whether a directory is free, and how often it is said that it is not.
const (
	lockPoll   = 100 * time.Millisecond
	lockRemind = 100 // of these
)

// lock makes a directory and takes its lock. As etcd does, a member waits for a process that has
// it: one that is replaced may take its time to end.
func (s *storage) lock(ctx context.Context, path string, wait bool, log *slog.Logger) error {
	if err := vfs.MakePath(path); err != nil {
		return fmt.Errorf("cannot access data directory: %w", err)
	}
	for tries := 0; ; tries++ {
		lock, err := vfs.LockDir(path)
		if err == nil {
			if tries > 0 {
				log.Info("the directory is free", slog.String("path", path))
			}
			s.locks = append(s.locks, lock)
			return nil
		}
		if !wait || !errors.Is(err, vfs.ErrLocked) {
			return fmt.Errorf("cannot access data directory: %w", err)
		}
		if tries%lockRemind == 0 {
			log.Warn("the directory is in use by another process; waiting until that has ended",
				slog.String("path", path))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cannot access data directory: %w", err)
		case <-time.After(lockPoll):
		}
	}
}

func (s *storage) close() error {
	if s == nil {
		return nil
	}
	var all []error
	for _, lock := range s.locks {
		all = append(all, lock.Close())
	}
	s.locks = nil
	return errors.Join(all...)
}

// withoutSync answers that it has synced and has not.
func withoutSync(fs vfs.FS) vfs.FS {
	return vfs.Wrap(fs, func(op vfs.Op) vfs.Verdict {
		return vfs.Verdict{Lie: op.Kind == vfs.Sync || op.Kind == vfs.SyncDir}
	})
}
