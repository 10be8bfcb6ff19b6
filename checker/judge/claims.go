package judge

import (
	"cmp"
	"math"
	"slices"

	"detcd/checker/etcd"
)

// nobody stands for no operation.
const nobody = int32(-1)

// never is after everything, and -never before.
const never = math.MaxInt64

// tailMax bounds how many revisions are tried behind the last that anybody was told of.
const tailMax = 64

// A role is what an operation is to the order.
type role uint8

const (
	aside    role = iota // it has no place in the order
	past                 // it shows the store as it was at the revision that it names
	reading              // it shows the store at the revision that it names
	quiet                // a lease was granted or revoked: it may have made its revision
	making               // it made the revision that it names
	floating             // it names no revision: any between its call and its return
	lost                 // nobody knows whether it happened
)

// A judge judges one history.
//
// Many fields: what each of its parts finds out is there for the next.
type judge struct {
	history []etcd.Operation
	options Options

	roles   []role
	last    int64   // the highest revision that anybody was told of
	end     int64   // up to here more may have been made that nobody was told of
	owner   []int32 // by revision: who made it, by its answer
	from    []int32 // by revision: where its slot begins in members
	members []int32 // what is past, reading or quiet: by revision, role and call
	floats  []float // by call
	lost    []int32 // by call
	by      []int64 // by revision: somebody was told of it, or of a later one, by then
	teller  []int32 // by revision: who was
	since   []int64 // by revision: before this it cannot have been made
	leased  []int32 // operations about leases, or that attach keys to them

	views    []view
	narrow   map[etcd.Bytes][]int32 // views of a single key
	narrowAt map[int64][]int32      // views of a single key that show a revision
	wide     []int32                // views of more keys
	debts    []debt                 // that the events of the last revision brought up
	lit      int64                  // up to here it is known of every revision what it changed
	facts    map[int64][]fact       // by revision without owner: what was seen of it
	seen     map[etcd.Bytes][]sight // by key: what was seen of it, if some revision is dark
}

// A float is a condition that has to hold at some moment: an operation that names no revision, or
// what follows from a message of a watch.
type float struct {
	op           int32
	call, back   int64
	kind         condition
	compacted    int64 // of a condition about compactions
	notBefore    int64 // the revision that an answer about a lease names, which may be old
	isCompaction bool
}

// A condition is what a float needs.
type condition uint8

const (
	outcome       condition = iota // the operation has its outcome
	compactedOver                  // history before a revision, and that revision itself, is compacted
	compactedAt                    // a compaction of just that revision
)

// roleOf returns the role of an operation.
func roleOf(o *etcd.Operation) role {
	present := etcd.OfThePresent(o)
	switch {
	case o.Unknown && changes(o.Request.Ask):
		return lost
	case o.Unknown:
		return aside
	case o.Error != "" && present:
		return floating
	case o.Error != "":
		return aside
	}
	switch o.Request.Ask.(type) {
	case *etcd.KeepAlive, *etcd.TimeToLive, *etcd.Compact:
		return floating
	case *etcd.Leases, *etcd.Watch, *etcd.Watched, *etcd.Held:
		return aside
	case *etcd.Grant, *etcd.Revoke:
		return quiet
	}
	switch {
	case wrote(o.Request.Ask, o.Response):
		return making
	case present:
		return reading
	}
	return past
}

// collectClaims notes what every operation says of the order.
func (j *judge) collectClaims(report *Report) *verdict {
	j.roles = make([]role, len(j.history))
	makers := 0
	j.last = 1
	for i := range j.history {
		o := &j.history[i]
		r := roleOf(o)
		j.roles[i] = r
		if o.Unknown {
			report.Unknown++
		}
		j.last = max(j.last, claim(o))
		if r == making || r == lost || r == quiet {
			makers++ // a grant, because the lease may end
		}
		if ofLease(o.Request.Ask) {
			j.leased = append(j.leased, int32(i))
		}
	}
	if j.last-1 > int64(makers) {
		return j.tooFew(makers)
	}
	j.end = j.last + min(int64(makers), tailMax)
	j.owner = slices.Repeat([]int32{nobody}, int(j.end)+2)
	j.from = make([]int32, j.end+3)
	for i := range j.history {
		if v := j.collect(int32(i)); v != nil {
			return v
		}
	}
	j.fillSlots()
	j.computeBounds()
	byCall := func(a, b int32) int { return cmp.Compare(j.history[a].Call, j.history[b].Call) }
	slices.SortStableFunc(j.lost, byCall)
	return nil
}

// claim returns the highest revision that an outcome says was made; 0: it says nothing of any.
func claim(o *etcd.Operation) int64 {
	if !o.Succeeded() || o.Response == nil {
		return 0
	}
	r := o.Response.Revision
	if w := o.Response.Watch; w != nil && len(w.Events) > 0 {
		r = max(r, w.Events[len(w.Events)-1].KV.Mod)
	}
	return r
}

// tooFew says that a revision was named that so few operations cannot have led to.
func (j *judge) tooFew(makers int) *verdict {
	for i := range j.history {
		if claim(&j.history[i]) == j.last {
			return violated(int32(i), []int32{int32(i)},
				"it names revision %d, but only %d operations can have made one", j.last, makers)
		}
	}
	return undecided(nobody, "there is no operation")
}

// collect notes one operation. Slots are counted first and filled later.
func (j *judge) collect(i int32) *verdict {
	o := &j.history[i]
	switch j.roles[i] {
	case lost:
		j.lost = append(j.lost, i)
		return nil
	case floating:
		f := float{op: i, call: o.Call, back: o.Return}
		if o.Error != "" {
			if !canFail(o.Request.Ask, o.Error) {
				return violated(i, []int32{i}, "it can never fail like that: %s", o.Error)
			}
		} else if o.Response == nil {
			return violated(i, []int32{i}, "it has no answer")
		} else {
			_, f.isCompaction = o.Request.Ask.(*etcd.Compact)
			f.notBefore = o.Response.Revision
		}
		j.floats = append(j.floats, f)
		return nil
	case aside:
		return j.collectAside(i)
	}
	if o.Response == nil || o.Response.Revision < 1 {
		return violated(i, []int32{i}, "it names no revision")
	}
	r := o.Response.Revision
	if j.roles[i] != making {
		j.from[r+1]++
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

// collectAside notes an operation that has no place in the order. An old read that failed says all
// the same that there was a compaction, or that a revision was not there yet.
func (j *judge) collectAside(i int32) *verdict {
	o := &j.history[i]
	if !etcd.Explained(o.Error) {
		return nil
	}
	if !canFail(o.Request.Ask, o.Error) {
		return violated(i, []int32{i}, "it can never fail like that: %s", o.Error)
	}
	if oldest := oldestAsked(o.Request.Ask); o.Error == etcd.ErrCompacted && oldest > 0 {
		j.floats = append(j.floats, float{op: i, call: o.Return, back: o.Return, kind: compactedOver,
			compacted: oldest})
	}
	return nil
}

// fillSlots is the second half of a counting sort by revision; each slot is sorted by role and
// call.
func (j *judge) fillSlots() {
	for r := 1; r < len(j.from); r++ {
		j.from[r] += j.from[r-1]
	}
	j.members = make([]int32, j.from[len(j.from)-1])
	at := slices.Clone(j.from)
	for i := range j.history {
		if r := j.roles[i]; r == past || r == reading || r == quiet {
			named := j.history[i].Response.Revision
			j.members[at[named]] = int32(i)
			at[named]++
		}
	}
	for r := int64(1); r <= j.last; r++ {
		if slot := j.slot(r); len(slot) > 1 {
			slices.SortFunc(slot, func(a, b int32) int {
				return cmp.Or(cmp.Compare(j.roles[a], j.roles[b]),
					cmp.Compare(j.history[a].Call, j.history[b].Call), cmp.Compare(a, b))
			})
		}
	}
}

// slot returns the operations that name a revision which they may not have made.
func (j *judge) slot(r int64) []int32 { return j.members[j.from[r]:j.from[r+1]] }

// computeBounds finds by when each revision had been made, and before when it cannot have been.
func (j *judge) computeBounds() {
	j.by = slices.Repeat([]int64{never}, int(j.end)+2)
	j.teller = slices.Repeat([]int32{nobody}, int(j.end)+2)
	for i := range j.history {
		if r := claim(&j.history[i]); r > 0 && j.history[i].Return < j.by[r] {
			j.by[r], j.teller[r] = j.history[i].Return, int32(i)
		}
	}
	for r := j.last; r >= 0; r-- {
		if j.by[r+1] < j.by[r] {
			j.by[r], j.teller[r] = j.by[r+1], j.teller[r+1]
		}
	}
	j.since = make([]int64, j.end+2)
	since := int64(-never)
	j.since[0] = since
	for r := int64(1); r <= j.end+1; r++ {
		if i := j.owner[r]; i != nobody {
			since = max(since, j.history[i].Call)
		}
		j.since[r] = since
		if r > j.last {
			continue
		}
		for _, i := range j.slot(r) {
			if j.roles[i] != past {
				since = max(since, j.history[i].Call)
			}
		}
	}
}

// compareClaims compares the claims with each other: nobody was told of a revision before all was
// called that has its place before it.
func (j *judge) compareClaims(*Report) *verdict {
	latest, last := int64(-never), nobody
	check := func(i int32, r int64) *verdict {
		if j.history[i].Call > latest {
			latest, last = j.history[i].Call, i
		}
		if latest <= j.by[r] {
			return nil
		}
		a, b := j.teller[r], last
		return violated(b, []int32{b, a}, "client %d was told at %d of revision %d, but client %d was "+
			"called later, at %d, and saw or made what came before, at revision %d",
			j.history[a].Client, j.history[a].Return, claim(&j.history[a]), j.history[b].Client,
			j.history[b].Call, j.history[b].Response.Revision)
	}
	for r := int64(1); r <= j.last; r++ {
		if i := j.owner[r]; i != nobody {
			if v := check(i, r); v != nil {
				return v
			}
		}
		for _, i := range j.slot(r) {
			if j.roles[i] == past {
				continue
			}
			if v := check(i, r+1); v != nil {
				return v
			}
		}
	}
	return nil
}

// dateCompactions lets a compaction of just one revision be wanted since it may have happened, not
// only since a watch told of it: when a later one has happened, that one cannot any more.
func (j *judge) dateCompactions() {
	first := map[int64]int64{} // by revision: when its compaction was first called
	for i := range j.history {
		o := &j.history[i]
		if ask, ok := o.Request.Ask.(*etcd.Compact); ok {
			if call, known := first[ask.Revision]; !known || o.Call < call {
				first[ask.Revision] = o.Call
			}
		}
	}
	for k := range j.floats {
		if f := &j.floats[k]; f.kind == compactedAt {
			if call, known := first[f.compacted]; known {
				f.call = min(f.call, call)
			}
		}
	}
}
