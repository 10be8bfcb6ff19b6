package server

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"detcd/storage/vfs"
)

// storage is a data directory that this process holds.
type storage struct {
	dir   vfs.FS // <data-dir>/member
	log   vfs.FS // the same, or the dedicated directory of the log
	locks []io.Closer
}

// openStorage makes the directories and takes their locks.
func (c *Config) openStorage() (*storage, error) {
	member := filepath.Join(c.DataDir, "member")
	s := &storage{dir: vfs.OS(member)}
	s.log = s.dir
	if err := s.lock(member); err != nil {
		return s, err
	}
	if c.WALDir != "" && c.WALDir != member {
		s.log = vfs.OS(c.WALDir)
		if err := s.lock(c.WALDir); err != nil {
			return s, err
		}
	}
	if c.UnsafeNoFsync {
		c.Log.Warn("fsync is DISABLED by --unsafe-no-fsync: acknowledged writes are LOST when the " +
			"machine fails, and the cluster may contradict itself afterwards")
		s.dir, s.log = withoutSync(s.dir), withoutSync(s.log)
	}
	return s, nil
}

func (s *storage) lock(path string) error {
	if err := vfs.MakePath(path); err != nil {
		return fmt.Errorf("cannot access data directory: %w", err)
	}
	lock, err := vfs.LockDir(path)
	if err != nil {
		return fmt.Errorf("cannot access data directory: %w", err)
	}
	s.locks = append(s.locks, lock)
	return nil
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
