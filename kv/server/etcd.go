package server

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"log/slog"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"detcd/storage/vfs"
)

// ErrEtcd says that a data directory is one of etcd's.
var ErrEtcd = errors.New("it is a data directory of etcd, which this version of detcd cannot read")

// wayIn is what is to be done about it.
const wayIn = "save a snapshot from etcd (etcdctl snapshot save) and make a new data directory " +
	`from it (detcd snapshot restore); see "From etcd" in docs/operations.md`

// etcdLog matches a segment of etcd's log: its number and the first index in it. Ours have a number
// alone.
var etcdLog = regexp.MustCompile(`^[0-9a-f]{16}-[0-9a-f]{16}\.wal$`)

// checkEtcd refuses a directory where etcd has been, whatever else is there: a member that begins a
// new cluster beside its files would have the same name, IDs and ports, and none of its data.
func (s *storage) checkEtcd(dedicated vfs.FS) error {
	member := filepath.Join(s.paths.data, "member")
	for _, place := range []struct {
		fs   vfs.FS
		dir  string
		path string
		is   func(name string) bool
	}{
		{s.dir, "snap", member, isEtcdSnap},
		{s.dir, "wal", member, etcdLog.MatchString},
		{dedicated, ".", s.paths.log, etcdLog.MatchString},
		{dedicated, "wal", s.paths.log, etcdLog.MatchString},
	} {
		if place.fs == nil {
			continue
		}
		names, err := place.fs.List(place.dir)
		if err != nil && !errors.Is(err, iofs.ErrNotExist) {
			return fmt.Errorf("cannot access data directory: %w", err)
		}
		for _, name := range names {
			if place.is(name) {
				found := filepath.Join(place.path, filepath.FromSlash(path.Join(place.dir, name)))
				return fmt.Errorf("found %s: %w: %s", found, ErrEtcd, wayIn)
			}
		}
	}
	return nil
}

// isEtcdSnap says whether a file in member/snap is etcd's: its database, or a snapshot of its v2
// store.
func isEtcdSnap(name string) bool { return name == "db" || strings.HasSuffix(name, ".snap") }

// etcdRemind is how often it is told that a member of etcd knocks: it does many times a second.
const etcdRemind = time.Minute

// tellOfEtcd returns what logs that a member of etcd has been refused.
func (c *Config) tellOfEtcd() func(address, id string) {
	var mu sync.Mutex
	var last time.Time
	return func(address, id string) {
		mu.Lock()
		defer mu.Unlock()
		if !last.IsZero() && time.Since(last) < etcdRemind {
			return
		}
		last = time.Now()
		c.Log.Warn("refused a member of etcd: members of etcd and detcd cannot share a cluster; see "+
			`"From etcd" in docs/operations.md`, slog.String("remote-addr", address),
			slog.String("remote-peer-id", id))
	}
}
