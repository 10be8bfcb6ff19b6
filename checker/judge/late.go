package judge

import (
	"cmp"
	"maps"
	"slices"

	"detcd/checker/etcd"
)

// A stay is what bounds how long a lease lived: when it can have been renewed, and when it was
// surely there.
type stay struct {
	ttl      int64
	grants   int   // requests that may have made it
	begun    int64 // by then it was there
	renewals []renewal
	blur     int64 // from then on it may be renewed by a request whose answer was lost
	seen     []showing
	left     []int32 // answers that say how much time it has left
}

// A renewal gives a lease its whole time, at some moment from its call on and not after done.
type renewal struct {
	call, done int64
	op         int32
}

// A showing says that a lease was there at some moment that is not before a time.
type showing struct {
	from int64
	op   int32
}

// judgeLateness checks the upper bound of leases: while one leader leads, it gives a lease its
// time to live, an election time-out more if it has just been elected, and a little time to be
// ended. So none outlives a reign that is longer than this; with n changes of leader in between it
// is gone within n+1 times as long. Nothing is said of an ID that was granted twice.
func (j *judge) judgeLateness(*Report) *verdict {
	if len(j.options.Reigns) == 0 || len(j.leased) == 0 {
		return nil
	}
	stays := j.computeStays()
	for _, id := range slices.Sorted(maps.Keys(stays)) {
		s := stays[id]
		slices.SortFunc(s.renewals, func(a, b renewal) int { return cmp.Compare(a.call, b.call) })
		slices.SortFunc(s.seen, func(a, b showing) int { return cmp.Compare(a.from, b.from) })
		if v := j.late(id, s); v != nil {
			return v
		}
		if v := j.countsDown(id, s); v != nil {
			return v
		}
	}
	return nil
}

// computeStays returns the stays of all leases that were granted once and whose time to live was
// told.
func (j *judge) computeStays() map[int64]*stay {
	stays := map[int64]*stay{}
	of := func(id int64) *stay {
		if stays[id] == nil {
			stays[id] = &stay{blur: never, begun: never}
		}
		return stays[id]
	}
	for _, i := range j.leased {
		o := &j.history[i]
		switch ask := o.Request.Ask.(type) {
		case *etcd.Grant:
			if o.Error == "" {
				begins(i, o, of(grantedBy(o, ask)))
			}
		case *etcd.KeepAlive:
			if o.Unknown {
				s := of(ask.ID)
				s.blur = min(s.blur, o.Call)
			}
		}
		j.eachLease(i, func(id int64, there bool) {
			if there {
				s := of(id)
				s.begun = min(s.begun, o.Return)
				j.stays(i, s)
			}
		})
	}
	for i := range j.history {
		if o := &j.history[i]; o.Succeeded() && o.Response != nil {
			j.reveals(int32(i), o.Request.Ask, o.Response, o.Response.Revision, of)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(stays)) {
		s := stays[id]
		if s.ttl == 0 || s.grants != 1 {
			delete(stays, id)
		}
		for k := range s.renewals {
			if s.renewals[k].done == never { // a grant: it was done when the lease was first seen
				s.renewals[k].done = s.begun
			}
		}
	}
	return stays
}

// begins notes a grant: one without an answer happened when the lease was first seen, or earlier.
func begins(i int32, o *etcd.Operation, s *stay) {
	s.grants++
	s.renewals = append(s.renewals, renewal{o.Call, never, i})
	if o.Succeeded() && o.Response != nil && o.Response.Lease != nil {
		s.begun = min(s.begun, o.Return)
		s.ttl = max(s.ttl, o.Response.Lease.TTL)
	}
}

// stays notes an operation that found the lease there.
func (j *judge) stays(i int32, s *stay) {
	o := &j.history[i]
	switch o.Request.Ask.(type) {
	case *etcd.KeepAlive:
		s.renewals = append(s.renewals, renewal{o.Call, o.Return, i})
		s.ttl = max(s.ttl, o.Response.Lease.TTL)
	case *etcd.TimeToLive:
		s.ttl = max(s.ttl, o.Response.Lease.Granted)
		s.left = append(s.left, i)
		if o.Response.Lease.TTL <= 0 {
			return // a leader that was deposed may say so long after the end
		}
	}
	s.seen = append(s.seen, showing{o.Call, i})
}

// reveals notes the leases of the keys that an answer shows: each was there at the revision that is
// shown, and what is read of the present was there after the call.
func (j *judge) reveals(
	i int32, ask any, answer *etcd.Response, revision int64, of func(int64) *stay,
) {
	from := int64(-never)
	note := func(kv *etcd.KeyValue, revision int64) {
		if kv.Lease != 0 && revision > 0 && revision < int64(len(j.since)) {
			s := of(kv.Lease)
			s.seen = append(s.seen, showing{max(from, j.since[revision]), i})
		}
	}
	switch ask := ask.(type) {
	case *etcd.Range:
		if ask.Revision > 0 {
			revision = ask.Revision
		} else if !(j.roles[i] == past || j.roles[i] == aside) {
			from = j.history[i].Call
		}
	case *etcd.Txn:
		for k, part := range ask.Branch(answer.Succeeded) {
			if k < len(answer.Responses) {
				j.reveals(i, part.Ask, &answer.Responses[k], revision, of)
			}
		}
	}
	for k := range answer.KVs {
		note(&answer.KVs[k], revision)
	}
	if answer.Watch == nil {
		return
	}
	for k := range answer.Watch.Events {
		e := &answer.Watch.Events[k]
		note(&e.KV, e.KV.Mod)
		if e.Prev != nil {
			note(e.Prev, e.KV.Mod)
		}
	}
}

// stretched returns how long something takes by a clock that is as slow as one may be.
func (j *judge) stretched(duration int64) int64 {
	const million = 1_000_000
	rate := million - j.options.ClockSlow
	return duration/rate*million + duration%rate*million/rate
}

// late finds where a lease is there although a leader must have ended it.
func (j *judge) late(id int64, s *stay) *verdict {
	promised := s.ttl*second + j.electionTimeout() + j.slack()
	for _, seen := range s.seen {
		if seen.from >= s.blur {
			return nil
		}
		last := renewal{done: -never, op: nobody}
		for _, r := range s.renewals {
			if r.call >= seen.from {
				break
			}
			if r.done = min(r.done, seen.from); r.done >= last.done {
				last = r
			}
		}
		if last.op == nobody || seen.from-last.done <= promised {
			continue
		}
		for _, reign := range j.options.Reigns {
			life := j.stretched(promised + reign.Pause)
			due := max(reign.Begin, last.done) + life
			if due < reign.End && due < seen.from {
				core := []int32{last.op, seen.op}
				return violated(seen.op, core, "lease %x of %d s is there %s after it was renewed "+
					"last, by operation %d: one leader has led for %s since, and gives it %s at most",
					id, s.ttl, inSeconds(seen.from-last.done), last.op,
					inSeconds(min(reign.End, seen.from)-max(reign.Begin, last.done)), inSeconds(life))
			}
		}
	}
	return nil
}

// countsDown checks that the time that a lease has left becomes less, as long as it is not renewed
// and one leader leads.
func (j *judge) countsDown(id int64, s *stay) *verdict {
	slices.SortFunc(s.left, func(a, b int32) int {
		return cmp.Compare(j.history[a].Call, j.history[b].Call)
	})
	first := nobody // since the last renewal
	for _, i := range s.left {
		o := &j.history[i]
		if o.Return >= s.blur {
			return nil
		}
		if first == nobody || !j.alone(s, j.history[first].Call, o.Return) {
			first = i
			continue
		}
		was := &j.history[first]
		passed := max(0, o.Call-was.Return) / 1_000_000 * (1_000_000 - j.options.ClockSlow)
		most := (was.Response.Lease.TTL+1)*second - passed
		if left := o.Response.Lease.TTL; left > 0 && left*second > most+j.slack() {
			return violated(i, []int32{first, i}, "lease %x has %d seconds left, and had %d left %s "+
				"before, though nobody renewed it and one leader led", id, left,
				was.Response.Lease.TTL, inSeconds(o.Call-was.Return))
		}
	}
	return nil
}

// alone tells whether one leader led and nobody renewed a lease, from one time to another.
func (j *judge) alone(s *stay, from, to int64) bool {
	renewed := slices.ContainsFunc(s.renewals, func(r renewal) bool {
		return r.call <= to && r.done >= from
	})
	return !renewed && slices.ContainsFunc(j.options.Reigns, func(r Reign) bool {
		return r.Begin <= from && to <= r.End
	})
}
