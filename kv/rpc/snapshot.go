package rpc

import (
	"crypto/sha256"
	"hash"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// snapshotChunk is how many bytes of a snapshot are sent at a time, as in etcd.
const snapshotChunk = 32 << 10

// Snapshot sends a file of etcd's format, then its SHA-256. It holds what this member had applied
// when it was asked.
func (s *maintenanceService) Snapshot(
	r *pb.SnapshotRequest, stream pb.Maintenance_SnapshotServer,
) error {
	ctx, begun := stream.Context(), time.Now()
	if err := s.permit(ctx, r); err != nil {
		return err
	}
	file, err := s.node.Snapshot(ctx)
	if err != nil {
		return s.failure(ctx, err, begun)
	}
	sender := &snapshotSender{
		stream: stream, sum: sha256.New(), left: file.Size(), version: file.Version(),
	}
	if _, err = file.WriteTo(sender); err == nil {
		err = sender.end()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return s.failure(ctx, err, begun)
	}
	return nil
}

// A snapshotSender sends what is written to it in chunks.
type snapshotSender struct {
	stream  pb.Maintenance_SnapshotServer
	sum     hash.Hash
	left    int64 // bytes that were not sent yet
	version string
	chunk   []byte
}

// Write takes any number of bytes.
func (s *snapshotSender) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n := min(len(rest), snapshotChunk-len(s.chunk))
		s.chunk, rest = append(s.chunk, rest[:n]...), rest[n:]
		if len(s.chunk) == snapshotChunk {
			if err := s.flush(); err != nil {
				return len(p) - len(rest), err
			}
		}
	}
	return len(p), nil
}

func (s *snapshotSender) flush() error {
	if len(s.chunk) == 0 {
		return nil
	}
	s.sum.Write(s.chunk)
	s.left -= int64(len(s.chunk))
	err := s.send(s.chunk)
	s.chunk = s.chunk[:0]
	return err
}

// end sends what is left, and the checksum.
func (s *snapshotSender) end() error {
	if err := s.flush(); err != nil {
		return err
	}
	return s.send(s.sum.Sum(nil))
}

func (s *snapshotSender) send(blob []byte) error {
	return s.stream.Send(&pb.SnapshotResponse{
		RemainingBytes: uint64(s.left), Blob: blob, Version: s.version,
	})
}
