// Package checkpoint saves one small blob atomically.
package checkpoint

import "detcd/storage/vfs"

// Report is what Check found.
type Report struct {
	Number     uint64 // of the newest checkpoint; 0: there is none
	Bytes      int64  // of its file
	Older      int    // files that a newer checkpoint has replaced
	Unfinished int    // files whose Save a crash interrupted
}

// Save makes blob the checkpoint of dir under a number that is higher than any before (or the same
// as the last). When it returns nil the checkpoint is durable and older ones are gone; on an error
// or a crash, Load returns either the one before or this one, whole.
func Save(fs vfs.FS, dir string, number uint64, blob []byte) error { panic("not written") }

// Load returns the newest checkpoint of dir; number 0 says that there is none. A damaged newest one
// is a *vfs.CorruptionError: an older one is never taken in its place.
func Load(fs vfs.FS, dir string) (number uint64, blob []byte, err error) { panic("not written") }

// Check reads every checkpoint in dir and changes nothing. Damage is a *vfs.CorruptionError.
func Check(fs vfs.FS, dir string) (Report, error) { panic("not written") }
