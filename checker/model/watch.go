package model

import (
	"fmt"
	"sort"
)

// viewer follows one watch through the changes of the order. What it checks are the guarantees of
// etcd's documentation: ordered, unique, reliable, atomic, resumable, bookmarkable; and filters,
// previous values, and when a watch ends.
type viewer struct {
	judge   *judge
	clock   *clock
	ask     *Watch
	next    int64 // the first revision that was not shown wholly; 0: not yet known
	shown   int   // events of revision next that were shown, in fragments
	created bool
	ended   bool
	before  int32 // the message before
}

// judgeWatches compares the messages of all watches with the changes of the order. It tells whether
// what it found depends on no choice.
func (j *judge) judgeWatches(c *clock, report *Report) (*verdict, bool) {
	if len(j.watched) == 0 {
		return nil, false
	}
	j.log, j.logFrom = j.state.log(j.last)
	report.Watches, report.Events = 0, 0
	viewers := map[int64]*viewer{}
	for _, i := range j.asked {
		w := j.history[i].Request.Ask.(*Watch)
		viewers[w.Watch] = &viewer{judge: j, clock: c, ask: w, next: max(0, w.Start), before: nobody}
		report.Watches++
	}
	for _, i := range j.watched {
		o := &j.history[i]
		v := viewers[o.Request.Ask.(*Watched).Watch]
		if v == nil || o.Response == nil || o.Response.Watch == nil {
			return violated(i, []int32{i}, "it is a message of no watch"), true
		}
		report.Events += len(o.Response.Watch.Events)
		if bad, sure := v.message(i, o); bad != nil {
			return bad, sure
		}
		v.before = i
	}
	return nil, false
}

// log returns the changes of keys alone, and where each revision begins in it.
func (s *State) log(last int64) (log []change, from []int32) {
	from = make([]int32, last+3)
	log = make([]change, 0, len(s.changes))
	for _, c := range s.changes {
		if c.key != nil && c.revision <= last {
			log = append(log, c)
			from[c.revision+1]++
		}
	}
	for r := 1; r < len(from); r++ {
		from[r] += from[r-1]
	}
	return log, from
}

// wrong is a violation of a watch's guarantees by a message.
func (v *viewer) wrong(i int32, format string, arguments ...any) *verdict {
	core := []int32{i}
	if v.before != nobody {
		core = append(core, v.before)
	}
	return violated(i, core, "watch %d: %s", v.ask.Watch, fmt.Sprintf(format, arguments...))
}

// message checks one message.
func (v *viewer) message(i int32, o *Operation) (*verdict, bool) {
	m := o.Response.Watch
	switch {
	case v.ended:
		return v.wrong(i, "a message after its end"), true
	case !v.created && !m.Created && !m.Canceled:
		return v.wrong(i, "a message before it was created"), true
	case m.Created && v.created:
		return v.wrong(i, "it was created twice"), true
	}
	if m.Created {
		v.created = true
		if v.next == 0 {
			v.next = o.Response.Revision + 1
		}
	}
	if m.Canceled {
		v.ended = true
		return v.cancel(i, m), true
	}
	for k := range m.Events {
		if bad, sure := v.event(i, o, &m.Events[k]); bad != nil {
			return bad, sure
		}
	}
	switch {
	case m.Created || m.Fragment:
		return nil, false
	case len(m.Events) == 0:
		return v.progress(i, o)
	}
	return v.whole(i)
}

// cancel checks that a watch that was told of a compaction still needed what was compacted.
func (v *viewer) cancel(i int32, m *WatchReply) *verdict {
	if m.Compacted == 0 {
		return nil
	}
	for k := range v.judge.history {
		o := &v.judge.history[k]
		ask, ok := o.Request.Ask.(*Compact)
		if !ok || o.Error != "" || ask.Revision != m.Compacted {
			continue
		}
		if v.next > 0 && v.next > m.Compacted {
			return v.wrong(i, "it ended by the compaction at revision %d, but needed nothing before "+
				"revision %d", m.Compacted, v.next)
		}
		return nil
	}
	return v.wrong(i, "it ended by a compaction at revision %d, which nobody asked for", m.Compacted)
}

// event checks one event: it is the next change that the watch has to show.
func (v *viewer) event(i int32, o *Operation, e *Event) (*verdict, bool) {
	r := e.KV.Mod
	switch {
	case r < v.next:
		return v.wrong(i, "it shows revision %d of key %s when revision %d was due: again, or out of "+
			"order", r, quote(e.KV.Key), v.next), true
	case r > v.judge.last:
		return v.wrong(i, "it shows revision %d, which nobody can have made", r), true
	}
	if r > v.next {
		if bad, sure := v.passes(i, r-1); bad != nil {
			return bad, sure
		}
		v.next, v.shown = r, 0
	}
	due := v.due(r)
	if v.shown >= len(due) {
		return v.wrong(i, "it shows key %s at revision %d, which did not change it",
			quote(e.KV.Key), r), v.sure(r)
	}
	c := due[v.shown]
	v.shown++
	kv, before := c.versions()
	want := Event{Delete: kv.Version == 0, KV: *kv}
	if e.Delete != want.Delete || e.KV != want.KV {
		return v.wrong(i, "at revision %d it shows key %s as %s, but the change is of key %s to %s",
			r, quote(e.KV.Key), e.KV.brief(), quote(kv.Key), kv.brief()), v.sure(r)
	}
	if p := v.clock.stepOf(r); p >= 0 && v.clock.moment[p] > o.Return {
		return v.wrong(i, "it shows revision %d at %d, which cannot have been made before %d", r,
			o.Return, v.clock.moment[p]), v.sure(r)
	}
	return v.previous(i, e, before), v.sure(r)
}

// previous checks the previous value of an event; of a compacted one there may be none.
func (v *viewer) previous(i int32, e *Event, before *KeyValue) *verdict {
	switch {
	case e.Prev == nil && (!v.ask.PrevKV || before == nil):
		return nil
	case e.Prev == nil:
		if v.judge.everCompacted(before.Mod) {
			return nil
		}
		return v.wrong(i, "it does not show what key %s was before revision %d", quote(e.KV.Key),
			e.KV.Mod)
	case !v.ask.PrevKV:
		return v.wrong(i, "it shows previous values, which were not asked for")
	case before == nil || *before != *e.Prev:
		return v.wrong(i, "it shows that key %s was %s before revision %d, which is wrong",
			quote(e.KV.Key), e.Prev.brief(), e.KV.Mod)
	}
	return nil
}

// everCompacted tells whether a compaction may have taken a version that was replaced.
func (j *judge) everCompacted(mod int64) bool {
	for i := range j.history {
		o := &j.history[i]
		if ask, ok := o.Request.Ask.(*Compact); ok && o.Error == "" && ask.Revision > mod {
			return true
		}
	}
	return false
}

// whole checks that the last revision of a message is complete, and goes on to the next.
func (v *viewer) whole(i int32) (*verdict, bool) {
	if due := v.due(v.next); v.shown < len(due) {
		return v.wrong(i, "it shows revision %d in part: key %s is missing", v.next,
			quote(due[v.shown].key.key)), v.sure(v.next)
	}
	v.next, v.shown = v.next+1, 0
	return nil, false
}

// progress checks a message that says that everything up to a revision was shown.
func (v *viewer) progress(i int32, o *Operation) (*verdict, bool) {
	r := o.Response.Revision
	if r < v.next {
		return nil, false
	}
	if bad, sure := v.passes(i, r); bad != nil {
		return bad, sure
	}
	v.next, v.shown = r+1, 0
	return nil, false
}

// passes checks that nothing was due from the next revision up to another one.
func (v *viewer) passes(i int32, upTo int64) (*verdict, bool) {
	for r := max(2, v.next); r <= min(upTo, v.judge.last); r++ {
		r = v.skip(r)
		if r > upTo || r > v.judge.last {
			break
		}
		skipped := 0
		if r == v.next {
			skipped = v.shown
		}
		if due := v.due(r); len(due) > skipped {
			return v.wrong(i, "it does not show revision %d, which changed key %s", r,
				quote(due[skipped].key.key)), v.sure(r)
		}
	}
	return nil, false
}

// skip returns the first revision from r on that may have changed the only key of a watch; of a
// watch of many, r.
func (v *viewer) skip(r int64) int64 {
	if v.ask.End != "" {
		return r
	}
	h := v.judge.state.keys[v.ask.Key]
	if h == nil {
		return never
	}
	n := sort.Search(len(h.versions), func(k int) bool { return h.versions[k].Mod >= r })
	if n == len(h.versions) {
		return never
	}
	return h.versions[n].Mod
}

// due returns the changes of a revision that the watch has to show.
func (v *viewer) due(r int64) []change {
	var due []change
	if r > v.judge.last || r < 0 {
		return nil
	}
	for _, c := range v.judge.log[v.judge.logFrom[r]:v.judge.logFrom[r+1]] {
		if !within(c.key.key, v.ask.Key, v.ask.End) {
			continue
		}
		kv, _ := c.versions()
		if kv.Version > 0 && v.ask.NoPut || kv.Version == 0 && v.ask.NoDelete {
			continue
		}
		due = append(due, c)
	}
	return due
}

// versions returns the version that a change made, and what the key was before that revision, if
// it was there. A transaction can change a key twice; etcd shows the same previous value for both,
// but none if the second makes the key anew.
func (c *change) versions() (kv, before *KeyValue) {
	versions := c.key.versions
	if kv = &versions[c.version]; kv.Version == 1 {
		return kv, nil
	}
	n := c.version - 1
	for n >= 0 && versions[n].Mod == c.revision {
		n--
	}
	if n >= 0 && versions[n].Version > 0 {
		before = &versions[n]
	}
	return kv, before
}

// sure tells whether what a revision did depends on no choice.
func (v *viewer) sure(r int64) bool {
	return r <= v.judge.last && v.judge.owner[r] != nobody
}

// stepOf returns the step that made a revision; -1: none did.
func (c *clock) stepOf(r int64) int {
	p := sort.Search(len(c.steps), func(p int) bool { return c.steps[p].revision >= r })
	if p == len(c.steps) || c.steps[p].revision != r {
		return -1
	}
	return p
}
