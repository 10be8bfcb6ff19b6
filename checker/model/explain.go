package model

import (
	"fmt"
	"sort"
	"strconv"
	"unicode/utf8"
)

// quoteMax bounds how much of a key or value is shown.
const quoteMax = 40

// quote shows a key or a value.
func quote(b Bytes) string {
	s := string(b)
	for len(s) > quoteMax || len(s) > 0 && len(s) < len(b) && !utf8.ValidString(s) {
		s = s[:min(len(s)-1, quoteMax)]
	}
	if len(s) < len(b) {
		return strconv.Quote(s) + "…"
	}
	return strconv.Quote(s)
}

// contradicts is the conflict of an operation with the state.
func (j *judge) contradicts(i int32, format string, arguments ...any) *conflict {
	keys := j.spansOf(j.history[i].Request.Ask, nil)
	return &conflict{verdict: violated(i, []int32{i}, format, arguments...), keys: keys}
}

// differs is the conflict of an answer with the one that the specification gave.
func (j *judge) differs(i int32) *conflict {
	o := &j.history[i]
	found := j.contradicts(i, "its answer differs")
	reason, key, owner := j.difference(o.Request.Ask, o.Response, &j.scratch)
	found.reason = reason
	if key != nil {
		found.keys = []span{{key: *key}}
		found.sure = j.certain(*key, o.Response, &j.scratch)
	}
	if owner > 1 && owner <= j.last {
		if w := j.owner[owner]; w != nobody && w != i {
			found.core = append(found.core, w)
		}
	}
	return found
}

// certain tells whether an answer is wrong about a key whatever else happened: it shows a version
// that a known operation has replaced, or another value than a known operation wrote.
func (j *judge) certain(key Bytes, got, want *Response) bool {
	a, b := find(got, key), find(want, key)
	if a == nil || b == nil || b.Mod > j.last || j.owner[b.Mod] == nobody {
		return false
	}
	put, ok := j.history[j.owner[b.Mod]].Request.Ask.(*Put)
	if !ok || put.IgnoreValue {
		return false
	}
	return a.Mod < b.Mod || a.Mod == b.Mod && a.Value != b.Value && a.Value != ""
}

// find returns what an answer shows of a key.
func find(r *Response, key Bytes) *KeyValue {
	for k := range r.KVs {
		if r.KVs[k].Key == key {
			return &r.KVs[k]
		}
	}
	return nil
}

// difference says in what an answer differs from what the specification gave; if it is one key,
// which, and which revision changed it.
func (j *judge) difference(ask any, got, want *Response) (string, *Bytes, int64) {
	if t, ok := ask.(*Txn); ok && got.Succeeded == want.Succeeded {
		branch := t.branch(got.Succeeded)
		for i := range min(len(got.Responses), len(want.Responses), len(branch)) {
			if !same(&got.Responses[i], &want.Responses[i]) {
				reason, key, owner := j.difference(branch[i].Ask, &got.Responses[i],
					&want.Responses[i])
				return fmt.Sprintf("in operation %d of the transaction, %s", i, reason), key, owner
			}
		}
	}
	switch {
	case got.Succeeded != want.Succeeded:
		return fmt.Sprintf("at revision %d the compares of the transaction give %v, not %v",
			want.Revision, want.Succeeded, got.Succeeded), nil, 0
	case got.Revision != want.Revision:
		return fmt.Sprintf("it names revision %d, where it is %d", got.Revision, want.Revision), nil, 0
	}
	if r, ok := ask.(*Range); ok && (r.Order == 2 || r.Target != 0) {
		return misplaced(got, want), nil, 0
	}
	for k := range max(len(got.KVs), len(want.KVs)) {
		switch {
		case k >= len(got.KVs) || k < len(want.KVs) && want.KVs[k].Key < got.KVs[k].Key:
			kv := &want.KVs[k]
			return fmt.Sprintf("it does not show key %s, which is there since revision %d",
				quote(kv.Key), kv.Mod), &kv.Key, kv.Mod
		case k >= len(want.KVs) || got.KVs[k].Key < want.KVs[k].Key:
			kv := &got.KVs[k]
			owner := j.changed(kv.Key, want.Revision)
			return fmt.Sprintf("it shows key %s of revision %d, which is not there at revision %d",
				quote(kv.Key), kv.Mod, want.Revision), &kv.Key, owner
		case got.KVs[k] != want.KVs[k]:
			a, b := &got.KVs[k], &want.KVs[k]
			return fmt.Sprintf("it shows key %s as %s, which is %s at revision %d",
				quote(a.Key), a.brief(), b.brief(), want.Revision), &b.Key, b.Mod
		}
	}
	return misplaced(got, want), nil, 0
}

// misplaced says in what an answer differs whose keys are sorted by something else: which of them
// stand where depends on all of them.
func misplaced(got, want *Response) string {
	at := func(r *Response, k int) string {
		if k >= len(r.KVs) {
			return "nothing"
		}
		return "key " + quote(r.KVs[k].Key) + " as " + r.KVs[k].brief()
	}
	for k := range max(len(got.KVs), len(want.KVs)) {
		if k >= len(got.KVs) || k >= len(want.KVs) || got.KVs[k] != want.KVs[k] {
			return fmt.Sprintf("it shows %s where at revision %d there is %s", at(got, k),
				want.Revision, at(want, k))
		}
	}
	return fmt.Sprintf("it counts %d (more: %v), and there are %d (more: %v)", got.Count, got.More,
		want.Count, want.More)
}

// brief shows a version of a key.
func (kv *KeyValue) brief() string {
	lease := ""
	if kv.Lease != 0 {
		lease = fmt.Sprintf(", lease %x", kv.Lease)
	}
	return fmt.Sprintf("%s (version %d, created at %d, modified at %d%s)", quote(kv.Value),
		kv.Version, kv.Create, kv.Mod, lease)
}

// changed returns the last revision up to the given one that changed a key; 0: none.
func (j *judge) changed(key Bytes, revision int64) int64 {
	h := j.state.keys[key]
	if h == nil {
		return 0
	}
	n := sort.Search(len(h.versions), func(i int) bool { return h.versions[i].Mod > revision })
	if n == 0 {
		return 0
	}
	return h.versions[n-1].Mod
}

// late says that an operation comes after one that was called when it had returned.
func (c *clock) late(i, cause int32, loose bool) (*verdict, bool) {
	if cause == nobody {
		return violated(i, []int32{i}, "it shows the end of a lease that nobody revoked, "+
			"before its time to live was over"), false
	}
	a, b := &c.judge.history[i], &c.judge.history[cause]
	// Whether the end of a lease made the revision that it names is a choice.
	sure := !loose && !b.Unknown && b.Error == "" && !isRevoke(b)
	return violated(i, []int32{i, cause}, "it returned at %d with what was true at revision %d, but "+
		"client %d was called later, at %d, and saw or made what came before, at revision %d",
		a.Return, revisionOf(a), b.Client, b.Call, revisionOf(b)), sure
}

// revisionOf returns the revision that an operation names.
func revisionOf(o *Operation) int64 {
	if o.Succeeded() && o.Response != nil {
		return o.Response.Revision
	}
	return 0
}
