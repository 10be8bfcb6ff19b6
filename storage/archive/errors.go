package archive

import "errors"

// ErrNotFound says that the archive has no record with the ID that was asked for: it never had, or
// a merge dropped it after Kill.
var ErrNotFound = errors.New("archive: no such record")

// ErrVersion says that a file was written by a newer program. Nothing was changed.
var ErrVersion = errors.New("archive: the format is newer than this program knows")

// errStop ends a walk early; it never leaves the package.
var errStop = errors.New("archive: stop")
