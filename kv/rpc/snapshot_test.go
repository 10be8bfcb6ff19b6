package rpc

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
)

// A blob is a snapshot without meaning, which fails in its middle when it shall.
type blob struct {
	*bytes.Reader
	fails  bool
	closed chan struct{}
}

func (b *blob) Size() int64     { return b.Reader.Size() }
func (b *blob) Version() string { return "3.7.0" }

func (b *blob) Close() error {
	close(b.closed)
	return nil
}

func (b *blob) WriteTo(w io.Writer) (int64, error) {
	if b.fails {
		return 0, errors.New("the disk is gone")
	}
	return b.Reader.WriteTo(w)
}

func (n *loner) Snapshot(ctx context.Context) (Snapshot, error) {
	if err := n.wait(ctx); err != nil {
		return nil, err
	}
	if n.snapshot == nil {
		return &blob{Reader: bytes.NewReader(nil), closed: make(chan struct{})}, nil
	}
	return n.snapshot, nil
}

// A snapshot comes in pieces of 32 KiB that say how much is left, and the checksum behind them.
func TestSnapshot(t *testing.T) {
	for _, size := range []int{1, snapshotChunk, 3*snapshotChunk + 512} {
		s := serve(t, Options{})
		content := bytes.Repeat([]byte("detcd"), size)[:size]
		s.snapshot = &blob{Reader: bytes.NewReader(content), closed: make(chan struct{})}
		stream, err := pb.NewMaintenanceClient(s.conn).Snapshot(soon(t), &pb.SnapshotRequest{})
		if err != nil {
			t.Fatal(err)
		}
		var all []byte
		for {
			r, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, r.Blob...)
			left := max(size-len(all), 0)
			if len(r.Blob) > snapshotChunk || r.RemainingBytes != uint64(left) || r.Version != "3.7.0" {
				t.Errorf("%d bytes, %d left of %d, version %s", len(r.Blob), r.RemainingBytes, left,
					r.Version)
			}
		}
		sum := sha256.Sum256(content)
		if !bytes.Equal(all, append(content, sum[:]...)) {
			t.Errorf("of %d bytes came %d", size, len(all))
		}
		<-s.snapshot.closed
	}
}

// What goes wrong is told, and the file is not left behind.
func TestSnapshotThatFails(t *testing.T) {
	s := serve(t, Options{})
	s.snapshot = &blob{Reader: bytes.NewReader(nil), fails: true, closed: make(chan struct{})}
	stream, err := pb.NewMaintenanceClient(s.conn).Snapshot(soon(t), &pb.SnapshotRequest{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = stream.Recv()
	wantError(t, err, codes.Unknown, "the disk is gone")
	<-s.snapshot.closed
}
