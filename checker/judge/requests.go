package judge

import "detcd/checker/etcd"

// Made returns the revision that an operation says it made by changing keys; 0: none, or, for the
// end of a lease, it does not say.
func Made(o *etcd.Operation) int64 {
	if o.Succeeded() && o.Response != nil && wrote(o.Request.Ask, o.Response) {
		return o.Response.Revision
	}
	return 0
}

// LeaseOf returns the lease that an operation is about, or that it gives to a key; 0: none, or
// several.
func LeaseOf(o *etcd.Operation) int64 {
	if grant, ok := o.Request.Ask.(*etcd.Grant); ok {
		return grantedBy(o, grant)
	}
	if id := leaseIn(o.Request.Ask); id != 0 {
		return id
	}
	if ids := attached(o.Request.Ask, nil); len(ids) == 1 {
		return ids[0]
	}
	return 0
}

// Present returns what etcd.Spec can judge of a history: what was called before an operation
// returned, and sees or changes the present.
func Present(history []etcd.Operation, until int32) []etcd.Operation {
	end := history[until].Return
	if history[until].Unknown {
		end = history[until].Call
	}
	var part []etcd.Operation
	for i := range history {
		if o := &history[i]; o.Call <= end && etcd.OfThePresent(o) {
			part = append(part, *o)
		}
	}
	return part
}

// grantedBy returns the lease that a grant made: that of the answer, for a server may choose it.
func grantedBy(o *etcd.Operation, ask *etcd.Grant) int64 {
	if o.Succeeded() && o.Response != nil && o.Response.Lease != nil {
		return o.Response.Lease.ID
	}
	return ask.ID
}

// leaseIn returns the lease that a request is about; 0: none.
func leaseIn(ask any) int64 {
	switch ask := ask.(type) {
	case *etcd.KeepAlive:
		return ask.ID
	case *etcd.TimeToLive:
		return ask.ID
	case *etcd.Revoke:
		return ask.ID
	case *etcd.Grant:
		return ask.ID
	}
	return 0
}

// eachPart visits the parts of a transaction, at all depths and of both branches; another request
// is its own only part.
func eachPart(ask any, visit func(part any)) {
	t, ok := ask.(*etcd.Txn)
	if !ok {
		visit(ask)
		return
	}
	for _, branch := range [...][]etcd.Request{t.Success, t.Failure} {
		for _, part := range branch {
			eachPart(part.Ask, visit)
		}
	}
}

// attached appends the leases that a request may attach keys to.
func attached(ask any, ids []int64) []int64 {
	eachPart(ask, func(part any) {
		if put, ok := part.(*etcd.Put); ok && put.Lease != 0 {
			ids = append(ids, put.Lease)
		}
	})
	return ids
}

// ofLease tells whether a request is about a lease, or attaches keys to one.
func ofLease(ask any) bool {
	switch ask := ask.(type) {
	case *etcd.Put:
		return ask.Lease != 0
	case *etcd.Txn:
		return len(attached(ask, nil)) > 0
	case *etcd.Grant:
		return true
	}
	return leaseIn(ask) != 0
}

// wrote tells whether an answer says that keys were changed.
func wrote(ask any, answer *etcd.Response) bool {
	switch ask := ask.(type) {
	case *etcd.Put:
		return true
	case *etcd.Delete:
		return answer != nil && answer.Count > 0
	case *etcd.Txn:
		if answer == nil {
			return false
		}
		branch := ask.Branch(answer.Succeeded)
		for i := range answer.Responses {
			if i < len(branch) && wrote(branch[i].Ask, &answer.Responses[i]) {
				return true
			}
		}
	}
	return false
}

// changes tells whether a request may change anything.
func changes(ask any) (may bool) {
	switch ask.(type) {
	case *etcd.Compact, *etcd.Grant, *etcd.Revoke:
		return true
	}
	eachPart(ask, func(part any) {
		switch part.(type) {
		case *etcd.Put, *etcd.Delete:
			may = true
		}
	})
	return may
}

// oldestAsked returns the least revision that a request asks to read; 0: it asks for none.
func oldestAsked(ask any) (oldest int64) {
	eachPart(ask, func(part any) {
		if r, ok := part.(*etcd.Range); ok && r.Revision > 0 && (oldest == 0 || r.Revision < oldest) {
			oldest = r.Revision
		}
	})
	return oldest
}

// canFail tells whether a request may ever fail with an error that depends on the store.
func canFail(ask any, failure string) (can bool) {
	_, nested := ask.(*etcd.Txn)
	eachPart(ask, func(part any) {
		switch part := part.(type) {
		case *etcd.Range:
			reads := part.Revision > 0 || nested && part.Revision < 0
			can = can || failure == etcd.ErrCompacted && reads ||
				failure == etcd.ErrFuture && part.Revision > 1
		case *etcd.Put:
			can = can || failure == etcd.ErrLeaseNotFound && part.Lease != 0 ||
				failure == etcd.ErrKeyNotFound && (part.IgnoreValue || part.IgnoreLease)
		case *etcd.Compact:
			can = can || failure == etcd.ErrCompacted || failure == etcd.ErrFuture
		case *etcd.Grant:
			can = can || failure == etcd.ErrLeaseExists
		case *etcd.Revoke, *etcd.KeepAlive, *etcd.TimeToLive:
			can = can || failure == etcd.ErrLeaseNotFound
		case nil: // a part of a transaction that asks for nothing
			can = can || failure == etcd.ErrKeyNotFound
		}
	})
	return can
}
