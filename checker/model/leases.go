package model

// second is how many nanoseconds a TTL counts in.
const second = 1_000_000_000

// expiry returns before when a lease cannot have expired by itself: each acknowledged grant and
// renewal gave it its whole time to live, counted from no earlier than its call. An ID that was
// granted several times is given the least of that.
func (j *judge) expiry(id int64) int64 {
	if j.expiries == nil {
		j.expiries = j.computeExpiries()
	}
	at, known := j.expiries[id]
	if !known {
		return never
	}
	return at - j.options.LeaseTolerance
}

// computeExpiries does it for all leases.
func (j *judge) computeExpiries() map[int64]int64 {
	expiries, grants := map[int64]int64{}, map[int64]int{}
	for i := range j.history {
		o := &j.history[i]
		grant, ok := o.Request.Ask.(*Grant)
		if !ok || o.Error != "" {
			continue
		}
		id, ttl := grant.ID, grant.TTL
		if o.Succeeded() && o.Response != nil && o.Response.Lease != nil {
			id, ttl = o.Response.Lease.ID, o.Response.Lease.TTL
		}
		at := o.Call + ttl*second
		if grants[id]++; grants[id] > 1 {
			at = min(at, expiries[id])
		}
		expiries[id] = at
	}
	for i := range j.history {
		o := &j.history[i]
		renewal, ok := o.Request.Ask.(*KeepAlive)
		if !ok || !o.Succeeded() || o.Response == nil || o.Response.Lease == nil {
			continue
		}
		if l := o.Response.Lease; l.TTL > 0 && grants[renewal.ID] == 1 {
			expiries[renewal.ID] = max(expiries[renewal.ID], o.Call+l.TTL*second)
		}
	}
	return expiries
}

// judgeLeases checks what the answers about leases promise each other: a time to live is never more
// than was granted, a list names no lease that was never granted.
func (j *judge) judgeLeases() *verdict {
	granted := map[int64]int64{}
	for i := range j.history {
		o := &j.history[i]
		grant, ok := o.Request.Ask.(*Grant)
		if ok && o.Succeeded() && o.Response != nil && o.Response.Lease != nil {
			if l := o.Response.Lease; l.TTL < grant.TTL || grant.ID != 0 && l.ID != grant.ID {
				return violated(int32(i), []int32{int32(i)}, "lease %x was granted with %d seconds, "+
					"not lease %x with %d", l.ID, l.TTL, grant.ID, grant.TTL)
			}
			granted[o.Response.Lease.ID] = max(granted[o.Response.Lease.ID], o.Response.Lease.TTL)
		}
	}
	for i := range j.history {
		o := &j.history[i]
		ask, ok := o.Request.Ask.(*TimeToLive)
		if !ok || !o.Succeeded() || o.Response == nil || o.Response.Lease == nil ||
			granted[ask.ID] == 0 {
			continue
		}
		if l := o.Response.Lease; l.TTL > granted[ask.ID] {
			return violated(int32(i), []int32{int32(i)}, "lease %x has %d seconds left, of %d",
				ask.ID, l.TTL, granted[ask.ID])
		}
	}
	return nil
}
