package lease

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"
)

func granted(t *testing.T, b *Book, id ID, ttl Seconds) Grant {
	t.Helper()
	grant, err := b.Grant(id, ttl)
	if err != nil {
		t.Fatal(err)
	}
	return grant
}

func ExampleBook() {
	var book Book
	book.Promote(0, time.Second)
	grant, _ := book.Grant(7, 60)
	at := func(s float64) Instant { return Instant(s * 1e9) }
	fmt.Println(book.Due(at(20.9)))
	fmt.Println(book.Renew(7, at(21.0)))
	fmt.Println(book.Due(at(80.9)), book.Due(at(81.0)), grant)
	fmt.Println(book.Renew(7, at(82.0)))
	// Output:
	// []
	// 60 1
	// [] [{7 1}] {7 1}
	// 0 2
}

func TestRefusals(t *testing.T) {
	var b Book
	granted(t, &b, 7, TTLMax)
	for _, c := range []struct {
		id   ID
		ttl  Seconds
		want error
	}{
		{7, 5, ErrExists}, {None, 5, ErrExists},
		{8, TTLMax + 1, ErrTooLong}, {7, TTLMax + 1, ErrTooLong},
	} {
		if _, err := b.Grant(c.id, c.ttl); !errors.Is(err, c.want) {
			t.Errorf("grant(%d, %d): %v, want %v", c.id, c.ttl, err, c.want)
		}
	}
}

func TestARevocationProposedForAnOldGrantDoesNotNameTheNewOne(t *testing.T) {
	var b Book
	b.Promote(0, 0)
	ann := granted(t, &b, 7, 1)
	b.Due(0)
	if due := b.Due(seconds); !slices.Equal(due, []Grant{ann}) {
		t.Fatalf("due: %v", due)
	}
	b.Revoke(7)
	bob := granted(t, &b, 7, 1)
	if now, _ := b.Find(7); now != bob || now == ann {
		t.Fatalf("lease 7 is %v, Ann's was %v, Bob's %v", now, ann, bob)
	}
}

func TestALongLeaseDoesNotOverflowTheClock(t *testing.T) {
	var b Book
	granted(t, &b, 1, TTLMax)
	late := Instant(math.MaxInt64) - 5*seconds
	b.Promote(late, time.Hour)
	granted(t, &b, 2, TTLMax)
	if due := b.Due(late); len(due) > 0 {
		t.Fatalf("due at once: %v", due)
	}
	b.Renew(2, late)
	if due := b.Due(late + 4*seconds); len(due) > 0 {
		t.Fatalf("due: %v", due)
	}
	if _, fate := b.Renew(1, late); fate != Alive {
		t.Fatalf("renew: %v", fate)
	}
}

func TestManyLeasesThatEndTogetherAreGivenOutSlowly(t *testing.T) {
	var b Book
	const count = 5000
	for id := range ID(count) {
		granted(t, &b, id+1, 1)
	}
	b.Promote(0, 0)
	total := 0
	for now := seconds; total < count; now += seconds / 10 {
		due := b.Due(now)
		if total += len(due); len(due) > revokesBurst {
			t.Fatalf("%d at once", len(due))
		}
		if most := revokesBurst + int((now-seconds)*revokesPerSecond/seconds); total > most {
			t.Fatalf("%d until %d, more than %d", total, now, most)
		}
		if now > 10*seconds {
			t.Fatalf("only %d after %d", total, now)
		}
	}
}

func TestCheckFindsEveryBrokenInvariant(t *testing.T) {
	other := &lease{Grant: Grant{9, 1}}
	for number, damage := range map[int]func(b *Book, l *lease){
		1: func(b *Book, l *lease) { l.ID = 8 },
		2: func(b *Book, l *lease) { l.Serial = 3 },
		3: func(b *Book, l *lease) { b.Attach(6, []byte("k")) },
		4: func(b *Book, l *lease) { l.phase = resting },
		5: func(b *Book, l *lease) { b.agenda[l.place] = other },
	} {
		b := &Book{}
		granted(t, b, 6, 5)
		granted(t, b, 7, 5)
		b.Attach(7, []byte("k"))
		b.Promote(0, 0)
		if err := b.Check(); err != nil {
			t.Fatal(err)
		}
		l, _ := b.leases.Get(7)
		damage(b, l)
		want := fmt.Sprintf("lease: invariant %d", number)
		if err := b.Check(); err == nil || err.Error()[:len(want)] != want {
			t.Errorf("damage %d: %v", number, err)
		}
	}
}
