package judge

import (
	"fmt"
	"slices"

	"detcd/checker/etcd"
)

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

// judgeGrants checks that every lease was granted as it was asked for, or for longer.
func (j *judge) judgeGrants(*Report) *verdict {
	for _, i := range j.leased {
		o := &j.history[i]
		grant, ok := o.Request.Ask.(*etcd.Grant)
		if !ok || !o.Succeeded() {
			continue
		}
		l := o.Response.Lease
		if l == nil {
			return violated(i, []int32{i}, "it granted a lease and does not say which")
		}
		if l.TTL < grant.TTL || grant.ID != 0 && l.ID != grant.ID {
			return violated(i, []int32{i}, "lease %x was granted with %d seconds, not lease %x with %d",
				l.ID, l.TTL, grant.ID, grant.TTL)
		}
	}
	return nil
}

// eachLease tells of each lease that an operation names whether it found it there. Of a transaction
// that failed nobody knows which one was missing.
func (j *judge) eachLease(i int32, tell func(id int64, there bool)) {
	o := &j.history[i]
	if !o.Unknown && (o.Response == nil) == (o.Error == "") {
		return
	}
	switch ask := o.Request.Ask.(type) {
	case *etcd.Grant:
		if o.Error == etcd.ErrLeaseExists {
			tell(ask.ID, true)
		}
	case *etcd.KeepAlive, *etcd.TimeToLive:
		if o.Error == "" || o.Error == etcd.ErrLeaseNotFound {
			tell(leaseIn(ask), !o.Unknown && !etcd.Gone(o))
		}
	case *etcd.Revoke:
		if o.Error == "" || o.Error == etcd.ErrLeaseNotFound {
			tell(ask.ID, o.Succeeded())
		}
	case *etcd.Put:
		if o.Unknown || o.Error == "" || o.Error == etcd.ErrLeaseNotFound {
			tell(ask.Lease, o.Succeeded())
		}
	case *etcd.Txn:
		if o.Succeeded() {
			ran := leasesThatRan(ask, o.Response, nil)
			for _, id := range attached(ask, nil) {
				if slices.Contains(ran, id) {
					tell(id, true)
				}
			}
		}
	}
}

// leasesThatRan appends the leases of the puts that a transaction did.
func leasesThatRan(t *etcd.Txn, answer *etcd.Response, ids []int64) []int64 {
	for k, part := range t.Branch(answer.Succeeded) {
		switch ask := part.Ask.(type) {
		case *etcd.Put:
			if ask.Lease != 0 {
				ids = append(ids, ask.Lease)
			}
		case *etcd.Txn:
			if k < len(answer.Responses) {
				ids = leasesThatRan(ask, &answer.Responses[k], ids)
			}
		}
	}
	return ids
}
