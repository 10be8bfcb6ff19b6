package lease

import "fmt"

// Check tests the invariants that the package comment numbers, and says which one is broken.
func (b *Book) Check() (err error) {
	attached := 0
	phases := make(map[phase]int)
	serials := make(map[Serial]ID)
	b.leases.Scan(func(id ID, l *lease) bool {
		attached += len(l.keys)
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
		for key := range l.keys {
			if b.owners[key] != l {
				err = fmt.Errorf("lease: invariant 3: lease %x is not the owner of %q", id, key)
			}
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
	case attached != len(b.owners):
		return fmt.Errorf("lease: invariant 3: %d keys, %d owners", attached, len(b.owners))
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
