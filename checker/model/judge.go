package model

import (
	"cmp"
	"math"
	"slices"

	"detcd/checker"
)

// nobody owns a revision that no answer names.
const nobody = int32(-1)

// never is after everything.
const never = math.MaxInt64

// A judge judges one history.
//
// Many fields: what each of its parts finds out is there for the next.
type judge struct {
	history []Operation
	options Options
	state   *State

	last     int64   // the highest revision that anybody saw
	owner    []int32 // by revision: who made it
	from     []int32 // by revision: where its slot begins in members
	members  []int32 // operations that made no revision, by slot and then by call
	loose    []int32 // operations that name no revision and must have a place
	lost     []int32 // operations with an unknown outcome that may have changed something, by call
	watched  []int32 // messages of watches, as they stand
	latest   []int64 // by revision: the first return of what comes in its slot or later
	evidence *evidence

	steps   []step
	used    map[int32]bool // lost operations that happened
	choices []choice
	replays int
	scratch Response

	compactions []int32         // that succeeded
	guessed     bool            // a change of a lease whose answer was lost was put where it is needed
	expiries    map[int64]int64 // by lease: before when it cannot have expired
	log         []change        // changes of keys, in the order that was found
	logFrom     []int32         // by revision: where it begins in log
}

// Judge judges a history that began with an empty store. It reads it and keeps nothing of it. What
// it promises is in the documentation of the package.
func Judge(history []Operation, options Options) *Report {
	j := &judge{history: history, options: options, state: NewState(), used: map[int32]bool{}}
	report := &Report{Verdict: checker.Holds, Operation: -1, Operations: len(history)}
	for _, part := range []func() *verdict{j.sort, j.gather, j.judgeLeases,
		func() *verdict { return j.solve(report) }} {
		if v := part(); v != nil {
			report.Verdict, report.Operation, report.Reason = v.verdict, v.op, v.reason
			report.Core, report.Order = v.core, nil
			break
		}
	}
	report.Revisions = j.last
	for _, i := range report.Order {
		if i >= 0 && history[i].Unknown {
			report.Happened++
		}
	}
	for i := range history {
		if history[i].Unknown {
			report.Unknown++
		}
	}
	return report
}

// sort finds the owners of revisions and puts all others into their slots.
func (j *judge) sort() *verdict {
	j.last = 1
	makers := 0
	for i := range j.history {
		o := &j.history[i]
		if o.Succeeded() && o.Response != nil {
			j.last = max(j.last, o.Response.Revision)
		}
		if made(o) != 0 || o.Unknown || isRevoke(o) || isGrant(o) {
			makers++
		}
	}
	if j.last-1 > int64(makers) {
		return j.tooFew(makers)
	}
	j.owner = make([]int32, j.last+2)
	j.from = make([]int32, j.last+3)
	for r := range j.owner {
		j.owner[r] = nobody
	}
	for i := range j.history {
		if v := j.classify(int32(i)); v != nil {
			return v
		}
	}
	j.fillSlots()
	slices.SortStableFunc(j.lost, func(a, b int32) int {
		return cmp.Compare(j.history[a].Call, j.history[b].Call)
	})
	return nil
}

// tooFew says that a revision was named that so few operations cannot have led to.
func (j *judge) tooFew(makers int) *verdict {
	for i := range j.history {
		o := &j.history[i]
		if o.Succeeded() && o.Response != nil && o.Response.Revision == j.last {
			return violated(int32(i), []int32{int32(i)},
				"it names revision %d, but only %d operations can have made one", j.last, makers)
		}
	}
	return undecided(-1, "there is no operation")
}

// classify notes what an operation is to the judge. Slots are counted first and filled later.
func (j *judge) classify(i int32) *verdict {
	o := &j.history[i]
	if o.Unknown {
		if changes(o.Request.Ask) {
			j.lost = append(j.lost, i)
		}
		return nil
	}
	if o.Error != "" {
		if explained(o.Error) && isPresent(o) {
			j.loose = append(j.loose, i)
		}
		return nil
	}
	switch o.Request.Ask.(type) {
	case *Watched:
		j.watched = append(j.watched, i)
		return nil
	case *Watch, *Leases:
		return nil
	case *KeepAlive, *TimeToLive:
		j.loose = append(j.loose, i)
		return nil
	case *Compact:
		j.compactions = append(j.compactions, i)
		return nil
	}
	if o.Response == nil || o.Response.Revision < 1 {
		return violated(i, []int32{i}, "it names no revision")
	}
	r := made(o)
	if r == 0 {
		j.from[o.Response.Revision+1]++
		return nil
	}
	if r == 1 {
		return violated(i, []int32{i}, "it says that it made revision 1, which is the empty store")
	}
	if other := j.owner[r]; other != nobody {
		return violated(i, []int32{other, i}, "both say that they made revision %d", r)
	}
	j.owner[r] = i
	return nil
}

// fillSlots is the second half of a counting sort by revision; each slot is sorted by call.
func (j *judge) fillSlots() {
	for r := 1; r < len(j.from); r++ {
		j.from[r] += j.from[r-1]
	}
	j.members = make([]int32, j.from[len(j.from)-1])
	at := slices.Clone(j.from)
	for i := range j.history {
		if o := &j.history[i]; j.hasSlot(o) {
			j.members[at[o.Response.Revision]] = int32(i)
			at[o.Response.Revision]++
		}
	}
	j.latest = make([]int64, j.last+2)
	earliest := int64(never)
	for r := j.last + 1; r >= 1; r-- {
		slot := j.slot(r)
		slices.SortFunc(slot, func(a, b int32) int {
			return cmp.Or(cmp.Compare(j.history[a].Call, j.history[b].Call), cmp.Compare(a, b))
		})
		for _, i := range slot {
			earliest = min(earliest, j.history[i].Return)
		}
		if i := j.owner[r]; i != nobody {
			earliest = min(earliest, j.history[i].Return)
		}
		j.latest[r] = earliest
	}
}

// hasSlot tells whether an operation stands behind the revision that it names.
func (j *judge) hasSlot(o *Operation) bool {
	if !o.Succeeded() || o.Response == nil || made(o) != 0 {
		return false
	}
	switch o.Request.Ask.(type) {
	case *KeepAlive, *TimeToLive, *Compact, *Leases, *Watch, *Watched:
		return false
	}
	return true
}

// slot returns the operations that belong behind a revision.
func (j *judge) slot(r int64) []int32 {
	if r > j.last {
		return nil
	}
	return j.members[j.from[r]:j.from[r+1]]
}

// made returns the revision that an operation says it made; 0: none, or, for the end of a lease, it
// does not say.
func made(o *Operation) int64 {
	if !o.Succeeded() || o.Response == nil {
		return 0
	}
	if wrote(o.Request.Ask, o.Response) {
		return o.Response.Revision
	}
	return 0
}

// wrote tells whether an answer says that keys were changed.
func wrote(ask any, answer *Response) bool {
	switch ask := ask.(type) {
	case *Put:
		return true
	case *Delete:
		return answer.Count > 0
	case *Txn:
		branch := ask.branch(answer.Succeeded)
		for i := range answer.Responses {
			if i < len(branch) && wrote(branch[i].Ask, &answer.Responses[i]) {
				return true
			}
		}
	}
	return false
}

// changes tells whether a request may change anything.
func changes(ask any) bool {
	switch ask := ask.(type) {
	case *Put, *Delete, *Compact, *Grant, *Revoke:
		return true
	case *Txn:
		for _, branch := range [][]Request{ask.Success, ask.Failure} {
			for _, part := range branch {
				if changes(part.Ask) {
					return true
				}
			}
		}
	}
	return false
}

func isRevoke(o *Operation) bool {
	_, ok := o.Request.Ask.(*Revoke)
	return ok && o.Succeeded()
}

func isGrant(o *Operation) bool {
	_, ok := o.Request.Ask.(*Grant)
	return ok && o.Succeeded()
}
