package server

import (
	"time"

	"detcd/kv/rpc"
	"detcd/storage/vfs"
)

// logClocks are how long writes to the log take, and syncs; on the QuickScale.
type logClocks struct{ writes, syncs rpc.Clock }

// timedFS is a tree of files of which writes and syncs are measured.
type timedFS struct {
	vfs.FS
	clocks *logClocks
}

// Create makes a file that is measured.
func (t timedFS) Create(name string) (vfs.File, error) { return t.timed(t.FS.Create(name)) }

// Open opens a file to be measured.
func (t timedFS) Open(name string) (vfs.File, error) { return t.timed(t.FS.Open(name)) }

func (t timedFS) timed(file vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return timedFile{file, t.clocks}, nil
}

type timedFile struct {
	vfs.File
	clocks *logClocks
}

// WriteAt measures a write.
func (f timedFile) WriteAt(data []byte, offset int64) (int, error) {
	begun := time.Now()
	n, err := f.File.WriteAt(data, offset)
	f.clocks.writes.Add(rpc.QuickScale, time.Since(begun))
	return n, err
}

// Sync measures a sync.
func (f timedFile) Sync() error {
	begun := time.Now()
	err := f.File.Sync()
	f.clocks.syncs.Add(rpc.QuickScale, time.Since(begun))
	return err
}
