package kv

import (
	"sync"
	"testing"

	"detcd/kv/lease"
)

func listed(view any) (all []lease.ID) {
	view.(*View).EachLease(func(id lease.ID, _ lease.Seconds) { all = append(all, id) })
	return all
}

func TestTheViewIsTheSameWhileNothingChanges(t *testing.T) {
	m := newMember(t)
	first := m.store.View()
	if m.store.View() != first {
		t.Error("another view, though nothing changed")
	}
	m.apply(encode(grant(7, 60)))
	second := m.store.View()
	if second == first || len(listed(first)) != 0 || len(listed(second)) != 1 {
		t.Errorf("leases: %v in the old view, %v in the new one", listed(first), listed(second))
	}
}

// TestAViewIsReadWhileTheStoreGoesOn is for the race detector, too.
func TestAViewIsReadWhileTheStoreGoesOn(t *testing.T) {
	m := newMember(t)
	var readers sync.WaitGroup
	for id := range int64(300) {
		m.want(grant(id+1, 60), nil)
		m.want(leased("a", "", id+1), nil)
		if id%3 == 2 {
			m.want(revoke(id), nil)
		}
		view := m.store.View().(*View)
		want := int(id + 1 - (id+1)/3)
		readers.Go(func() {
			response, err := view.Read(get("a", ""))
			if ids := listed(view); err != nil || len(ids) != want || response.Kvs[0].Lease != id+1 {
				t.Errorf("after lease %d: %d leases, want %d; %v, %v", id+1, len(ids), want,
					response, err)
			}
		})
	}
	readers.Wait()
}
