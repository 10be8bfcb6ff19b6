package access

import (
	"fmt"
	"time"

	"detcd/checker"
)

// What is asked.
const (
	Grant  Ask = iota + 1 // that the user may
	Revoke                // that he may not
	Use                   // something that he may do only with the permission
)

// Ask is what an operation asks for.
type Ask int

// Operation is one call: a change by root, or a request of the user. A Use that has an Error was
// refused for want of the permission. One that failed for another reason, or was not answered, says
// nothing and must be left out.
type Operation = checker.Operation[Ask, struct{}]

// permission is the specification: whether the user may, at first not.
func permission() checker.Model[Ask, struct{}, bool] {
	return checker.Model[Ask, struct{}, bool]{
		Init: func() bool { return false },
		Step: func(may bool, o *Operation) (bool, bool) {
			if o.Request == Use {
				return o.Succeeded() == may, may
			}
			return true, o.Request == Grant
		},
	}
}

// Judge returns what is wrong in a sentence; nothing if an order of all operations explains them,
// or if none was ruled out in the time that the search may take. Times are in nanoseconds.
func Judge(history []Operation, limit time.Duration) string {
	if checker.Linearizable(permission(), history, limit) != checker.Violated {
		return ""
	}
	var changes []Operation
	for _, o := range history {
		if o.Request != Use {
			changes = append(changes, o)
		}
	}
	for _, o := range history { // one that contradicts the changes alone explains itself best
		alone := append(changes[:len(changes):len(changes)], o)
		if o.Request == Use && checker.Linearizable(permission(), alone, limit) == checker.Violated {
			return describe(changes, &o)
		}
	}
	return "what was served and what was refused contradict each other, as the permission changed"
}

// describe tells of a request that was served or refused against the last change before it.
func describe(changes []Operation, o *Operation) string {
	done, last := "served without the permission", "which was never granted"
	if o.Error != "" {
		done = "refused in spite of the permission"
	}
	latest := int64(-1)
	for _, c := range changes {
		if c.Unknown || c.Return >= o.Call || c.Return <= latest {
			continue
		}
		change := "whose grant"
		if c.Request == Revoke {
			change = "whose revocation"
		}
		latest = c.Return
		last = fmt.Sprintf("%s was acknowledged at %v", change, time.Duration(latest))
	}
	return fmt.Sprintf("a request called at %v and answered at %v was %s, %s", time.Duration(o.Call),
		time.Duration(o.Return), done, last)
}
