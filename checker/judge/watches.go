package judge

import (
	"fmt"
	"sort"

	"detcd/checker/etcd"
)

// A view is what one watch was told: of every revision in [from, to] just which changes it made to
// the keys that are watched. What it checks are the guarantees of etcd's documentation: ordered,
// unique, reliable, atomic, resumable, bookmarkable; and filters, previous values, and when a watch
// ends. What needs no order is checked while messages are read; all else when revisions are made.
type view struct {
	ask      *etcd.Watch
	from, to int64
	partial  bool // of revision to more may follow, in fragments that never came
	events   []*etcd.Event
	messages []int32 // by event: the message that brought it
	hint     int     // where events of the revision begin that was looked up last
	complete bool    // it shows every change of every key
	progress []int32 // messages without events that moved to
}

// A follower reads the messages of one watch.
type follower struct {
	judge   *judge
	view    *view
	op      int32 // the request
	next    int64 // the first revision that was not shown wholly; 0: not yet known
	open    bool  // events of revision next were shown, and more may follow
	created bool
	ended   bool
	before  int32 // the message before
	events  int   // how many will come, as far as is known
}

// followWatches reads the messages of all watches.
func (j *judge) followWatches(report *Report) *verdict {
	followers := map[int64]*follower{}
	var order []*follower
	for i := range j.history {
		o := &j.history[i]
		if told, ok := o.Request.Ask.(*etcd.Watched); ok && o.Response != nil && o.Response.Watch != nil {
			if f := followers[told.Watch]; f != nil {
				f.events += len(o.Response.Watch.Events)
			}
			continue
		}
		ask, ok := o.Request.Ask.(*etcd.Watch)
		if !ok || !o.Succeeded() {
			continue
		}
		if other := followers[ask.Watch]; other != nil {
			return violated(int32(i), []int32{other.op, int32(i)}, "two watches have the number %d",
				ask.Watch)
		}
		if ask.Key == "" { // etcd watches from the first key on
			first := *ask
			first.Key = "\x00"
			ask = &first
		}
		f := &follower{judge: j, op: int32(i), next: max(0, ask.Start), before: nobody,
			view: &view{ask: ask}}
		followers[ask.Watch] = f
		order = append(order, f)
		report.Watches++
	}
	for _, f := range order {
		f.view.events = make([]*etcd.Event, 0, f.events)
		f.view.messages = make([]int32, 0, f.events)
	}
	for i := range j.history {
		o := &j.history[i]
		ask, ok := o.Request.Ask.(*etcd.Watched)
		if !ok || !o.Succeeded() {
			continue
		}
		f := followers[ask.Watch]
		if f == nil || o.Response == nil || o.Response.Watch == nil {
			return violated(int32(i), []int32{int32(i)}, "it is a message of no watch")
		}
		report.Events += len(o.Response.Watch.Events)
		if v := f.message(int32(i), o); v != nil {
			return v
		}
		f.before = int32(i)
	}
	for _, f := range order {
		f.finish()
	}
	j.findLit()
	return nil
}

// wrong is a violation of a watch's guarantees by a message.
func (f *follower) wrong(i int32, format string, arguments ...any) *verdict {
	core := []int32{i}
	if f.before != nobody {
		core = append(core, f.before)
	}
	return violated(i, core, "watch %d: %s", f.view.ask.Watch, fmt.Sprintf(format, arguments...))
}

// message reads one message.
func (f *follower) message(i int32, o *etcd.Operation) *verdict {
	m := o.Response.Watch
	switch {
	case o.Return < f.judge.history[f.op].Call:
		return f.wrong(i, "a message at %d, before it was asked for", o.Return)
	case f.ended:
		return f.wrong(i, "a message after its end")
	case !f.created && !m.Created && !m.Canceled:
		return f.wrong(i, "a message before it was created")
	case m.Created && f.created:
		return f.wrong(i, "it was created twice")
	}
	if m.Created {
		f.created = true
		if f.next == 0 {
			f.next = o.Response.Revision + 1
		}
		f.view.from = f.next
	}
	if m.Canceled {
		f.ended = true
		return f.canceled(i, o)
	}
	for k := range m.Events {
		if v := f.event(i, o, &m.Events[k]); v != nil {
			return v
		}
	}
	switch {
	case m.Fragment:
	case len(m.Events) > 0:
		f.next, f.open = f.next+1, false
	case !m.Created && o.Response.Revision >= f.next: // progress: all up to there was shown
		f.next, f.open = o.Response.Revision+1, false
		f.view.progress = append(f.view.progress, i)
	}
	return nil
}

// canceled checks that a watch that was told of a compaction still needed what was compacted, and
// demands that there was such a compaction.
func (f *follower) canceled(i int32, o *etcd.Operation) *verdict {
	m := o.Response.Watch
	if m.Compacted == 0 {
		return nil
	}
	if f.next > 0 && f.next >= m.Compacted {
		return f.wrong(i, "it ended by the compaction at revision %d, but needed nothing before "+
			"revision %d", m.Compacted, f.next)
	}
	f.judge.floats = append(f.judge.floats, float{op: i, call: o.Return, back: o.Return,
		kind: compactedAt, compacted: m.Compacted})
	return nil
}

// event takes one event: its revision is not older than that of the event before, nor one that was
// shown wholly.
func (f *follower) event(i int32, o *etcd.Operation, e *etcd.Event) *verdict {
	r := e.KV.Mod
	switch {
	case r < f.next || r < 1:
		return f.wrong(i, "it shows revision %d of key %s when revision %d was due: again, or out of "+
			"order", r, quote(e.KV.Key), f.next)
	case r > o.Response.Revision:
		return f.wrong(i, "it shows revision %d, and says that the last is %d", r, o.Response.Revision)
	case !etcd.Within(e.KV.Key, f.view.ask.Key, f.view.ask.End):
		return f.wrong(i, "it shows key %s, which is not watched", quote(e.KV.Key))
	case e.Delete && f.view.ask.NoDelete || !e.Delete && f.view.ask.NoPut:
		return f.wrong(i, "it shows a change of key %s that is filtered", quote(e.KV.Key))
	case e.Prev != nil && !f.view.ask.PrevKV:
		return f.wrong(i, "it shows previous values, which were not asked for")
	case e.Delete && e.KV != etcd.KeyValue{Key: e.KV.Key, Mod: r}:
		return f.wrong(i, "it shows a deletion of key %s as %s", quote(e.KV.Key), brief(&e.KV))
	case !e.Delete && e.KV.Version < 1:
		return f.wrong(i, "it shows a put of key %s as %s", quote(e.KV.Key), brief(&e.KV))
	}
	f.next, f.open = r, true
	f.view.events = append(f.view.events, e)
	f.view.messages = append(f.view.messages, i)
	return nil
}

// finish makes the view of what was read.
func (f *follower) finish() {
	v := f.view
	v.to, v.partial = f.next-1, f.open
	if f.open {
		v.to = f.next
	}
	if !f.created || v.to < v.from {
		return
	}
	v.complete = !v.ask.NoPut && !v.ask.NoDelete && v.ask.End == "\x00" && v.ask.Key == "\x00"
	j := f.judge
	n := int32(len(j.views))
	j.views = append(j.views, *v)
	if v.ask.End != "" {
		j.wide = append(j.wide, n)
		return
	}
	if j.narrow == nil {
		j.narrow, j.narrowAt = map[etcd.Bytes][]int32{}, map[int64][]int32{}
	}
	j.narrow[v.ask.Key] = append(j.narrow[v.ask.Key], n)
	for k, e := range v.events {
		if k == 0 || v.events[k-1].KV.Mod != e.KV.Mod {
			j.narrowAt[e.KV.Mod] = append(j.narrowAt[e.KV.Mod], n)
		}
	}
}

// at returns which of the events are those of a revision.
func (v *view) at(r int64) (begin, end int) {
	n := v.hint
	if n >= len(v.events) || v.events[n].KV.Mod < r || n > 0 && v.events[n-1].KV.Mod >= r {
		for range 2 { // mostly it is the next
			if n < len(v.events) && v.events[n].KV.Mod < r {
				n++
			}
		}
		if n < len(v.events) && v.events[n].KV.Mod < r || n > 0 && v.events[n-1].KV.Mod >= r {
			n = sort.Search(len(v.events), func(k int) bool { return v.events[k].KV.Mod >= r })
		}
		v.hint = n
	}
	end = n
	for end < len(v.events) && v.events[end].KV.Mod == r {
		end++
	}
	return n, end
}

// covers tells whether a view says of a revision which changes it made to a key.
func (v *view) covers(r int64, kv *etcd.KeyValue) bool {
	return v.from <= r && r <= v.to && etcd.Within(kv.Key, v.ask.Key, v.ask.End) &&
		(kv.Version > 0 && !v.ask.NoPut || kv.Version == 0 && !v.ask.NoDelete)
}

// findLit finds up to where the history says of every revision what it changed: somebody was
// answered that it made it, or a watch of everything showed it.
func (j *judge) findLit() {
	shown := make([]int32, j.last+2)
	for k := range j.views {
		if v := &j.views[k]; v.complete && v.from <= j.last {
			to := v.to
			if v.partial {
				to--
			}
			if to = min(to, j.last); to >= v.from {
				shown[max(0, v.from)]++
				shown[to+1]--
			}
		}
	}
	j.lit = j.last
	depth := int32(0)
	for r := range shown {
		depth += shown[r]
		if int64(r) >= 2 && int64(r) <= j.last && depth == 0 && j.owner[r] == nobody {
			j.lit = int64(r) - 1
			return
		}
	}
}

// shows compares the changes that a revision made with what watches were told of it.
func (j *judge) shows(r int64, changes []etcd.Change) *conflict {
	for _, n := range j.wide {
		if c := j.agrees(&j.views[n], r, changes); c != nil {
			return c
		}
	}
	if len(j.narrow) == 0 {
		return nil
	}
	for _, n := range j.narrowAt[r] {
		if c := j.agrees(&j.views[n], r, changes); c != nil {
			return c
		}
	}
	for k := range changes {
		if !changes[k].OfKey() {
			continue
		}
		kv, _ := changes[k].Versions()
		for _, n := range j.narrow[kv.Key] {
			if c := j.agrees(&j.views[n], r, changes); c != nil {
				return c
			}
		}
	}
	return nil
}

// agrees compares the changes that a revision made with what one watch was told of it.
func (j *judge) agrees(v *view, r int64, changes []etcd.Change) *conflict {
	if r < v.from || r > v.to {
		return nil
	}
	n, end := v.at(r)
	for k := range changes {
		if !changes[k].OfKey() {
			continue
		}
		kv, before := changes[k].Versions()
		if !v.covers(r, kv) {
			continue
		}
		if n == end {
			if v.partial && r == v.to {
				return nil
			}
			return j.missing(v, r, kv)
		}
		if c := j.compareEvent(v, n, kv, before); c != nil {
			return c
		}
		n++
	}
	if n < end {
		e := v.events[n]
		return &conflict{op: v.messages[n], revision: r, say: func() string {
			return fmt.Sprintf("watch %d: it shows key %s at revision %d, which did not change it",
				v.ask.Watch, quote(e.KV.Key), r)
		}}
	}
	return nil
}

// compareEvent compares an event with the change that was due. If it does not show what the key was
// before, there must have been a compaction.
func (j *judge) compareEvent(v *view, n int, kv, before *etcd.KeyValue) *conflict {
	e, r, op := v.events[n], kv.Mod, v.messages[n]
	switch {
	case e.Delete != (kv.Version == 0) || e.KV != *kv:
		return &conflict{op: op, revision: r, say: func() string {
			return fmt.Sprintf("watch %d: at revision %d it shows key %s as %s, but the change is of "+
				"key %s to %s", v.ask.Watch, r, quote(e.KV.Key), brief(&e.KV), quote(kv.Key), brief(kv))
		}}
	case e.Prev != nil && (before == nil || *before != *e.Prev):
		return &conflict{op: op, revision: r, say: func() string {
			return fmt.Sprintf("watch %d: it shows that key %s was %s before revision %d, which is "+
				"wrong", v.ask.Watch, quote(kv.Key), brief(e.Prev), r)
		}}
	case e.Prev == nil && before != nil && v.ask.PrevKV:
		j.debts = append(j.debts, debt{before.Mod, j.history[op].Return, op})
	}
	return nil
}

// missing is the conflict of a change that a watch should have shown.
func (j *judge) missing(v *view, r int64, kv *etcd.KeyValue) *conflict {
	op := nobody
	n := sort.Search(len(v.events), func(k int) bool { return v.events[k].KV.Mod > r })
	if n < len(v.events) {
		op = v.messages[n]
	}
	for _, i := range v.progress {
		if j.history[i].Response.Revision >= r && (op == nobody || i < op) {
			op = i
		}
	}
	if op == nobody && n > 0 {
		op = v.messages[n-1]
	}
	key := kv.Key
	return &conflict{op: op, revision: r, say: func() string {
		return fmt.Sprintf("watch %d: it does not show revision %d, which changed key %s",
			v.ask.Watch, r, quote(key))
	}}
}
