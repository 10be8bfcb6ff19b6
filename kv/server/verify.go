package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"detcd/consensus/replica"
	"detcd/storage/archive"
	"detcd/storage/checkpoint"
	"detcd/storage/vfs"
	"detcd/storage/wal"
)

// Verify audits a data directory that no member uses: every byte of the checkpoint, of the log
// and of the archive, and that they belong together. It changes nothing, writes a report for
// people, and returns everything that is wrong, joined; damage is a *vfs.CorruptionError. walDir
// is empty unless the log has a directory of its own.
func Verify(dataDir, walDir string, report io.Writer) error {
	member := filepath.Join(dataDir, "member")
	for _, dir := range []string{member, cmp.Or(walDir, member)} {
		if _, err := os.Stat(dir); err != nil {
			return fmt.Errorf("no data directory of a member: %w", err)
		}
	}
	c := Config{DataDir: dataDir, WALDir: walDir}
	store, err := c.openStorage(context.Background(), false)
	if err != nil {
		return errors.Join(err, store.close())
	}
	v := &verifier{store: store, out: report}
	v.verify()
	if err = errors.Join(v.wrong...); err != nil {
		err = store.wrong(err)
	}
	return errors.Join(err, store.close())
}

type verifier struct {
	store *storage
	out   io.Writer
	wrong []error
}

func (v *verifier) say(part string, err error, format string, values ...any) {
	if err != nil {
		v.wrong = append(v.wrong, fmt.Errorf("%s: %w", part, err))
		fmt.Fprintf(v.out, "%-11s BAD  %v\n", part, err)
		return
	}
	fmt.Fprintf(v.out, "%-11s ok   %s\n", part, fmt.Sprintf(format, values...))
}

func (v *verifier) verify() {
	found, err := checkpoint.Check(v.store.dir, "checkpoint")
	v.say("checkpoint", err, "number %d, %d bytes", found.Number, found.Bytes)
	stored, used, err := replica.Identify(v.store.parts())
	switch {
	case err != nil:
		v.say("member", err, "")
	case !used:
		v.say("member", nil, "a data directory in which no member has started yet")
		return
	default:
		v.say("member", nil, "%x of cluster %x, applied up to index %d", uint64(stored.ID),
			stored.Cluster, stored.Applied)
	}
	v.verifyLog(stored, used)
	if err != nil {
		fmt.Fprintln(v.out, "archive     not audited: only the checkpoint says what belongs to it")
		return
	}
	archived, err := archive.Check(v.store.dir, "archive", stored.Segments)
	v.say("archive", err, "%d records in %d segments, %d bytes", archived.Records, archived.Segments,
		archived.Bytes)
	if n := len(archived.Unnamed); n > 0 && err == nil {
		fmt.Fprintf(v.out, "            %d files that a crash left; the next start deletes them\n", n)
	}
}

func (v *verifier) verifyLog(stored replica.Identity, used bool) {
	log, err := wal.Check(v.store.log, v.store.logDir, stored.LogPassed...)
	if err == nil && used && (log.First > stored.LogFrom || log.Next < stored.LogFrom) {
		err = &vfs.CorruptionError{File: v.store.logDir, Reason: fmt.Sprintf("it holds the records "+
			"%d to %d, and the checkpoint needs those from %d on", log.First, log.Next-1, stored.LogFrom)}
	}
	v.say("log", err, "records %d to %d in %d segments, %d bytes", log.First, log.Next-1,
		log.Segments, log.Bytes)
	if log.Torn != nil && err == nil {
		fmt.Fprintf(v.out, "            a torn write of %d bytes at the end of %s; "+
			"the next start cuts it\n", log.Torn.Length, log.Torn.File)
	}
}
