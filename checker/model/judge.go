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

	named  []int64 // by operation: the revision that its answer names
	traits []trait // by operation
	leased []int32 // operations about leases, or that attach keys to them
	asked  []int32 // requests for watches

	last     int64   // the highest revision that anybody saw
	owner    []int32 // by revision: who made it
	from     []int32 // by revision: where its slot begins in members
	members  []int32 // operations that made no revision, by slot and then by call
	loose    []int32 // operations that name no revision and must have a place
	lost     []int32 // operations with an unknown outcome that may have changed something, by call
	watched  []int32 // messages of watches, as they stand
	latest   []int64 // by revision: by then it had been made, as somebody was told
	since    []int64 // by revision: before this it cannot have been made
	evidence *evidence
	plan     *plan

	steps   []step
	used    map[int32]bool // lost operations that happened
	choices []choice
	open    bool // some choices ended in what could not be decided
	replays int
	wall    *verdict // the first contradiction at the last revision that any choice led to
	reached int64    // that revision
	// farfetched says of the candidate tried last that it needs what is not to be expected.
	farfetched bool
	scratch    Response

	compactions []int32           // that succeeded
	guessed     []int64           // leases of which a change was put where it is needed
	tenures     map[int64]*tenure // by lease
	alive       map[int64][]int32 // by lease: answers that say that it is there, of seenAlive
	scheduled   map[int64][]int32 // by slot: grants whose answers were lost
	log         []change          // changes of keys, in the order that was found
	logFrom     []int32           // by revision: where it begins in log
}

// Judge judges a history that began with an empty store. It reads it and keeps nothing of it. What
// it promises is in the documentation of the package.
func Judge(history []Operation, options Options) *Report {
	j := &judge{history: history, options: options, state: NewState(), used: map[int32]bool{}}
	report := &Report{Verdict: checker.Holds, Operation: -1, Operations: len(history)}
	for _, part := range []func() *verdict{j.sort, j.gather, j.judgeLeases, j.judgeStays,
		func() *verdict { return j.solve(report) },
		func() (v *verdict) { report.Locks, v = judgeLocks(history, report); return v }} {
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
	for _, t := range j.traits {
		if t&isUnknown != 0 {
			report.Unknown++
		}
	}
	return report
}

// sort finds the owners of revisions and puts all others into their slots.
func (j *judge) sort() *verdict {
	makers := j.survey()
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
	j.tenures, j.alive = j.computeTenures(), j.seenAlive()
	j.schedule()
	return nil
}

// survey looks at every operation once and notes what is asked for often: operations are far apart
// in memory. It returns how many operations may have made a revision.
func (j *judge) survey() (makers int) {
	j.last = 1
	j.named, j.traits = make([]int64, len(j.history)), make([]trait, len(j.history))
	for i := range j.history {
		o := &j.history[i]
		answered := o.Succeeded() && o.Response != nil
		if answered {
			j.named[i] = o.Response.Revision
			j.last = max(j.last, o.Response.Revision)
		}
		t := traitsOf(o)
		j.traits[i] = t
		if t&(isMaker|isUnknown) != 0 {
			makers++
		}
		if t&ofLease != 0 {
			j.leased = append(j.leased, int32(i))
			if isRevoke(o) || isGrant(o) {
				makers++
			}
		}
	}
	return makers
}

// A trait is something that is asked of an operation often.
type trait uint8

const (
	isPast    trait = 1 << iota // it sees and changes nothing present
	isUnknown                   // its outcome is unknown
	isMaker                     // it says that it made a revision
	isMember                    // it stands behind the revision that it names
	ofLease                     // it is about leases, or attaches keys to them
	ofHistory                   // it reads an old revision
)

// traitsOf returns the traits of an operation.
func traitsOf(o *Operation) (t trait) {
	if !isPresent(o) {
		t |= isPast
	}
	if o.Unknown {
		t |= isUnknown
	}
	switch o.Request.Ask.(type) {
	case *Grant, *Revoke, *KeepAlive, *TimeToLive:
		t |= ofLease
	case *Put, *Txn:
		if attaches(o.Request.Ask) {
			t |= ofLease
		}
	}
	if !o.Succeeded() || o.Response == nil {
		return t
	}
	if made(o) != 0 {
		return t | isMaker
	}
	switch o.Request.Ask.(type) {
	case *KeepAlive, *TimeToLive, *Compact, *Leases, *Watch, *Watched, *Held:
		return t
	}
	if oldestIn(o.Request.Ask, o.Response) > 0 {
		t |= ofHistory
	}
	return t | isMember
}

// is tells whether an operation has one of some traits.
func (j *judge) is(i int32, t trait) bool { return j.traits[i]&t != 0 }

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
	if j.is(i, isMember) && j.named[i] > 0 {
		j.from[j.named[i]+1]++
		return nil
	}
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
	case *Watch:
		j.asked = append(j.asked, i)
		return nil
	case *Leases, *Held:
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
	r := o.Response.Revision
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
		if j.is(int32(i), isMember) {
			r := j.named[i]
			j.members[at[r]] = int32(i)
			at[r]++
		}
	}
	for r := int64(1); r <= j.last; r++ {
		if slot := j.slot(r); len(slot) > 1 {
			slices.SortFunc(slot, func(a, b int32) int {
				return cmp.Or(cmp.Compare(j.history[a].Call, j.history[b].Call), cmp.Compare(a, b))
			})
		}
	}
	j.computeLatest()
	j.computeSince()
}

// computeLatest finds by when each revision had been made: somebody was told of it, or of a later
// one.
func (j *judge) computeLatest() {
	j.latest = make([]int64, j.last+2)
	for r := range j.latest {
		j.latest[r] = never
	}
	for i := range j.history {
		if r := j.named[i]; r > 0 {
			j.latest[r] = min(j.latest[r], j.history[i].Return)
		}
	}
	for r := j.last; r >= 0; r-- {
		j.latest[r] = min(j.latest[r], j.latest[r+1])
	}
}

// computeSince finds before when each revision cannot have been made.
func (j *judge) computeSince() {
	j.since = make([]int64, j.last+2)
	since := int64(-never)
	j.since[0] = since
	for r := int64(1); r <= j.last+1; r++ {
		if i := j.owner[r]; i != nobody {
			since = max(since, j.history[i].Call)
		}
		j.since[r] = since
		for _, i := range j.slot(r) {
			if !j.is(i, isPast) {
				since = max(since, j.history[i].Call)
			}
		}
	}
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
