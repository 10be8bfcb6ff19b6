package judge

import (
	"cmp"
	"fmt"
	"slices"

	"detcd/checker/etcd"
)

// Locks is what was found about locks and elections.
type Locks struct {
	Holders  int      // times that somebody believed to hold a lock
	Together int      // of them, so many at a time at which another one believed it too
	Writes   int      // by holders, to what their locks guard
	Unsafe   []Unsafe // writes by those who had lost the lock; of very many not all
	Lost     int      // so many writes of true holders these destroyed
}

// An Unsafe is a write that a fence would have refused.
type Unsafe struct {
	Operation int32
	Core      []int32 // the beliefs of both holders, and what was overwritten
	Text      string
}

// unsafeMax bounds how many unsafe writes are kept.
const unsafeMax = 1000

// A tenancy is one time that a client believed to hold a lock.
type tenancy struct {
	op   int32
	held *etcd.Held
	gone int64 // the revision at which its key was deleted; never
}

// lockJudge judges the locks of one history.
type lockJudge struct {
	history []etcd.Operation
	locks   *Locks
	state   *etcd.State                // with all versions of all keys
	makers  []int32                    // by revision
	guarded map[etcd.Bytes][]*tenancy  // by guarded key
	owners  map[etcd.KeyValue]*tenancy // by key and create revision
}

// judgeLocks judges what clients believed of locks and elections, in a history that holds; nil if
// they said nothing of it.
//
// etcd promises about a lock that at every revision one key holds it: the one with the lowest
// create revision of those with the prefix, as long as its lease lives. It does not promise that
// the client of that key is the only one that believes so: a client finds out late that its lease
// ended. What such a client writes then is refused if the write is fenced, which is that it
// compares the create revision of the key. If it is not fenced it may destroy what the next holder
// wrote: an unsafe use of a lock, and no broken promise.
func judgeLocks(history []etcd.Operation, report *Report) (*Locks, *verdict) {
	j := &lockJudge{history: history, locks: &Locks{}, guarded: map[etcd.Bytes][]*tenancy{},
		owners: map[etcd.KeyValue]*tenancy{}}
	var all []*tenancy
	for i := range history {
		if held, ok := history[i].Request.Ask.(*etcd.Held); ok && history[i].Response != nil {
			all = append(all, &tenancy{op: int32(i), held: held})
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	j.replay(report)
	for _, t := range all {
		t.gone = j.goneAt(t.held)
		j.guarded[t.held.Guards] = append(j.guarded[t.held.Guards], t)
		j.owners[etcd.KeyValue{Key: t.held.Key, Create: t.held.Create}] = t
	}
	j.countTogether(all)
	for _, t := range all {
		if v := j.believes(t); v != nil {
			return j.locks, v
		}
	}
	changes := j.state.Changes()
	for i := range changes {
		if c := &changes[i]; c.OfKey() {
			if v := j.wrote(c); v != nil {
				return j.locks, v
			}
		}
	}
	return j.locks, nil
}

// replay lets everything happen in the order that was found.
func (j *lockJudge) replay(report *Report) {
	j.state, j.makers = etcd.NewState(), []int32{nobody, nobody}
	for _, i := range report.Order {
		if i >= 0 {
			j.state.Step(&j.history[i])
		} else {
			j.state.Apply(&etcd.Revoke{ID: report.Expiries[^i]}, &etcd.Response{})
		}
		if int64(len(j.makers)) <= j.state.Revision() {
			j.makers = append(j.makers, i)
		}
	}
}

// goneAt returns the revision at which the key of a holder was deleted.
func (j *lockJudge) goneAt(held *etcd.Held) int64 {
	for _, v := range j.state.History(held.Key) {
		if v.Version == 0 && v.Mod > held.Create {
			return v.Mod
		}
	}
	return never
}

// holder returns the key that holds a lock at a revision; nil: nobody has it.
func (j *lockJudge) holder(lock etcd.Bytes, revision int64) (first *etcd.KeyValue) {
	j.state.Each(lock, after(lock), revision, func(kv *etcd.KeyValue) bool {
		if first == nil || kv.Create < first.Create {
			first = kv
		}
		return true
	})
	return first
}

// after returns the end of the range of keys with a prefix.
func after(prefix etcd.Bytes) etcd.Bytes {
	end := []byte(prefix)
	for n := len(end); n > 0; n-- {
		if end[n-1] < 0xff {
			end[n-1]++
			return etcd.Bytes(end[:n])
		}
	}
	return "\x00"
}

// countTogether counts who believed to hold a lock that another one believed to hold.
func (j *lockJudge) countTogether(all []*tenancy) {
	j.locks.Holders = len(all)
	sorted := slices.SortedFunc(slices.Values(all), func(a, b *tenancy) int {
		return cmp.Or(cmp.Compare(a.held.Lock, b.held.Lock),
			cmp.Compare(j.history[a.op].Call, j.history[b.op].Call))
	})
	for n, until := 0, int64(0); n < len(sorted); n++ {
		o := &j.history[sorted[n].op]
		if n == 0 || sorted[n-1].held.Lock != sorted[n].held.Lock {
			until = -never
		}
		if o.Call < until {
			j.locks.Together++
		}
		until = max(until, o.Return)
	}
}

// believes checks that who was told to hold a lock held it at that revision.
func (j *lockJudge) believes(t *tenancy) *verdict {
	o := &j.history[t.op]
	first := j.holder(t.held.Lock, o.Response.Revision)
	switch {
	case first == nil:
		return violated(t.op, []int32{t.op}, "client %d was told at revision %d that it holds %s, "+
			"where nobody wants it", o.Client, o.Response.Revision, quote(t.held.Lock))
	case first.Key != t.held.Key || first.Create != t.held.Create:
		core := []int32{t.op}
		if other := j.owners[etcd.KeyValue{Key: first.Key, Create: first.Create}]; other != nil {
			core = append(core, other.op)
		}
		return violated(t.op, core, "client %d was told at revision %d that it holds %s with the key "+
			"%s of revision %d, which %s of revision %d holds", o.Client, o.Response.Revision,
			quote(t.held.Lock), quote(t.held.Key), t.held.Create, quote(first.Key), first.Create)
	}
	return nil
}

// wrote looks at a change of a key: whether a lock guards it, and whether who made it believed to
// hold the lock, and did not.
func (j *lockJudge) wrote(c *etcd.Change) *verdict {
	i := j.makers[c.Revision]
	if i < 0 {
		return nil
	}
	o := &j.history[i]
	kv, _ := c.Versions()
	for _, t := range j.guarded[kv.Key] {
		b := &j.history[t.op]
		if b.Client == o.Client && b.Call <= o.Call && o.Call <= b.Return {
			j.locks.Writes++
			if c.Revision > t.gone {
				before := j.state.History(kv.Key)
				before = before[:slices.IndexFunc(before, func(v etcd.KeyValue) bool {
					return v.Mod == c.Revision
				})]
				return j.deposed(i, t, before, c.Revision)
			}
		}
	}
	return nil
}

// deposed judges a write by one who had lost the lock; before are the versions that it replaced.
func (j *lockJudge) deposed(i int32, t *tenancy, before []etcd.KeyValue, revision int64) *verdict {
	text := fmt.Sprintf("client %d wrote %s at revision %d as the holder of %s, which it had lost at "+
		"revision %d", j.history[i].Client, quote(t.held.Guards), revision, quote(t.held.Lock), t.gone)
	core := []int32{i, t.op}
	if first := j.holder(t.held.Lock, revision-1); first != nil {
		text += fmt.Sprintf("; %s of revision %d held it", quote(first.Key), first.Create)
		if other := j.owners[etcd.KeyValue{Key: first.Key, Create: first.Create}]; other != nil {
			core = append(core, other.op)
			text += fmt.Sprintf(", of client %d", j.history[other.op].Client)
		}
	}
	if isFenced(j.history[i].Request.Ask, t.held) {
		return violated(i, core, "%s, and the write was fenced", text)
	}
	if n := len(before); n > 0 && before[n-1].Mod > t.gone {
		maker := j.makers[before[n-1].Mod]
		if maker >= 0 && j.history[maker].Client != j.history[i].Client {
			j.locks.Lost++
			text += fmt.Sprintf("; what client %d wrote at revision %d is lost",
				j.history[maker].Client, before[n-1].Mod)
			core = append(core, maker)
		}
	}
	if len(j.locks.Unsafe) < unsafeMax {
		j.locks.Unsafe = append(j.locks.Unsafe, Unsafe{i, core, text})
	}
	return nil
}

// isFenced tells whether a write happens only if the holder's key is the one that it made.
func isFenced(ask any, held *etcd.Held) bool {
	t, ok := ask.(*etcd.Txn)
	fence := etcd.Compare{Key: held.Key, Target: 1, Number: held.Create}
	return ok && slices.Contains(t.Compare, fence)
}
