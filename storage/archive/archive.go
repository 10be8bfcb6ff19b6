package archive

import "detcd/storage/vfs"

// ID orders records: by Major, then by Minor.
type ID struct {
	Major uint64
	Minor uint32
}

// Less says whether i comes before other.
func (i ID) Less(other ID) bool {
	if i.Major != other.Major {
		return i.Major < other.Major
	}
	return i.Minor < other.Minor
}

// Segment is what a checkpoint must remember of one file. A list of them, in order, is the archive.
type Segment struct {
	Name     string // base name in the directory of the archive
	Length   int64  // bytes that belong to it; the file of an unsealed one may be longer
	Sealed   bool   // it never changes again; only the last of a list may be unsealed
	Checksum uint32 // covers all of its bytes, by way of the checksums inside
}

// Record is one entry. Head and Body are opaque; heads are handed to Open's callback, bodies are not.
// Their bytes belong to the archive and must not be changed.
type Record struct {
	ID         ID
	Head, Body []byte
}

// Options bound the sizes; zero means the default.
type Options struct {
	SegmentSize int64 // bytes of records after which a segment is sealed
	StepSize    int   // bytes that one step moves, a flush apart: 1 MiB
	FlushSize   int   // unwritten bytes that ask for a step: 1 MiB
}

// Stats are sizes in bytes, and counts. Live and Dead count whole records.
type Stats struct {
	Segments  int   // in the present list, the unsealed one included
	Records   int   // live and dead
	Live      int64 // bytes of records that were not killed
	Dead      int64 // bytes of killed records that no merge has dropped yet
	Unwritten int64 // bytes that are only in memory
	Memory    int64 // bytes of records and tables in memory
	Disk      int64 // bytes of files, including those that wait for removal
}

// Archive is the owner's side. It decides and never writes: what it wants written it hands out as a
// Step. All its methods are called from one goroutine.
type Archive struct{}

// Open rebuilds the archive that a checkpoint named; no segments make an empty one. It deletes files
// that are not named, cuts the unsealed one to its named length, and calls each for every record in
// ascending order. The bytes of head are valid during the call only. Damage is a
// *vfs.CorruptionError, a newer format ErrVersion, and an error of each is returned as it is.
func Open(fs vfs.FS, dir string, segments []Segment, options Options,
	each func(id ID, head []byte, bodyLength int) error) (*Archive, error) {
	panic("not yet")
}

// Append adds a record behind all others; id must be above every one before. Head and body are copied.
// The record is at once readable through a new View. It is in memory until a step has written it.
func (a *Archive) Append(id ID, head, body []byte) { panic("not yet") }

// Kill says that nobody will ask for the record again: a merge may drop it. Killing an unknown or dead
// record does nothing. The archive does not remember kills across Open.
func (a *Archive) Kill(id ID) { panic("not yet") }

// View returns the records as they are now. It costs one small allocation.
func (a *Archive) View() *View { panic("not yet") }

// Step returns the next piece of bulk work, or nil. It must be executed, then given to Done, before
// the next Step or Flush.
func (a *Archive) Step() *Step { panic("not yet") }

// Flush returns what a checkpoint may name once the step is executed. The step writes and syncs all
// that is still in memory, however much; it is nil when there is nothing to write.
func (a *Archive) Flush() ([]Segment, *Step) { panic("not yet") }

// Done takes back an executed step. Done of nil does nothing.
func (a *Archive) Done(s *Step) { panic("not yet") }

// Saved says that a durable checkpoint names these segments and only these: later steps may remove
// other files that the archive no longer uses.
func (a *Archive) Saved(segments []Segment) { panic("not yet") }

// Stats returns the sizes as they are now.
func (a *Archive) Stats() Stats { panic("not yet") }

// Step is a piece of work for the disk, decided by the owner.
type Step struct{}

// Execute does a step: it is the only thing that writes. Execute of nil does nothing. After
// vfs.ErrNoSpace the same step may be executed again; after any other error the archive must be
// opened anew.
func Execute(fs vfs.FS, dir string, s *Step) error { panic("not yet") }

// View is the archive at one moment. It never changes, may be used from any goroutine, and needs no
// release: its files stay readable though removed, and close when nothing refers to them.
type View struct{}

// Get returns the record; ErrNotFound when there is none. What it returns may be kept.
func (v *View) Get(id ID) (Record, error) { panic("not yet") }

// Scan calls each for the records from <= ID < to in ascending order until it returns false. Killed
// records may still be among them. The bytes of a record are valid during the call only.
func (v *View) Scan(from, to ID, each func(Record) bool) error { panic("not yet") }

// Report is what Check counted.
type Report struct {
	Segments int
	Records  int
	Bytes    int64
	Unnamed  []string // files of the directory that are not in the list; Open would delete them
}

// Check reads every byte of the named segments and verifies it. It goes on after damage and returns
// all of it, joined; each part is a *vfs.CorruptionError.
func Check(fs vfs.FS, dir string, segments []Segment) (Report, error) { panic("not yet") }
