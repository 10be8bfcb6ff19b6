package judge

import (
	"cmp"
	"slices"

	"detcd/checker/etcd"
)

// A Reign is a time in which one leader led, so that it could have ended leases, and no other began
// to lead.
type Reign struct {
	Begin, End int64
	Pause      int64 // for so long at a time the leader may have done nothing, in nanoseconds
}

// reigned is what an answer says of a reign: somebody called, and was told in a term of a revision
// that was made for it.
type reigned struct{ term, call, back int64 }

// Reigns finds reigns in the terms that the makers of revisions were answered in; none where terms
// were not recorded. Between the answers in a reign is never more than pause, in nanoseconds.
//
// A revision that a member in term T answers for was committed by the leader of T or of an earlier
// term. So no leader of a later term had been elected when its maker called, for such a leader has
// a majority that would no longer have taken the revision: a reign lasts until the last such call.
// It begins when the first answer is back, or when the last maker called that was answered in an
// earlier term, if that was later.
func Reigns(history []etcd.Operation, pause int64) []Reign {
	var all []reigned
	for i := range history {
		o := &history[i]
		if Made(o) != 0 && o.Response.Term > 0 {
			all = append(all, reigned{o.Response.Term, o.Call, o.Return})
		}
	}
	slices.SortFunc(all, func(a, b reigned) int {
		return cmp.Or(cmp.Compare(a.term, b.term), cmp.Compare(a.back, b.back))
	})
	var reigns []Reign
	term, earlier, latest, last := int64(0), int64(-never), int64(-never), int64(-never)
	for _, r := range all {
		if r.term != term {
			term, earlier, last = r.term, latest, -never
		}
		latest = max(latest, r.call)
		switch n := len(reigns) - 1; {
		case r.back < earlier:
			continue
		case last == -never || r.back-last > pause:
			reigns = append(reigns, Reign{r.back, r.call, pause})
		default:
			reigns[n].End = max(reigns[n].End, r.call)
		}
		last = r.back
	}
	return slices.DeleteFunc(reigns, func(r Reign) bool { return r.End <= r.Begin })
}
