package model

// Made returns the revision that an operation says it made by changing keys; 0: none.
func Made(o *Operation) int64 { return made(o) }

// LeaseOf returns the lease that an operation is about, or that it gives to a key; 0: none, or
// several.
func LeaseOf(o *Operation) int64 {
	if grant, ok := o.Request.Ask.(*Grant); ok && o.Succeeded() && o.Response != nil &&
		o.Response.Lease != nil && grant.ID == 0 {
		return o.Response.Lease.ID
	}
	if id := leaseIn(o.Request.Ask); id != 0 {
		return id
	}
	if ids := leasesOf(o.Request.Ask, nil); len(ids) == 1 {
		return ids[0]
	}
	return 0
}

// Present returns what Spec can judge of a history: what was called before an operation returned,
// and sees or changes the present.
func Present(history []Operation, until int32) []Operation {
	end := history[until].Return
	if history[until].Unknown {
		end = history[until].Call
	}
	var part []Operation
	for i := range history {
		if o := &history[i]; o.Call <= end && isPresent(o) {
			part = append(part, *o)
		}
	}
	return part
}
