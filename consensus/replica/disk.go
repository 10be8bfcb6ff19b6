package replica

import (
	"errors"
	"fmt"
	"io/fs"

	"detcd/storage/archive"
	"detcd/storage/checkpoint"
	"detcd/storage/vfs"
	"detcd/storage/wal"
)

// The directories of a member, below the roots of their file systems.
const (
	archiveDir    = "archive"
	checkpointDir = "checkpoint"
	walDir        = "wal"
)

// Disk does what a Replica wants done to storage. It is the only thing that writes after Open. Its
// two lanes (Do; DoBackground) may run at the same time, each in one goroutine.
type Disk struct {
	fs  vfs.FS
	log *wal.Log
}

// Do makes a Write durable. After an error nothing on this disk may be trusted: the member ends. A
// full device is no error: nothing was written then, and the Write is to be executed again.
func (d *Disk) Do(w *Write) error {
	err := d.log.Append(w.Records) // of none: looks for room again, where there was none
	if w.Full = errors.Is(err, vfs.ErrNoSpace); w.Full {
		w.Lack = err
		return nil
	}
	if err != nil {
		return fmt.Errorf("write the log: %w", err)
	}
	if w.Release > 0 { // what stays for want of room goes with what is released next
		if err := d.log.Release(w.Release); err != nil && !errors.Is(err, vfs.ErrNoSpace) {
			return fmt.Errorf("release the log: %w", err)
		}
	}
	w.HasHeadroom, w.Lack, w.at = d.log.HasHeadroom(), d.log.Lack(), d.log.Position()
	return nil
}

// DoBackground executes a BackgroundTask. An error ends the member; damage in what Verify names
// does not, nor does a full device: every part of a BackgroundTask can be executed again.
func (d *Disk) DoBackground(b *BackgroundTask) error {
	err := d.execute(b)
	if b.Full = errors.Is(err, vfs.ErrNoSpace); b.Full {
		b.Lack = err
		return nil
	}
	return err
}

func (d *Disk) execute(b *BackgroundTask) error {
	for _, name := range b.Remove {
		err := d.fs.Remove(archiveDir + "/" + name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove a part of a snapshot: %w", err)
		}
	}
	if b.Stage != nil {
		if err := d.stage(b.Stage); err != nil {
			return fmt.Errorf("store a part of a snapshot: %w", err)
		}
	}
	if b.Step != nil {
		if err := archive.Execute(d.fs, archiveDir, b.Step); err != nil {
			return fmt.Errorf("write the archive: %w", err)
		}
	}
	if b.Verify != nil {
		if err := d.verify(b); err != nil {
			return fmt.Errorf("store a snapshot: %w", err)
		}
	}
	if b.Order != nil {
		b.Damage = archive.CheckOrder(d.fs, archiveDir, b.Order)
	}
	if b.Checkpoint != nil {
		if err := checkpoint.Save(d.fs, checkpointDir, b.Number, b.Checkpoint); err != nil {
			return fmt.Errorf("save a checkpoint: %w", err)
		}
	}
	return nil
}

func (d *Disk) stage(s *Stage) (err error) {
	name := archiveDir + "/" + s.Name
	file, err := d.fs.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		file, err = d.fs.Create(name)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	at := s.Offset
	for _, data := range s.Data {
		if _, err := file.WriteAt(data, at); err != nil {
			return err
		}
		at += int64(len(data))
	}
	return file.Truncate(at)
}

// verify makes received segments durable and then audits every byte of them.
func (d *Disk) verify(b *BackgroundTask) error {
	for _, s := range b.Verify {
		file, err := d.fs.Open(archiveDir + "/" + s.Name)
		if err != nil {
			return err
		}
		if err := errors.Join(file.Sync(), file.Close()); err != nil {
			return err
		}
	}
	if err := d.fs.SyncDir(archiveDir); err != nil {
		return err
	}
	_, b.Damage = archive.Check(d.fs, archiveDir, b.Verify)
	if errors.Is(b.Damage, vfs.ErrNoSpace) { // that a file cannot be opened now is no damage
		return b.Damage
	}
	return nil
}

// Read appends the bytes of a chunk to buffer. It may be called from any goroutine.
func (d *Disk) Read(c *Chunk, buffer []byte) ([]byte, error) {
	file, err := d.fs.Open(archiveDir + "/" + c.Name)
	if err != nil {
		return nil, err
	}
	start := len(buffer)
	buffer = append(buffer, make([]byte, c.Length)...)
	_, err = file.ReadAt(buffer[start:], c.Offset)
	return buffer, errors.Join(err, file.Close())
}

// Close releases the files.
func (d *Disk) Close() error { return d.log.Close() }
