package v2

// Count is how often an action was done and how often it failed.
type Count struct{ Success, Fail uint64 }

// Stats is what commands have done since the process began, as etcd counts it: to update, swap or
// delete the root counts as a success, and so do an update of a directory's value and a
// compareAndDelete whose comparison fails. A way through a file counts as two failures.
type Stats struct {
	Set, Create, Update, CompareAndSwap, Delete, CompareAndDelete Count

	Expired uint64
}

func (s *Stats) count(action Action, success bool) {
	var c *Count
	switch action {
	case Set:
		c = &s.Set
	case Create:
		c = &s.Create
	case Update:
		c = &s.Update
	case CompareAndSwap:
		c = &s.CompareAndSwap
	case Delete:
		c = &s.Delete
	default:
		c = &s.CompareAndDelete
	}
	if success {
		c.Success++
	} else {
		c.Fail++
	}
}
