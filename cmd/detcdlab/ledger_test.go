package main

import (
	"strings"
	"testing"
	"time"
)

// A book is a ledger whose clock a test sets, with a shorthand for each thing that it is told.
type book struct {
	*ledger
	clock time.Duration
}

func newBook() *book {
	b := &book{}
	b.ledger = newLedger(func() time.Duration { return b.clock })
	return b
}

// put begins a write of keys.
func (b *book) put(keys ...string) *write {
	w := &write{what: "put", puts: keys}
	b.begin(w)
	return w
}

// fresh is the change that a write makes to a key that was not there.
func fresh(w *write, key string, revision int64) change {
	return change{key: key, value: w.value(8), create: revision, version: 1, lease: w.lease}
}

// show delivers a revision to both watchers.
func (b *book) show(revision int64, changes ...change) {
	b.deliver("a", revision, append([]change(nil), changes...))
	b.deliver("b", revision, append([]change(nil), changes...))
}

// whole has one key put, from begin to both watchers, at a revision.
func (b *book) whole(key string, revision int64) *write {
	w := b.put(key)
	b.acknowledged(w, revision, revision-1)
	b.show(revision, fresh(w, key, revision))
	return w
}

// good is a history that keeps every rule and uses most of what there is.
func good() *book {
	b := newBook()
	one := b.whole("x", 2)
	two := b.put("x", "y")
	again := change{key: "x", value: two.value(8), create: 2, version: 2}
	b.acknowledged(two, 3, 2)
	b.readAnswered("y", &version{3, fresh(two, "y", 3)}, 3, 3, "m1") // before any watcher saw it
	b.show(3, fresh(two, "y", 3), again)
	b.readAnswered("x", &version{3, again}, 3, 3, "m1")
	b.serializableRead("x", &version{2, fresh(one, "x", 2)}, 2, "m2")
	b.serializableRead("y", nil, 2, "m2")
	remove := b.put("mark")
	remove.deletes = []string{"x"}
	b.show(4, fresh(remove, "mark", 4), change{key: "x", deleted: true})
	b.unanswered(remove) // it happened, and nobody was told
	lost := b.put("z")
	b.unanswered(lost) // it did not happen
	refused := b.put("z")
	b.notApplied(refused, 4, 4)
	b.leaseSent(7, false)
	b.leaseAlive(7, 0, 2*time.Second)
	leased := b.put("l")
	leased.lease = 7
	b.acknowledged(leased, 5, 4)
	b.show(5, fresh(leased, "l", 5))
	b.clock = 2 * time.Second
	b.show(6, change{key: "l", deleted: true})
	return b
}

func TestAHistoryThatKeepsEveryRuleIsAccepted(t *testing.T) {
	b := good()
	b.settle(6)
	var all []version
	for _, v := range b.live {
		all = append(all, v)
	}
	b.holds("m1", all)
	b.startAt("replay of m1", 4)
	b.deliver("replay of m1", 4, append([]change(nil), b.log[2]...))
	b.readAllBack(t)
	if err := b.failure(); err != nil {
		t.Fatal(err)
	}
	c := b.tally()
	if c.Acknowledged != 3 || c.Unknown != 2 || c.Recovered != 1 || c.LeasesEnded != 1 {
		t.Errorf("counts %+v", c)
	}
}

// readAllBack reads everything after revision 2 back.
func (b *book) readAllBack(t *testing.T) {
	t.Helper()
	count := 0
	b.written(2, func(v version) {
		count++
		b.readBack("m1", v, &v)
	})
	if count != 4 { // x and y at 3, the mark at 4, l at 5
		t.Errorf("%d values to read back, want 4", count)
	}
}

// A broken history is told on top of the good one, which ends at revision 6; want is in the words
// by which the ledger must refuse it.
type broken struct {
	tell func(b *book)
	want string
}

func lostWrites() map[string]broken {
	return map[string]broken{
		"an acknowledged write that no watcher ever sees": {func(b *book) {
			b.acknowledged(b.put("k"), 7, 6)
			b.settle(6)
		}, "acknowledged write lost"},
		"an acknowledged write whose revision is another's": {func(b *book) {
			b.acknowledged(b.put("k"), 7, 6)
			other := b.put("o")
			b.show(7, fresh(other, "o", 7))
		}, "acknowledged write lost"},
		"an acknowledgement at a revision that was long something else": {func(b *book) {
			b.acknowledged(b.put("k"), 3, 2)
		}, "acknowledged write lost"},
		"two writes acknowledged at one revision": {func(b *book) {
			b.acknowledged(b.put("k"), 8, 6)
			b.acknowledged(b.put("o"), 8, 6)
		}, "both acknowledged at revision 8"},
	}
}

func brokenWatches() map[string]broken {
	return map[string]broken{
		"a missed event": {func(b *book) {
			b.deliver("a", 8, nil)
		}, "watcher a missed 1 events"},
		"an event missed by one watcher only": {func(b *book) {
			b.deliver("a", 7, []change{fresh(b.put("k"), "k", 7)})
			b.settle(7)
		}, "watcher b ended at revision 6 of 7"},
		"an event missing inside a revision": {func(b *book) {
			w := b.put("k", "o")
			b.deliver("a", 7, []change{fresh(w, "k", 7), fresh(w, "o", 7)})
			b.deliver("b", 7, []change{fresh(w, "k", 7)})
		}, "watcher b was shown"},
		"a repeated event": {func(b *book) {
			b.deliver("a", 6, []change{{key: "l", deleted: true}})
		}, "watcher a was shown revision 6 again"},
		"an event repeated inside a revision": {func(b *book) {
			w := b.put("k")
			b.show(7, fresh(w, "k", 7), fresh(w, "k", 7))
		}, "changed k twice"},
	}
}

func backwards() map[string]broken {
	return map[string]broken{
		"a write acknowledged at a revision that was seen before": {func(b *book) {
			b.acknowledged(b.put("k"), 6, 6)
		}, "revisions went back"},
		"a read answered at a revision below one that was seen": {func(b *book) {
			b.readAnswered("z", nil, 5, 6, "m1")
		}, "revisions went back"},
		"a refusal at a revision below one that was seen": {func(b *book) {
			b.notApplied(b.put("k"), 5, 6)
		}, "revisions went back"},
		"a store that ends below what was seen": {func(b *book) {
			b.settle(5)
		}, "revisions went back: the store ends at revision 5"},
	}
}

func brokenReads() map[string]broken {
	return map[string]broken{
		"a stale read that claims the newest revision": {func(b *book) {
			b.readAnswered("x", &b.history["x"][0], 6, 6, "m1")
		}, "a read of x by m1 at revision 6"},
		"a read that finds nothing": {func(b *book) {
			b.readAnswered("y", nil, 6, 6, "m1")
		}, "a read of y by m1 at revision 6"},
		"a read of a revision that the store never reached": {func(b *book) {
			b.serializableRead("y", nil, 9, "m1")
			b.settle(6)
		}, "1 reads were answered at revision 9"},
	}
}

func halfWrites() map[string]broken {
	return map[string]broken{
		"half a transaction": {func(b *book) {
			w := b.put("k", "o")
			b.show(7, fresh(w, "k", 7))
		}, "only in part"},
		"half a transaction without an answer": {func(b *book) {
			w := b.put("k", "o")
			b.unanswered(w)
			b.show(7, fresh(w, "k", 7))
		}, "only in part"},
		"a transaction without its deletion": {func(b *book) {
			w := b.put("k")
			w.deletes = []string{"y"}
			b.show(7, fresh(w, "k", 7))
		}, "only in part"},
		"a write applied twice": {func(b *book) {
			w := b.put("k")
			b.show(7, fresh(w, "k", 7))
			second := fresh(w, "k", 7)
			second.version = 2
			b.show(8, second)
		}, "applied twice"},
		"an acknowledged write applied once more, later": {func(b *book) {
			w := b.whole("k", 7)
			second := fresh(w, "k", 7)
			second.version = 2
			b.show(8, second)
		}, "in the log already"},
	}
}

func inventions() map[string]broken {
	return map[string]broken{
		"a write that was refused and happened": {func(b *book) {
			w := b.put("k")
			b.show(7, fresh(w, "k", 7))
			b.notApplied(w, 7, 6)
		}, "was refused, but is in the log"},
		"a write that nobody sent": {func(b *book) {
			b.show(7, change{key: "k", value: "99.xx", create: 7, version: 1})
		}, "never sent"},
		"two writes in one revision": {func(b *book) {
			b.show(7, fresh(b.put("k"), "k", 7), fresh(b.put("o"), "o", 7))
		}, "mixes writes"},
		"a wrong version": {func(b *book) {
			w := b.put("y")
			b.show(7, fresh(w, "y", 7))
		}, "want created 3, version 2"},
		"a deletion that nobody asked for": {func(b *book) {
			b.show(7, change{key: "y", deleted: true})
		}, "nobody asked for"},
		"a deletion of what is not there": {func(b *book) {
			w := b.put("k")
			w.deletes = []string{"x"}
			b.show(7, fresh(w, "k", 7), change{key: "x", deleted: true})
		}, "which was not there"},
	}
}

func brokenMembers() map[string]broken {
	return map[string]broken{
		"a member without a key": {func(b *book) {
			b.holds("m2", nil)
		}, "m2 has lost"},
		"a member with a key too many": {func(b *book) {
			b.holds("m2", []version{{2, change{key: "x", value: "1.xxxxxx", create: 2, version: 1}}})
		}, "m2 holds put x"},
		"a member with an older value": {func(b *book) {
			old := b.live["y"]
			old.value = "1.xxxxxx"
			b.holds("m2", []version{old, b.live["mark"]})
		}, "m2 holds put y"},
		"a value that is gone from its revision": {func(b *book) {
			b.readBack("m3", version{2, b.log[0][0]}, nil)
		}, "m3 finds nothing at revision 2"},
	}
}

func TestEveryBrokenHistoryIsRefusedWithItsEvidence(t *testing.T) {
	for group, histories := range map[string]map[string]broken{
		"lost writes": lostWrites(), "watches": brokenWatches(), "backwards": backwards(),
		"reads": brokenReads(), "half": halfWrites(), "inventions": inventions(),
		"members": brokenMembers(),
	} {
		for name, broken := range histories {
			t.Run(group+"/"+name, func(t *testing.T) {
				b := good()
				broken.tell(b)
				checkRefused(t, b, broken.want)
			})
		}
	}
}

func checkRefused(t *testing.T, b *book, want string) {
	t.Helper()
	err := b.failure()
	if err == nil {
		t.Fatal("accepted")
	}
	if first, _, _ := strings.Cut(err.Error(), "\nVIOLATION"); !strings.Contains(first, want) {
		t.Errorf("the first violation does not say %q:\n%v", want, err)
	}
	select {
	case <-b.broken:
	default:
		t.Error("nobody is told")
	}
}

// leased is a ledger with lease 7, granted at 0 for ten seconds, that holds keys k and o.
func leased(kept bool) *book {
	b := newBook()
	b.leaseSent(7, kept)
	b.leaseAlive(7, 0, 10*time.Second)
	w := b.put("k", "o")
	w.lease = 7
	b.acknowledged(w, 2, 1)
	b.show(2, fresh(w, "k", 2), fresh(w, "o", 2))
	return b
}

func TestBrokenLeasesAreRefused(t *testing.T) {
	k, o := change{key: "k", deleted: true}, change{key: "o", deleted: true}
	for name, broken := range map[string]struct {
		kept bool
		tell func(b *book)
		want string
	}{
		"an end too early": {false, func(b *book) {
			b.clock = 9 * time.Second
			b.show(3, k, o)
		}, "1.000 s too early"},
		"an end before a renewal is used up": {false, func(b *book) {
			b.leaseAlive(7, 5*time.Second, 10*time.Second)
			b.clock = 12 * time.Second
			b.show(3, k, o)
		}, "3.000 s too early"},
		"an end of one that is kept alive": {true, func(b *book) {
			b.clock = time.Hour
			b.show(3, k, o)
		}, "was kept alive"},
		"an end that leaves a key": {false, func(b *book) {
			b.clock = time.Hour
			b.show(3, k)
		}, "but its keys were [k o]"},
		"a life after the end": {false, func(b *book) {
			b.clock = time.Hour
			b.show(3, k, o)
			b.leaseAlive(7, time.Hour, time.Second)
		}, "was alive after that"},
		"one that is kept alive and unknown to the server": {true, func(b *book) {
			b.leaseGone(7)
		}, "is gone"},
		"a key without its lease": {false, func(b *book) {
			w := b.put("p")
			w.lease = 7
			c := fresh(w, "p", 3)
			c.lease = 0
			b.show(3, c)
		}, "is attached to lease 0, not 7"},
	} {
		t.Run(name, func(t *testing.T) {
			b := leased(broken.kept)
			broken.tell(b)
			checkRefused(t, b, broken.want)
		})
	}
}

func TestALeaseMayEndWhenItsTimeIsOverOrItsOwnerWantsIt(t *testing.T) {
	k, o := change{key: "k", deleted: true}, change{key: "o", deleted: true}
	late := leased(false)
	late.clock = 10 * time.Second
	late.show(3, k, o)
	revoked := leased(false)
	revoked.leaseRevoking(7)
	revoked.show(3, k, o)
	for _, b := range []*book{late, revoked} {
		b.settle(3)
		if err := b.failure(); err != nil {
			t.Error(err)
		}
	}
}
