// Package wal keeps a log of opaque records that survives crashes.
package wal

import "detcd/storage/vfs"

// Sequence is the number of a record since the log was created; the first is 1.
type Sequence uint64

// Options sizes a log.
type Options struct {
	// SegmentSize is how many bytes are reserved on the device at a time; 0 means 64 MiB.
	SegmentSize int64
}

// Record is one entry of the log. Data shares memory with all records that were read with it: copy
// what is kept.
type Record struct {
	Sequence Sequence
	Data     []byte
}

// Torn is the remains of a batch that a crash interrupted, which recovery cut away.
type Torn struct {
	File           string
	Offset, Length int64
	Reason         string
}

// Recovery is what Open found.
type Recovery struct {
	Records []Record
	Torn    *Torn // nil when the log ended cleanly
}

// Report is what Check found.
type Report struct {
	First, Next Sequence // the log holds the records First to Next-1
	Segments    int
	Bytes       int64 // on the device
	Torn        *Torn // what Open would cut
}

// Log appends batches of records. It belongs to one goroutine.
type Log struct{}

// Open reads the log in dir from the record with the sequence from on, and makes it ready for
// Append. It creates an empty log when dir has none and from is at most 1. A missing record, a from
// beyond the next record, and any damage but a torn last batch, is a *vfs.CorruptionError.
func Open(fs vfs.FS, dir string, from Sequence, options Options) (*Log, *Recovery, error) {
	panic("not written")
}

// Next returns the sequence that the next record will get.
func (l *Log) Next() Sequence { panic("not written") }

// Append makes a batch durable: all of it, or after a crash perhaps none. The batch may be empty:
// then nothing is written, but a missing spare segment is tried again. After an error the log is
// unusable, except one that is vfs.ErrNoSpace: then nothing was written and Append may be repeated.
func (l *Log) Append(batch [][]byte) error { panic("not written") }

// Roomy says whether the log has room for more than is left of the current segment. While it does
// not, new work is better refused; each Append and Release tries again to make room.
func (l *Log) Roomy() bool { panic("not written") }

// Release deletes the segments whose records all come before the given one.
func (l *Log) Release(before Sequence) error { panic("not written") }

// Close closes the files. It is idempotent.
func (l *Log) Close() error { panic("not written") }

// Check reads every byte of the log in dir and changes none. Damage is a *vfs.CorruptionError.
func Check(fs vfs.FS, dir string) (Report, error) { panic("not written") }
