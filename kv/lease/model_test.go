package lease

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// promise is what the naive model knows of one lease: its keys, and until when it must live.
type promise struct {
	Grant
	ttl   Seconds
	keys  map[string]bool
	until Instant
	out   bool // given out by Due in this leadership
}

// model is a book written for obviousness: slices, and every rule spelled out.
type model struct {
	leases  []*promise
	serial  Serial
	leading bool
	now     Instant
}

func (m *model) find(id ID) *promise {
	for _, p := range m.leases {
		if p.ID == id {
			return p
		}
	}
	return nil
}

func (m *model) owner(key string) ID {
	for _, p := range m.leases {
		if p.keys[key] {
			return p.ID
		}
	}
	return None
}

// machine drives a book and the model by the same calls.
type machine struct {
	book  *Book
	model model
}

const seconds = Instant(time.Second)

func anyID(t *rapid.T) ID { return ID(rapid.Int64Range(-2, 6).Draw(t, "id")) }

func anyKey(t *rapid.T) string { return rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "key") }

func (m *machine) grant(t *rapid.T) {
	id, ttl := anyID(t), Seconds(rapid.Int64Range(1, 9).Draw(t, "ttl"))
	if id == None {
		return
	}
	grant, err := m.book.Grant(id, ttl)
	if m.model.find(id) != nil {
		if err != ErrExists {
			t.Fatalf("granting a taken ID gives %v", err)
		}
		return
	}
	m.model.serial++
	p := &promise{Grant: Grant{id, m.model.serial}, ttl: ttl, keys: map[string]bool{}}
	p.until = m.model.now + Instant(ttl)*seconds
	m.model.leases = append(m.model.leases, p)
	if err != nil || grant != p.Grant {
		t.Fatalf("grant of %d: %v %v", id, grant, err)
	}
}

func (m *machine) revoke(t *rapid.T) {
	id := anyID(t)
	keys, found := m.book.Revoke(id)
	p := m.model.find(id)
	if found != (p != nil) {
		t.Fatalf("revoke %d: found %t", id, found)
	}
	if p == nil {
		return
	}
	if fmt.Sprint(keys) != fmt.Sprint(sorted(p.keys)) {
		t.Fatalf("revoke %d: keys %q, want %v", id, keys, p.keys)
	}
	m.model.leases = slices.DeleteFunc(m.model.leases, func(q *promise) bool { return q == p })
}

func sorted(set map[string]bool) (keys []string) {
	for key := range set {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

func (m *machine) attach(t *rapid.T) {
	id, key := anyID(t), anyKey(t)
	if id != None && m.model.find(id) == nil {
		return
	}
	if owner := m.model.owner(key); owner != None {
		m.book.Detach(owner, []byte(key))
	}
	if id != None {
		m.book.Attach(id, []byte(key))
	}
	for _, p := range m.model.leases {
		delete(p.keys, key)
		if p.ID == id {
			p.keys[key] = true
		}
	}
}

func (m *machine) tick(t *rapid.T) {
	m.model.now += Instant(rapid.Int64Range(0, 3_000).Draw(t, "ms")) * Instant(time.Millisecond)
	due := m.book.Due(m.model.now)
	if !m.model.leading && len(due) > 0 {
		t.Fatalf("a book that does not lead gives out %v", due)
	}
	for _, grant := range due {
		p := m.model.find(grant.ID)
		if p == nil || p.Grant != grant || p.out {
			t.Fatalf("%v is due, but is not there or was given out: %+v", grant, p)
		}
		if m.model.now < p.until {
			t.Fatalf("%v is due at %d, promised until %d", grant, m.model.now, p.until)
		}
		p.out = true
	}
}

// wait lets all deadlines pass: two calls of Due with the longest life in between.
func (m *machine) wait(t *rapid.T) {
	m.book.Due(m.model.now)
	m.tick(t)
	m.model.now += 20 * seconds
	m.tick(t)
	for _, p := range m.model.leases {
		if m.model.leading && !p.out {
			t.Fatalf("%v is never due", p.Grant)
		}
	}
}

func (m *machine) renew(t *rapid.T) {
	id := anyID(t)
	since := m.model.now - Instant(rapid.Int64Range(0, 500).Draw(t, "ms"))*Instant(time.Millisecond)
	ttl, fate := m.book.Renew(id, since)
	p := m.model.find(id)
	switch {
	case !m.model.leading || p != nil && p.out:
		if fate != Undecided {
			t.Fatalf("renew %d: %v, want undecided", id, fate)
		}
	case p == nil:
		if fate != Unknown {
			t.Fatalf("renew %d: %v, want unknown", id, fate)
		}
	default:
		if fate != Alive || ttl != p.ttl {
			t.Fatalf("renew %d: %v, %d seconds", id, fate, ttl)
		}
		p.until = max(p.until, since+Instant(ttl)*seconds)
	}
}

func (m *machine) promote(t *rapid.T) {
	m.model.leading = true
	m.book.Promote(m.model.now, time.Second)
	for _, p := range m.model.leases {
		p.until, p.out = m.model.now+Instant(p.ttl+1)*seconds, false
	}
}

func (m *machine) demote(*rapid.T) {
	m.model.leading = false
	m.book.Demote()
}

// restart restores the book from its checkpoint; kv attaches the keys again.
func (m *machine) restart(t *rapid.T) {
	blob := m.book.Checkpoint()
	book, err := Restore(blob)
	if err != nil {
		t.Fatal(err)
	}
	m.book, m.model.leading = book, false
	for _, p := range m.model.leases {
		for key := range p.keys {
			book.Attach(p.ID, []byte(key))
		}
	}
	if again := book.Checkpoint(); !slices.Equal(again, blob) {
		t.Fatalf("checkpoint of a restored book: %x, want %x", again, blob)
	}
}

func (m *machine) check(t *rapid.T) {
	if err := m.book.Check(); err != nil {
		t.Fatal(err)
	}
	var want []ID
	for _, p := range m.model.leases {
		want = append(want, p.ID)
		m.checkStatus(t, p)
		if grant, found := m.book.Find(p.ID); !found || grant != p.Grant {
			t.Fatalf("find %d: %v", p.ID, grant)
		}
	}
	m.checkSchedule(t)
	slices.Sort(want)
	if got := idsOf(m.book); !slices.Equal(got, want) {
		t.Fatalf("leases %v, want %v", got, want)
	}
	m.book.Each(func(id ID, keys []string) {
		if p := m.model.find(id); fmt.Sprint(keys) != fmt.Sprint(sorted(p.keys)) {
			t.Fatalf("lease %d owns %q, want %v", id, keys, p.keys)
		}
	})
}

func idsOf(b *Book) (all []ID) {
	b.Listing().Each(func(id ID, _ Seconds) { all = append(all, id) })
	return all
}

// checkSchedule wants every lease once, with a deadline that is not before the promised one; none
// of a book that does not lead.
func (m *machine) checkSchedule(t *rapid.T) {
	var listed []ID
	leads := m.book.Schedule(m.model.now, func(grant Grant, deadline Instant) {
		p := m.model.find(grant.ID)
		if p == nil || p.Grant != grant || deadline < p.until {
			t.Fatalf("%v ends at %d: %+v", grant, deadline, p)
		}
		listed = append(listed, grant.ID)
	})
	if leads != m.model.leading || leads && !slices.Equal(listed, idsOf(m.book)) {
		t.Fatalf("leads %t, listed %v", leads, listed)
	}
}

func (m *machine) checkStatus(t *rapid.T, p *promise) {
	status, fate := m.book.Status(p.ID, m.model.now, true)
	if !m.model.leading {
		if fate != Undecided {
			t.Fatalf("status %d of a book that does not lead: %v", p.ID, fate)
		}
		return
	}
	if fate != Alive || status.TTL != p.ttl || !slices.Equal(status.Keys, sorted(p.keys)) {
		t.Fatalf("status %d: %v %+v, want %+v", p.ID, fate, status, p)
	}
	left := Seconds(max(0, p.until-m.model.now) / seconds)
	if p.out && status.Remaining != 0 || !p.out && status.Remaining < left-1 {
		t.Fatalf("status %d: %d seconds remain, promised %d", p.ID, status.Remaining, left)
	}
}

func TestBookIsTheNaiveBook(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &machine{book: &Book{}}
		for range 5 {
			t.Repeat(map[string]func(*rapid.T){
				"": m.check, "grant": m.grant, "revoke": m.revoke, "attach": m.attach,
				"tick": m.tick, "wait": m.wait, "renew": m.renew,
				"promote": m.promote, "demote": m.demote, "restart": m.restart,
			})
		}
	})
}

func FuzzRestore(f *testing.F) {
	book := &Book{}
	for id, ttl := range map[ID]Seconds{7: 60, -4: 5, 1 << 62: TTLMax} {
		if _, err := book.Grant(id, ttl); err != nil {
			f.Fatal(err)
		}
	}
	f.Add(book.Checkpoint())
	f.Add((&Book{}).Checkpoint())
	f.Add([]byte{})
	f.Add([]byte{formatVersion, 1, 2, 2, 1, 2, 2, 1, 2})
	f.Fuzz(func(t *testing.T, blob []byte) {
		book, err := Restore(blob)
		if err != nil {
			return
		}
		again, err := Restore(book.Checkpoint())
		if err != nil || !slices.Equal(idsOf(again), idsOf(book)) {
			t.Fatalf("%v: %v is not %v", err, idsOf(again), idsOf(book))
		}
	})
}
