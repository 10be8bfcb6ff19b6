package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

func (p *program) snapshotCommand() *cobra.Command {
	return family("snapshot", "Back up a server, look at a backup, begin anew from one",
		p.snapshotSaveCommand(), p.snapshotStatusCommand(), p.snapshotRestoreCommand())
}

func (p *program) snapshotSaveCommand() *cobra.Command {
	return p.command(verb{
		use: "save <file>", short: "Store all that a server has in a file",
		long: `Stores the keys, their history, leases and users of one server in a file of etcd's format,
which etcdutl, detcd and detcdctl can restore. The file appears under its name when all of it is
there, was compared with its checksum and is on the disk. There is no limit of time unless
--command-timeout is given.`,
		example: `  detcdctl snapshot save backup.db
  detcdctl snapshot save "backup-$(date +%Y%m%d-%H%M%S).db"`,
		formats: asAny, takes: exactly(1, "snapshot save expects one argument <filename>"),
		run: func(s *session, args []string) error {
			if n := len(s.spec.Endpoints); n != 1 {
				return fail(exitInterrupted, "snapshot must be requested to one selected node, "+
					"not multiple %v", s.spec.Endpoints)
			}
			ctx, stop := signal.NotifyContext(s.context, os.Interrupt, syscall.SIGTERM)
			defer stop()
			if s.command.Flags().Changed("command-timeout") {
				limited, done := context.WithTimeout(ctx, s.settings.commandTimeout)
				defer done()
				ctx = limited
			}
			version, err := s.save(ctx, args[0])
			if err != nil {
				return &failure{exitInterrupted, err}
			}
			fmt.Fprintf(p.out, "Snapshot saved at %s\n", args[0])
			if version != "" {
				fmt.Fprintf(p.out, "Server version %s\n", version)
			}
			return nil
		},
	})
}

// save fetches the snapshot into a file beside the one that is wanted, and renames it.
func (s *session) save(ctx context.Context, path string) (version string, err error) {
	part := path + ".part"
	file, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return "", fmt.Errorf("could not open %s (%w)", part, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, file.Close(), os.Remove(part))
		}
	}()
	if version, err = s.fetch(ctx, file); err != nil {
		return "", err
	}
	if err := file.Sync(); err != nil {
		return "", fmt.Errorf("could not fsync snapshot: %w", err)
	}
	if err := os.Rename(part, path); err != nil {
		return "", fmt.Errorf("could not rename %s to %s (%w)", part, path, err)
	}
	return version, errors.Join(file.Close(), syncDirectory(filepath.Dir(path)))
}

// syncDirectory makes the name of a new file durable.
func syncDirectory(dir string) error {
	opened, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(opened.Sync(), opened.Close())
}

// fetch writes the snapshot as it comes, and compares it with the checksum at its end.
func (s *session) fetch(ctx context.Context, out io.Writer) (version string, err error) {
	maintenance := pb.NewMaintenanceClient(s.client.ActiveConnection())
	stream, err := maintenance.Snapshot(ctx, &pb.SnapshotRequest{})
	if err != nil {
		return "", err
	}
	progress := meter{program: s.program}
	defer progress.clear()
	check := tailSum{sum: sha256.New()}
	received, start := int64(0), time.Now()
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return version, check.compare(received)
		}
		if err != nil {
			return "", rpctypes.Error(err)
		}
		if _, err := out.Write(r.GetBlob()); err != nil {
			return "", fmt.Errorf("could not write snapshot: %w", err)
		}
		check.add(r.GetBlob())
		version = r.GetVersion()
		received += int64(len(r.GetBlob()))
		rate := float64(received) / time.Since(start).Seconds()
		progress.draw(received, received+int64(r.GetRemainingBytes()),
			fmt.Sprintf("%s, %s/s", size(received), humanize.Bytes(uint64(rate))))
	}
}

// tailSum sums up all but the last bytes of a stream, which are to be the sum.
type tailSum struct {
	sum  hash.Hash
	tail []byte
}

func (t *tailSum) add(b []byte) {
	t.tail = append(t.tail, b...)
	if n := len(t.tail) - sha256.Size; n > 0 {
		t.sum.Write(t.tail[:n])
		t.tail = append(t.tail[:0], t.tail[n:]...)
	}
}

// compare tells whether the stream ended with its sum. A database is a multiple of 512 bytes long.
func (t *tailSum) compare(length int64) error {
	if length%512 != sha256.Size {
		return fmt.Errorf("sha256 checksum not found [bytes: %d]", length)
	}
	if got := t.sum.Sum(nil); !bytes.Equal(got, t.tail) {
		return fmt.Errorf("the snapshot was damaged on its way: sha256 is %x, not %x", got, t.tail)
	}
	return nil
}
