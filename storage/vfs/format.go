package vfs

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// PreambleSize is the length of what every file of ours begins with.
const PreambleSize = 16

const magicSize = 8

// AppendPreamble appends the first bytes of a file: a magic of 8 bytes, the version of its format
// and a checksum of the two. They keep this shape in all versions, so that a file of a newer
// version is told from a damaged one.
func AppendPreamble(b []byte, magic string, version uint32) []byte {
	start := len(b)
	b = append(b, magic[:magicSize]...)
	b = binary.LittleEndian.AppendUint32(b, version)
	return binary.LittleEndian.AppendUint32(b, Checksum(0, b[start:]))
}

// CheckPreamble says whether a file begins with the magic and a version up to newest: nil, a
// *VersionError for a newer version, or a *CorruptionError.
func CheckPreamble(file string, b []byte, magic string, newest uint32) error {
	const body = magicSize + 4
	switch {
	case len(b) < PreambleSize:
		return &CorruptionError{file, int64(len(b)), "the file ends inside its first bytes"}
	case string(b[:magicSize]) != magic:
		return &CorruptionError{file, 0, fmt.Sprintf("the file does not begin with %q", magic)}
	case binary.LittleEndian.Uint32(b[body:]) != Checksum(0, b[:body]):
		return &CorruptionError{file, magicSize, "the checksum of the version does not match"}
	}
	version := binary.LittleEndian.Uint32(b[magicSize:])
	switch {
	case version == 0:
		return &CorruptionError{file, magicSize, "there is no version 0"}
	case version > newest:
		return &VersionError{file, version, newest}
	}
	return nil
}

// Checksum continues a CRC-32C over more bytes. The first part begins with any seed, as 0.
func Checksum(seed uint32, b []byte) uint32 {
	return crc32.Update(seed, crc32.MakeTable(crc32.Castagnoli), b)
}

// CorruptionError says that stored bytes are not what was written.
type CorruptionError struct {
	File   string // name below the root of the FS
	Offset int64  // first byte of what is wrong
	Reason string // one clause, as in "the checksum of the batch does not match"
}

// Error names file, offset and reason.
func (e *CorruptionError) Error() string {
	return fmt.Sprintf("%s: damaged at offset %d: %s", e.File, e.Offset, e.Reason)
}

// VersionError says that a file was written by a newer program than this one.
type VersionError struct {
	File          string // name below the root of the FS
	Found, Newest uint32 // the version of the file, and the newest that this program reads
}

// Error names the file and both versions.
func (e *VersionError) Error() string {
	return fmt.Sprintf("%s: the file has format version %d, this program reads up to version %d",
		e.File, e.Found, e.Newest)
}
