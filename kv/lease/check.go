package lease

import (
	"fmt"
	"maps"
	"slices"
)

// Check tests the invariants that the package comment numbers, and says which one is broken.
func (b *Book) Check() (err error) {
	owners := make(map[string]ID)
	phases := make(map[phase]int)
	serials := make(map[Serial]ID)
	b.leases.Scan(func(id ID, l *lease) bool {
		phases[l.phase]++
		other, twice := serials[l.Serial]
		serials[l.Serial] = id
		switch {
		case l.ID != id:
			err = fmt.Errorf("lease: invariant 1: lease %x is filed under %x", l.ID, id)
		case l.Serial == 0 || l.Serial > b.last || twice:
			err = fmt.Errorf("lease: invariant 2: lease %x has serial %d of %d, also of %x",
				id, l.Serial, b.last, other)
		case b.leading == (l.phase == resting):
			err = fmt.Errorf("lease: invariant 4: lease %x in phase %d; leading: %t",
				id, l.phase, b.leading)
		case l.phase == ticking && (l.place >= len(b.agenda) || b.agenda[l.place] != l):
			err = fmt.Errorf("lease: invariant 5: lease %x is not at place %d", id, l.place)
		}
		for _, key := range slices.Sorted(maps.Keys(l.keys)) {
			if other, twice := owners[key]; twice {
				err = fmt.Errorf("lease: invariant 3: %q belongs to %x and %x", key, other, id)
			}
			owners[key] = id
		}
		return err == nil
	})
	if err != nil {
		return err
	}
	freshly := 0
	for _, l := range b.fresh {
		if l.phase == fresh {
			freshly++
		}
	}
	switch {
	case freshly != phases[fresh]:
		return fmt.Errorf("lease: invariant 4: %d fresh, %d listed", phases[fresh], freshly)
	case len(b.agenda) != phases[ticking]:
		return fmt.Errorf("lease: invariant 5: %d ticking, agenda of %d",
			phases[ticking], len(b.agenda))
	}
	for i := 1; i < len(b.agenda); i++ {
		if b.agenda.Less(i, (i-1)/2) {
			return fmt.Errorf("lease: invariant 5: the agenda is no heap at %d", i)
		}
	}
	return nil
}
