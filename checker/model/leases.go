package model

import "fmt"

// electionTimeout returns how much longer a lease lives under a new leader.
func (j *judge) electionTimeout() int64 {
	if j.options.ElectionTimeout > 0 {
		return j.options.ElectionTimeout
	}
	return second
}

// slack returns how long a leader may take to end a lease whose time is over.
func (j *judge) slack() int64 {
	if j.options.LeaseSlack > 0 {
		return j.options.LeaseSlack
	}
	return second
}

// extension returns how many seconds more than granted a lease may have left.
func (j *judge) extension() int64 { return (j.electionTimeout() + second - 1) / second }

// inSeconds shows a duration.
func inSeconds(duration int64) string {
	return fmt.Sprintf("%d.%03d s", duration/second, duration%second/1_000_000)
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
		id := leaseIn(o.Request.Ask)
		if !o.Succeeded() || o.Response.Lease == nil || granted[id] == 0 {
			continue
		}
		most := granted[id] // a renewal gives what was granted
		switch o.Request.Ask.(type) {
		case *TimeToLive:
			most += j.extension()
		case *KeepAlive:
		default:
			continue
		}
		if l := o.Response.Lease; l.TTL > most {
			return violated(i, []int32{i}, "lease %x has %d seconds left, of %d", id, l.TTL,
				granted[id])
		}
	}
	return nil
}
