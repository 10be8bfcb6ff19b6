package model

// fits tells whether an operation's answer can be explained at a place, as far as that depends on
// more than the revision: what is compacted there, and which leases there are.
func (c *clock) fits(item *placed, at int32) bool {
	o := &c.judge.history[item.op]
	s := &c.steps[at]
	if item.loose {
		switch ask := o.Request.Ask.(type) {
		case *KeepAlive:
			return c.shows(ask.ID, o, at)
		case *TimeToLive:
			return c.shows(ask.ID, o, at)
		}
		return c.judge.failsAt(o, s, func(id int64) bool { return c.alive(id, at) })
	}
	if !isPresent(o) {
		return true // another member may not have compacted yet
	}
	oldest := oldestIn(o.Request.Ask, o.Response)
	return oldest == 0 || oldest >= s.compacted
}

// unfit says that no place fits. A key may have gone after all that was seen.
func (c *clock) unfit(item *placed) *verdict {
	o := &c.judge.history[item.op]
	reason := "it reads a revision that was compacted before"
	if item.loose {
		reason = "what it says of its lease was true at no time between its call and its return"
	}
	if o.Error != "" {
		reason = "it failed with \"" + o.Error + "\", which was true at no time between its call " +
			"and its return"
	}
	v := violated(item.op, []int32{item.op}, "%s", reason)
	for _, i := range c.judge.lost {
		lost := &c.judge.history[i]
		if item.loose && !c.judge.used[i] && lost.Call <= o.Return && mayExplain(lost, o) && !c.has(i) {
			return undecided(item.op, "%s, unless operation %d, whose outcome is unknown, happened "+
				"when nobody looked", reason, i)
		}
	}
	return v
}

// mayExplain tells whether an operation with an unknown outcome, seen by nobody, could be why
// another one failed.
func mayExplain(lost, o *Operation) bool {
	_, compact := lost.Request.Ask.(*Compact)
	switch ask := o.Request.Ask.(type) {
	case *Txn:
		return true
	case *Put:
		return o.Error == errLeaseNotFound && ask.Lease != 0 ||
			o.Error == errKeyNotFound && (ask.IgnoreValue || ask.IgnoreLease)
	case *Range:
		return o.Error == errCompacted && ask.Revision > 0 && compact
	case *Compact:
		return o.Error == errCompacted && compact
	case *Grant:
		_, grant := lost.Request.Ask.(*Grant)
		return o.Error == errLeaseExists && grant
	case *Revoke:
		return mayChange(lost, ask.ID)
	case *KeepAlive:
		return mayChange(lost, ask.ID)
	case *TimeToLive:
		return mayChange(lost, ask.ID)
	}
	return false
}

// mayChange tells whether a request may begin or end a lease.
func mayChange(o *Operation, id int64) bool {
	switch ask := o.Request.Ask.(type) {
	case *Grant:
		return ask.ID == id
	case *Revoke:
		return ask.ID == id
	}
	return false
}

// shows tells whether an answer about a lease is true at a place.
func (c *clock) shows(id int64, o *Operation, at int32) bool {
	there := !gone(o)
	if o.Error != "" && o.Error != errLeaseNotFound {
		return false // it says what such a request never meets
	}
	return there == c.alive(id, at) && revisionOf(o) <= c.steps[at].revision
}

// alive tells whether a lease is there at a place.
func (c *clock) alive(id int64, at int32) bool {
	for _, l := range c.lives[id] {
		if l.from <= at && at < l.to {
			return true
		}
	}
	return false
}

// oldestIn returns the lowest past revision that a request read; 0: none.
func oldestIn(ask any, answer *Response) int64 {
	switch ask := ask.(type) {
	case *Range:
		return max(0, ask.Revision)
	case *Txn:
		oldest := int64(0)
		for i, part := range ask.branch(answer.Succeeded) {
			if i >= len(answer.Responses) {
				break
			}
			if r := oldestIn(part.Ask, &answer.Responses[i]); r > 0 && (oldest == 0 || r < oldest) {
				oldest = r
			}
		}
		return oldest
	}
	return 0
}

// failsAt tells whether an operation fails with its error in the state behind a step.
func (j *judge) failsAt(o *Operation, s *step, alive func(id int64) bool) bool {
	now := *j.state
	j.state.revision, j.state.compacted, j.state.alive = s.revision, s.compacted, alive
	failure := j.state.failure(o.Request.Ask)
	j.state.revision, j.state.compacted, j.state.alive = now.revision, now.compacted, nil
	return failure == o.Error
}
