package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"

	"detcd/consensus/replica"
	"detcd/kv"
	"detcd/kv/backup"
	"detcd/storage/vfs"
	"detcd/storage/wal"
)

// RestoreOptions say how a snapshot file is taken.
type RestoreOptions struct {
	SkipChecksum  bool   // for a copy of a database, which has none
	BumpRevision  uint64 // by how much the revision is to be higher than in the file
	MarkCompacted bool   // all that the file holds but the present is compacted

	Progress func(bytes int64) // is told how much of the file was taken; may be nil
}

// ErrMarkCompacted is etcd's error for a revision that is raised while the past stays readable:
// the revisions in between would be there and have no changes.
var ErrMarkCompacted = errors.New("--mark-compacted required if --revision-bump > 0")

// Restore makes the data directory of one of the first members of a new cluster from a snapshot
// file of etcd's or ours, which it does not change. Each member is made from the same file. The
// directory must not be there, or be empty.
func Restore(config Config, file string, options RestoreOptions) (err error) {
	if options.MarkCompacted != (options.BumpRevision > 0) {
		return ErrMarkCompacted
	}
	config.Existing = false
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	if err := config.checkBootstrap(); err != nil {
		return err
	}
	if err := checkEmpty(config.DataDir); err != nil {
		return err
	}
	contents, err := backup.Open(file, options.SkipChecksum)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, contents.Close()) }()
	store, err := config.openStorage(context.Background(), false)
	if err == nil {
		err = store.checkNoLog()
	}
	if err != nil {
		return errors.Join(err, store.close(), os.RemoveAll(filepath.Join(config.DataDir, "member")))
	}
	err = restore(&config, store, contents, options)
	if err != nil { // half a directory would be refused
		err = errors.Join(err, wal.Delete(store.log, store.logDir),
			os.RemoveAll(filepath.Join(config.DataDir, "member")))
	}
	return errors.Join(err, store.close())
}

// checkNoLog refuses a directory for the log that has one already.
func (s *storage) checkNoLog() error {
	exists, err := wal.Exists(s.log, s.logDir)
	if err == nil && exists {
		err = fmt.Errorf("wal-dir %q holds the log of another member", s.paths.log)
	}
	return err
}

// revisionMax bounds a revision that is raised: there must be others behind it, and half of all
// that can be counted is more than any store will see.
const revisionMax = math.MaxInt64 / 2

// bump raises a revision.
func (o RestoreOptions) bump(revision int64) (int64, error) {
	if o.BumpRevision > 0 && o.BumpRevision > uint64(max(0, revisionMax-revision)) {
		return 0, fmt.Errorf("--bump-revision=%d is too much: the snapshot has revision %d, and it may "+
			"be raised up to %d", o.BumpRevision, revision, int64(revisionMax))
	}
	return revision + int64(o.BumpRevision), nil
}

// watched tells of progress whenever a change was taken.
func (o RestoreOptions) watched(add func(revision, change []byte) error) func(_, _ []byte) error {
	if o.Progress == nil {
		return add
	}
	taken := int64(0)
	return func(revision, change []byte) error {
		taken += int64(len(revision) + len(change))
		o.Progress(taken)
		return add(revision, change)
	}
}

func checkEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil || len(entries) > 0 {
		return fmt.Errorf("data-dir %q not empty or could not be read", dir)
	}
	return nil
}

func restore(
	config *Config, store *storage, contents *backup.Contents, options RestoreOptions,
) error {
	b, err := config.begin(context.Background(), store)
	if err != nil {
		return err
	}
	const archiveDir = "archive"
	if err := vfs.MakeDir(store.dir, archiveDir); err != nil {
		return err
	}
	importer, err := kv.NewImporter(store.dir, archiveDir, kv.Options{})
	if err != nil {
		return err
	}
	if err := contents.EachLease(importer.Grant); err != nil {
		return err
	}
	if err := contents.EachAlarm(importer.Raise); err != nil {
		return err
	}
	users, err := contents.Users()
	if err != nil {
		return err
	}
	importer.Users(users)
	if err := contents.EachChange(options.watched(importer.Add)); err != nil {
		return err
	}
	compacted, err := contents.Compacted()
	if err != nil {
		return err
	}
	revision, err := options.bump(max(importer.Revision(), compacted))
	if err != nil {
		return err
	}
	if options.MarkCompacted {
		compacted = revision
	}
	state, segments, err := importer.Finish(revision, compacted)
	if err != nil {
		return err
	}
	// What a member would find wrong with it is to be found now.
	if err := kv.New(kv.Options{}).Restore(store.dir, archiveDir, state, segments); err != nil {
		return err
	}
	err = replica.Create(config.replicaOptions(b, store), state, segments)
	if err != nil {
		return err
	}
	config.Log.Info("restored snapshot", slog.String("data-dir", config.DataDir),
		slog.Int64("revision", revision), slog.String("local-member-id", hex(uint64(b.id))),
		slog.String("cluster-id", hex(b.cluster)))
	return nil
}
