package model

import (
	"slices"
	"sort"
)

// second is how many nanoseconds a TTL counts in.
const second = 1_000_000_000

// A tenure is what was seen of a lease, before anything is replayed: it bounds when the lease began
// and when it ended. All of it is necessary, as evidence is. Of an ID that was granted again only
// the expiry means anything.
//
// Many fields: one for each thing that can be seen.
type tenure struct {
	grants  int     // requests that may have made it
	grant   int32   // the last of them
	revokes []int32 // requests with unknown outcomes that may have ended it
	revoked int32   // the one that did; nobody: there is none
	keyed   bool    // a request attaches keys to it

	expiry     int64 // before this it cannot have ended by itself
	begun      int64 // the first return of an operation that made it or found it there
	aliveAfter int64 // the last call of an operation that found it there
	aliveAt    int64 // the last revision at which it was there
	goneBy     int64 // the first return of an operation that found it gone when it had begun
	gone       int32 // that operation
	goneBefore int64 // the last call of an operation that found it gone before it began
	vague      bool  // an operation found it gone before it began or after it ended
	missing    bool  // an operation found it gone, and none found it there
}

// tenures returns what was seen of each lease.
func (j *judge) computeTenures() map[int64]*tenure {
	tenures := map[int64]*tenure{}
	of := func(id int64) *tenure {
		t := tenures[id]
		if t == nil {
			t = &tenure{grant: nobody, revoked: nobody, gone: nobody, expiry: never, begun: never,
				aliveAfter: -never, goneBy: never, goneBefore: -never}
			tenures[id] = t
		}
		return t
	}
	for _, i := range j.leased {
		if grant, ok := j.history[i].Request.Ask.(*Grant); ok && j.history[i].Error == "" {
			of(j.granted(i)).granted(i, &j.history[i], grant)
		}
	}
	for _, i := range j.leased {
		j.eachLease(i, func(id int64, there bool) {
			of(id).saw(i, &j.history[i], there)
		})
	}
	for _, i := range j.leased {
		j.eachLease(i, func(id int64, there bool) {
			if !there {
				of(id).missed(i, &j.history[i])
			}
		})
	}
	return tenures
}

// granted notes a request that may have made a lease.
func (t *tenure) granted(i int32, o *Operation, ask *Grant) {
	ttl := ask.TTL
	if o.Succeeded() && o.Response.Lease != nil {
		ttl = o.Response.Lease.TTL
		t.begun = min(t.begun, o.Return)
	}
	at := o.Call + ttl*second
	if t.grants++; t.grants > 1 {
		at = min(at, t.expiry)
	}
	t.grant, t.expiry = i, at
}

// saw notes an operation that has to do with a lease: it found it there, or wanted to change it.
func (t *tenure) saw(i int32, o *Operation, there bool) {
	_, revoke := o.Request.Ask.(*Revoke)
	switch {
	case revoke && o.Unknown:
		t.revokes = append(t.revokes, i)
	case revoke && there:
		t.revoked = i
	case attaches(o.Request.Ask):
		t.keyed = true
	}
	if !there {
		return
	}
	t.begun = min(t.begun, o.Return)
	t.aliveAfter = max(t.aliveAfter, o.Call)
	if made(o) != 0 && !revoke {
		t.aliveAt = max(t.aliveAt, o.Response.Revision)
	}
	if _, ok := o.Request.Ask.(*KeepAlive); ok && t.grants == 1 {
		t.expiry = max(t.expiry, o.Call+o.Response.Lease.TTL*second)
	}
}

// missed notes an operation that did not find a lease.
func (t *tenure) missed(i int32, o *Operation) {
	switch {
	case o.Unknown:
	case t.begun == never:
		t.missing = true
	case o.Call > t.begun:
		if o.Return < t.goneBy {
			t.goneBy, t.gone = o.Return, i
		}
	case o.Return < t.aliveAfter:
		t.goneBefore = max(t.goneBefore, o.Call)
	default:
		t.vague = true
	}
}

// eachLease tells of each lease that an operation names whether it found it there. Of a transaction
// that failed nobody knows which one was missing.
func (j *judge) eachLease(i int32, tell func(id int64, there bool)) {
	o := &j.history[i]
	if !o.Unknown && (o.Response == nil) == (o.Error == "") {
		return
	}
	switch ask := o.Request.Ask.(type) {
	case *Grant:
		if o.Error == errLeaseExists {
			tell(ask.ID, true)
		}
	case *KeepAlive, *TimeToLive:
		if o.Error == "" || o.Error == errLeaseNotFound {
			tell(leaseIn(ask), !o.Unknown && !gone(o))
		}
	case *Revoke:
		if o.Error == "" || o.Error == errLeaseNotFound {
			tell(ask.ID, o.Succeeded())
		}
	case *Put:
		if o.Unknown || o.Error == "" || o.Error == errLeaseNotFound {
			tell(ask.Lease, o.Succeeded())
		}
	case *Txn:
		if o.Error == "" {
			eachAttached(ask, o, tell)
		}
	}
}

// eachAttached tells of the leases of a transaction which of them its branch found there.
func eachAttached(t *Txn, o *Operation, tell func(id int64, there bool)) {
	ran := []int64(nil)
	if o.Succeeded() {
		ran = leasesThatRan(t, o.Response, nil)
	}
	for _, id := range leasesOf(t, nil) {
		if there := slices.Contains(ran, id); there || o.Unknown {
			tell(id, there)
		}
	}
}

// leasesThatRan appends the leases of the puts that a transaction did.
func leasesThatRan(t *Txn, answer *Response, ids []int64) []int64 {
	for k, part := range t.branch(answer.Succeeded) {
		switch ask := part.Ask.(type) {
		case *Put:
			if ask.Lease != 0 {
				ids = append(ids, ask.Lease)
			}
		case *Txn:
			if k < len(answer.Responses) {
				ids = leasesThatRan(ask, &answer.Responses[k], ids)
			}
		}
	}
	return ids
}

// attaches tells whether a request may attach keys to leases.
func attaches(ask any) bool {
	switch ask := ask.(type) {
	case *Put:
		return ask.Lease != 0
	case *Txn:
		for _, branch := range [...][]Request{ask.Success, ask.Failure} {
			for _, part := range branch {
				if attaches(part.Ask) {
					return true
				}
			}
		}
	}
	return false
}

// single returns the tenure of a lease whose ID was granted once; nil otherwise.
func (j *judge) single(id int64) *tenure {
	if t := j.tenures[id]; t != nil && t.grants == 1 {
		return t
	}
	return nil
}

// expiry returns before when a lease cannot have ended by itself: each acknowledged grant and
// renewal gave it its whole time to live, counted from no earlier than its call; and it did not
// when somebody found it there later. An ID that was granted several times is given the least.
func (j *judge) expiry(id int64) int64 {
	t := j.tenures[id]
	if t == nil || t.expiry == never {
		return never
	}
	at := t.expiry - j.options.LeaseTolerance
	if t.grants == 1 {
		at = max(at, t.aliveAfter)
	}
	return at
}

// mayExpire tells whether a lease may have made a revision by ending by itself.
func (j *judge) mayExpire(id, r int64) bool {
	if t := j.single(id); t != nil && (t.revoked != nobody || t.aliveAt >= r) {
		return false
	}
	return j.expiry(id) <= j.latest[r]
}

// mayRevoke tells whether a request with an unknown outcome may have made a revision by ending a
// lease.
func (j *judge) mayRevoke(id, r int64) bool {
	t := j.single(id)
	return t == nil || t.revoked == nobody && t.aliveAt < r && t.aliveAfter <= j.latest[r]
}

// schedule places the grants whose answers were lost and whose leases somebody found there: as
// early as they can have been, for a lease that is there longer is missed by nobody but those who
// found that it was not.
func (j *judge) schedule() {
	j.scheduled = map[int64][]int32{}
	for _, i := range j.lost {
		grant, ok := j.history[i].Request.Ask.(*Grant)
		if !ok {
			continue
		}
		t := j.single(grant.ID)
		if t == nil || t.begun == never || t.vague {
			continue
		}
		r := j.slotFrom(max(j.history[i].Call, t.goneBefore))
		j.scheduled[r] = append(j.scheduled[r], i)
	}
}

// slotFrom returns the first slot in which something can be that was called at a time: behind all
// that had returned.
func (j *judge) slotFrom(time int64) int64 {
	n := sort.Search(len(j.latest)-1, func(r int) bool { return j.latest[r+1] >= time })
	return min(int64(max(1, n)), j.last)
}

// slotUpTo returns the last revision that can have been made by a time: behind it something is
// known to have been called later.
func (j *judge) slotUpTo(time int64) int64 {
	n := sort.Search(len(j.since)-1, func(r int) bool { return j.since[r+1] > time })
	return int64(n)
}

// begin lets the grants happen that are scheduled for a slot.
func (j *judge) begin(r int64) {
	for _, i := range j.scheduled[r] {
		grant := j.history[i].Request.Ask.(*Grant)
		if !j.used[i] && j.state.leases[grant.ID] == nil {
			j.state.grant(grant.ID, grant.TTL)
			j.push(i, j.history[i].Call)
		}
	}
}
