package checkpoint

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"path"
	"strconv"
	"strings"

	"detcd/storage/vfs"
)

const (
	magic   = "detcdCKP"
	version = 1

	headerSize = 40
	sizeMax    = 1 << 30 // of a blob

	suffix     = ".checkpoint"
	unfinished = "unfinished" // the name of a file until it is whole
)

// Report is what Check found.
type Report struct {
	Number     uint64 // of the newest checkpoint; 0: there is none
	Bytes      int64  // of its file
	Older      int    // files that a newer checkpoint has replaced
	Unfinished bool   // there is one whose Save was interrupted
}

// Save makes blob the checkpoint of dir, under a number that is higher than any before, or the
// same as the last. When it returns nil the checkpoint is durable and older ones are gone; on an
// error or a crash, Load returns either the one before or this one, whole.
func Save(fs vfs.FS, dir string, number uint64, blob []byte) error {
	if err := save(fs, dir, number, blob); err != nil {
		return fmt.Errorf("checkpoint: save %d in %s: %w", number, dir, err)
	}
	return nil
}

func save(fs vfs.FS, dir string, number uint64, blob []byte) error {
	if number == 0 {
		return errors.New("the number 0 means that there is none")
	}
	if len(blob) > sizeMax {
		return fmt.Errorf("%d bytes are more than %d", len(blob), sizeMax)
	}
	if err := vfs.MakeDir(fs, dir); err != nil {
		return err
	}
	numbers, interrupted, err := list(fs, dir)
	if err != nil {
		return err
	}
	if newest(numbers) > number {
		return fmt.Errorf("the newest is %d", newest(numbers))
	}
	name := path.Join(dir, unfinished)
	if interrupted {
		if err := fs.Remove(name); err != nil {
			return err
		}
	}
	if err := write(fs, name, number, blob); err != nil {
		return err
	}
	if err := fs.Rename(name, fileName(dir, number)); err != nil {
		return err
	}
	if err := fs.SyncDir(dir); err != nil {
		return err
	}
	for _, old := range numbers {
		if old == number {
			continue
		}
		if err := fs.Remove(fileName(dir, old)); err != nil {
			return err
		}
	}
	return nil
}

func write(fs vfs.FS, name string, number uint64, blob []byte) (err error) {
	file, err := fs.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := file.Allocate(headerSize + int64(len(blob))); err != nil {
		return err // lack of room shows before anything is written
	}
	if _, err := file.WriteAt(header(number, blob), 0); err != nil {
		return err
	}
	if _, err := file.WriteAt(blob, headerSize); err != nil {
		return err
	}
	return file.Sync()
}

// header has checksums of its own and of the blob.
func header(number uint64, blob []byte) []byte {
	b := vfs.AppendPreamble(make([]byte, 0, headerSize), magic, version)
	b = binary.LittleEndian.AppendUint64(b, number)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(blob)))
	b = binary.LittleEndian.AppendUint32(b, vfs.Checksum(0, blob))
	return binary.LittleEndian.AppendUint32(b, vfs.Checksum(0, b))
}

// Load returns the newest checkpoint of dir; number 0 says that there is none. A damaged newest one
// is a *vfs.CorruptionError: an older one is never taken in its place. One of a newer program is a
// *vfs.VersionError.
//
// What it returns is durable: a process may have died, and not the system, between the rename and
// its sync, and what the caller deletes for the sake of this checkpoint must not outlive it.
func Load(fs vfs.FS, dir string) (number uint64, blob []byte, err error) {
	numbers, _, err := list(fs, dir)
	if number = newest(numbers); number > 0 {
		blob, err = read(fs, fileName(dir, number), number)
		if err == nil {
			err = fs.SyncDir(dir)
		}
	}
	if err != nil {
		return 0, nil, fmt.Errorf("checkpoint: load from %s: %w", dir, err)
	}
	return number, blob, nil
}

func read(fs vfs.FS, name string, number uint64) (blob []byte, err error) {
	file, err := fs.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	size, err := file.Size()
	if err != nil {
		return nil, err
	}
	b := make([]byte, min(size, headerSize+sizeMax+1))
	if n, err := file.ReadAt(b, 0); n < len(b) && err != io.EOF {
		return nil, err
	}
	return parse(name, b, number)
}

func parse(name string, b []byte, number uint64) (blob []byte, err error) {
	if err := vfs.CheckPreamble(name, b, magic, version); err != nil {
		return nil, err
	}
	damage := func(offset int64, reason string, values ...any) error {
		return &vfs.CorruptionError{File: name, Offset: offset, Reason: fmt.Sprintf(reason, values...)}
	}
	if len(b) < headerSize {
		return nil, damage(int64(len(b)), "the file ends inside its header")
	}
	if binary.LittleEndian.Uint32(b[36:]) != vfs.Checksum(0, b[:36]) {
		return nil, damage(vfs.PreambleSize, "the checksum of the header does not match")
	}
	if found := binary.LittleEndian.Uint64(b[16:]); found != number {
		return nil, damage(16, "the file holds the checkpoint %d", found)
	}
	blob = b[headerSize:]
	if length := binary.LittleEndian.Uint64(b[24:]); length != uint64(len(blob)) {
		return nil, damage(headerSize+int64(min(length, uint64(len(blob)))),
			"the blob has %d bytes, not %d", len(blob), length)
	}
	if binary.LittleEndian.Uint32(b[32:]) != vfs.Checksum(0, blob) {
		return nil, damage(headerSize, "the checksum of the blob does not match")
	}
	return blob, nil
}

// Check reads every checkpoint in dir and changes nothing. Damage, also of one that is not the
// newest, is a *vfs.CorruptionError.
func Check(fs vfs.FS, dir string) (Report, error) {
	numbers, interrupted, err := list(fs, dir)
	report := Report{Number: newest(numbers), Unfinished: interrupted}
	for i := 0; i < len(numbers) && err == nil; i++ {
		var blob []byte
		blob, err = read(fs, fileName(dir, numbers[i]), numbers[i])
		report.Older, report.Bytes = i, headerSize+int64(len(blob))
	}
	return report, err
}

// list returns the numbers of the checkpoints in a directory, ascending, and whether there is the
// file of an interrupted Save.
func list(fs vfs.FS, dir string) (numbers []uint64, interrupted bool, err error) {
	names, err := fs.List(dir)
	if errors.Is(err, iofs.ErrNotExist) {
		return nil, false, nil
	}
	for _, name := range names { // sorted, so by number
		if number, ok := parseName(name); ok {
			numbers = append(numbers, number)
		}
		interrupted = interrupted || name == unfinished
	}
	return numbers, interrupted, err
}

func newest(numbers []uint64) uint64 {
	if len(numbers) == 0 {
		return 0
	}
	return numbers[len(numbers)-1]
}

func fileName(dir string, number uint64) string {
	return path.Join(dir, fmt.Sprintf("%016x%s", number, suffix))
}

func parseName(base string) (number uint64, ok bool) {
	digits, ok := strings.CutSuffix(base, suffix)
	if !ok {
		return 0, false
	}
	number, err := strconv.ParseUint(digits, 16, 64)
	return number, err == nil && number > 0 && fileName("", number) == base
}
