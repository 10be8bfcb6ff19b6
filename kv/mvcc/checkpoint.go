package mvcc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"detcd/storage/archive"
	"detcd/storage/vfs"
)

// stateVersion is the first byte of a checkpoint's state; docs/formats/history.md has the rest.
const stateVersion = 1

var errState = errors.New("mvcc: the state of the checkpoint is malformed")

// Checkpoint returns what Restore needs. It is true once the flush is executed and handed to
// StorageStepDone. The state is small: all that grows is in the archive.
func (s *Store) Checkpoint() (state []byte, segments []archive.Segment, flush *archive.Step) {
	segments, flush = s.archive.Flush()
	return s.state(), segments, flush
}

func (s *Store) state() []byte {
	state := []byte{stateVersion}
	state = binary.AppendVarint(state, s.revision)
	state = binary.AppendVarint(state, s.compacted)
	for _, c := range s.compactions {
		state = binary.AppendVarint(state, c.previous)
		state = binary.AppendVarint(state, c.revision)
		state = binary.AppendVarint(state, c.stored())
	}
	return state
}

// stored is the hash as a checkpoint has it: -1 when it is not known yet.
func (c compaction) stored() int64 {
	if !c.hashed {
		return -1
	}
	return int64(c.hash)
}

// cutState reads a state into a store.
func (s *Store) cutState(state []byte) error {
	if state[0] != stateVersion {
		return fmt.Errorf("%w: version %d, known is %d", errState, state[0], stateVersion)
	}
	var numbers []int64
	for rest := state[1:]; len(rest) > 0; {
		number, size := binary.Varint(rest)
		if size <= 0 {
			return fmt.Errorf("%w: %d bytes are left over", errState, len(rest))
		}
		numbers, rest = append(numbers, number), rest[size:]
	}
	if len(numbers) < 2 || len(numbers)%3 != 2 {
		return fmt.Errorf("%w: it has %d numbers", errState, len(numbers))
	}
	s.revision, s.compacted = numbers[0], numbers[1]
	for rest := numbers[2:]; len(rest) > 0; rest = rest[3:] {
		c := compaction{previous: rest[0], revision: rest[1]}
		if hash := rest[2]; hash >= 0 {
			c.hashed, c.hash = true, uint32(hash)
		}
		s.compactions = append(s.compactions, c)
	}
	return nil
}

// Restore replaces everything by what a checkpoint describes: state and segments as Checkpoint
// returned them, the files in dir. Without state the store is a new one, at revision 1. It calls
// live for every key that exists, in the order of keys, with its lease or 0; live may be nil, and
// the bytes of a key are valid during the call only.
//
// Whatever a compaction had still to let go is not even put into the index.
func (s *Store) Restore(fs vfs.FS, dir string, state []byte, segments []archive.Segment,
	live func(key []byte, lease int64)) error {
	fresh := &Store{options: s.options, index: newIndex(), graves: newGraves(),
		revision: 1, compacted: -1}
	if len(state) > 0 {
		if err := fresh.cutState(state); err != nil {
			return err
		}
	}
	fresh.trimmed = fresh.compacted
	if i := fresh.unhashed(); i >= 0 {
		fresh.trimmed = fresh.compactions[i].previous
	}
	l := newLoader(fresh, segments)
	var err error
	fresh.archive, err = archive.Open(fs, dir, segments, s.options.Archive,
		func(id archive.ID, head []byte, _ int) error { return l.add(id, head) })
	if err != nil {
		return fmt.Errorf("mvcc: restore: %w", err)
	}
	l.finish()
	if live != nil {
		var room []byte
		fresh.index.tree.Scan(func(i item) bool {
			if !i.newest.tombstone() {
				room = append(room[:0], i.key...)
				live(room, i.newest.lease)
			}
			return true
		})
	}
	*s = *fresh
	return nil
}

// loader builds the index from the records of an archive, which come in the order of history.
type loader struct {
	store  *Store
	items  []item         // in the order in which the keys were first met
	places map[string]int // of the keys in items
	dead   []archive.ID
}

// How many keys there may be is guessed from the bytes of the archive: a table that grows to its
// size hashes every key again and again, which was a fifth of the time of a start. The guess is
// bounded, so that a long history of few keys costs some megabytes for a moment and no more.
const (
	keyBytes    = 256
	keysGuessed = 1 << 20
)

func newLoader(store *Store, segments []archive.Segment) *loader {
	var bytes int64
	for i := range segments {
		bytes += segments[i].Length
	}
	guess := min(bytes/keyBytes, keysGuessed)
	return &loader{store: store, items: make([]item, 0, guess), places: make(map[string]int, guess)}
}

// add takes the next record. What is before the revision that was trimmed is cut off on the way, so
// that of a key at most one version is at or below that revision.
func (l *loader) add(id archive.ID, head []byte) error {
	v, key, err := cutHead(id, head)
	if err != nil {
		return err
	}
	if v.main > l.store.revision {
		return fmt.Errorf("%w: a record of revision %d is behind revision %d",
			errState, v.main, l.store.revision)
	}
	buried := v.tombstone() && v.main < l.store.trimmed
	place, known := l.places[string(key)]
	if !known && buried {
		l.dead = append(l.dead, id) // there is nothing left to bury
		return nil
	}
	if !known {
		place = len(l.items)
		l.items = append(l.items, item{key: string(key)})
		l.places[l.items[place].key] = place
	}
	i := &l.items[place]
	if i.newest != nil && v.main <= l.store.trimmed {
		l.dead = append(l.dead, i.newest.id())
		i.newest = nil
	}
	if !buried {
		i.newest = v.on(i.newest)
		return nil
	}
	if earlier, replaced := l.store.graves.bury(i.key, &v); replaced {
		l.dead = append(l.dead, earlier)
	}
	return nil
}

func (l *loader) finish() {
	for _, id := range l.dead {
		l.store.archive.Kill(id)
	}
	l.items = slices.DeleteFunc(l.items, func(i item) bool { return i.newest == nil })
	slices.SortFunc(l.items, func(a, b item) int { return strings.Compare(a.key, b.key) })
	for _, i := range l.items {
		l.store.index.tree.Load(i)
		if i.exists() {
			l.store.keys++
		}
	}
	l.store.graves.survivors = l.store.graves.tree.Len() // each is known to bury something
}
