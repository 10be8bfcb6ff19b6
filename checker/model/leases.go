package model

// extension returns how many seconds more than granted a lease may have left.
func (j *judge) extension() int64 {
	if j.options.ElectionTimeout > 0 {
		return (j.options.ElectionTimeout + second - 1) / second
	}
	return 1
}

// judgeLeases checks what the answers about leases promise each other: a time to live is never more
// than was granted and one election time-out, and is what was asked for or more.
func (j *judge) judgeLeases() *verdict {
	granted := map[int64]int64{}
	for _, i := range j.leased {
		o := &j.history[i]
		grant, ok := o.Request.Ask.(*Grant)
		if ok && o.Succeeded() && o.Response.Lease != nil {
			if l := o.Response.Lease; l.TTL < grant.TTL || grant.ID != 0 && l.ID != grant.ID {
				return violated(i, []int32{i}, "lease %x was granted with %d seconds, "+
					"not lease %x with %d", l.ID, l.TTL, grant.ID, grant.TTL)
			}
			granted[o.Response.Lease.ID] = max(granted[o.Response.Lease.ID], o.Response.Lease.TTL)
		}
	}
	for _, i := range j.leased {
		o := &j.history[i]
		ask, ok := o.Request.Ask.(*TimeToLive)
		if !ok || !o.Succeeded() || o.Response.Lease == nil || granted[ask.ID] == 0 {
			continue
		}
		if l := o.Response.Lease; l.TTL > granted[ask.ID]+j.extension() {
			return violated(i, []int32{i}, "lease %x has %d seconds left, of %d", ask.ID, l.TTL,
				granted[ask.ID])
		}
	}
	return nil
}
