package archive

import (
	"bytes"
	"errors"

	"detcd/storage/vfs"
)

// Report is what Check counted.
type Report struct {
	Segments int
	Records  int
	Bytes    int64    // that belong to the segments
	Unnamed  []string // segments in the directory that are not in the list; Open would delete them
}

// Check reads every byte of the named segments and verifies it. It changes nothing. It goes on
// after a damaged segment and returns all errors, joined; damage is a *vfs.CorruptionError.
func Check(fs vfs.FS, dir string, segments []Segment) (Report, error) {
	var report Report
	if err := checkList(segments); err != nil {
		return report, err
	}
	names, err := list(fs, dir)
	if err != nil {
		return report, err
	}
	for _, name := range names {
		if !isNamed(segments, name) {
			report.Unnamed = append(report.Unnamed, name)
		}
	}
	l := &loader{fs: fs, dir: dir, each: func(ID, []byte, int) error { return nil }}
	var failed []error
	for _, s := range segments {
		count, err := l.check(s)
		if err = errors.Join(err, l.close()); err != nil {
			failed = append(failed, err)
			continue
		}
		report.Segments++
		report.Records += count
		report.Bytes += s.Length
	}
	return report, errors.Join(failed...)
}

// CheckOrder verifies that the segments are each as named and that the IDs of their records ascend
// through all of them. It reads the footers, and all of an unsealed segment, as Open does; the
// records of sealed ones it leaves to Check. It changes nothing.
func CheckOrder(fs vfs.FS, dir string, segments []Segment) error {
	if err := checkList(segments); err != nil {
		return err
	}
	l := &loader{fs: fs, dir: dir, each: func(ID, []byte, int) error { return nil }}
	for _, s := range segments {
		var err error
		if s.Sealed {
			_, err = l.sealed(s)
		} else {
			_, err = l.unsealed(s)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// check verifies one segment and returns the number of its records.
func (l *loader) check(named Segment) (int, error) {
	if !named.Sealed {
		d, err := l.unsealed(named)
		if err != nil {
			return 0, err
		}
		return d.table.length(), nil
	}
	s, err := l.sealed(named)
	if err != nil {
		return 0, err
	}
	rest, t, err := s.footer(&l.room)
	if err != nil {
		return 0, err
	}
	e, chain := entries{rest: rest}, uint32(0)
	b := &buffer{size: scanSizeMax}
	at := int64(headerSize)
	err = walk(s, 0, s.table.length(), b, func(r Record, data []byte) error {
		if _, head, _ := e.next(); !bytes.Equal(head, r.Head) {
			return s.damaged(at, "the footer has another head")
		}
		chain = chained(chain, data)
		at += int64(len(data))
		return nil
	})
	if err == nil && chain != t.chain {
		err = s.damaged(headerSize, "the records have not the checksum of the footer")
	}
	return s.table.length(), err
}
