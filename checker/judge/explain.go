package judge

import (
	"fmt"
	"strconv"
	"unicode/utf8"

	"detcd/checker/etcd"
)

// quoteMax bounds how much of a key or value is shown.
const quoteMax = 40

// quote shows a key or a value.
func quote(b etcd.Bytes) string {
	s := string(b)
	for len(s) > quoteMax || len(s) > 0 && len(s) < len(b) && !utf8.ValidString(s) {
		s = s[:min(len(s)-1, quoteMax)]
	}
	if len(s) < len(b) {
		return strconv.Quote(s) + "…"
	}
	return strconv.Quote(s)
}

// brief shows a version of a key.
func brief(kv *etcd.KeyValue) string {
	lease := ""
	if kv.Lease != 0 {
		lease = fmt.Sprintf(", lease %x", kv.Lease)
	}
	return fmt.Sprintf("%s (version %d, created at %d, modified at %d%s)", quote(kv.Value),
		kv.Version, kv.Create, kv.Mod, lease)
}

// difference says in what an answer differs from what the specification gave; if it is one key,
// which revision changed it.
func difference(ask any, got, want *etcd.Response) (string, int64) {
	if t, ok := ask.(*etcd.Txn); ok && got.Succeeded == want.Succeeded {
		branch := t.Branch(got.Succeeded)
		for i := range min(len(got.Responses), len(want.Responses), len(branch)) {
			if !etcd.Same(&got.Responses[i], &want.Responses[i]) {
				reason, r := difference(branch[i].Ask, &got.Responses[i], &want.Responses[i])
				return fmt.Sprintf("in operation %d of the transaction, %s", i, reason), r
			}
		}
	}
	switch {
	case got.Succeeded != want.Succeeded:
		return fmt.Sprintf("at revision %d the compares of the transaction give %v, not %v",
			want.Revision, want.Succeeded, got.Succeeded), 0
	case len(got.Responses) != len(want.Responses):
		return fmt.Sprintf("it has %d responses, and %d operations ran", len(got.Responses),
			len(want.Responses)), 0
	case got.Revision != want.Revision:
		return fmt.Sprintf("it names revision %d, where it is %d", got.Revision, want.Revision), 0
	}
	r, ok := ask.(*etcd.Range)
	sorted := ok && (r.Order == 2 || r.Target != 0)
	for k := range max(len(got.KVs), len(want.KVs)) {
		switch {
		case sorted && k < min(len(got.KVs), len(want.KVs)) && got.KVs[k].Key != want.KVs[k].Key:
			return fmt.Sprintf("it shows key %s as %s where at revision %d there is key %s as %s",
				quote(got.KVs[k].Key), brief(&got.KVs[k]), want.Revision, quote(want.KVs[k].Key),
				brief(&want.KVs[k])), 0
		case k >= len(got.KVs) || k < len(want.KVs) && want.KVs[k].Key < got.KVs[k].Key:
			kv := &want.KVs[k]
			return fmt.Sprintf("it does not show key %s, which is there since revision %d",
				quote(kv.Key), kv.Mod), kv.Mod
		case k >= len(want.KVs) || got.KVs[k].Key < want.KVs[k].Key:
			kv := &got.KVs[k]
			return fmt.Sprintf("it shows key %s of revision %d, which is not there at revision %d",
				quote(kv.Key), kv.Mod, want.Revision), 0
		case got.KVs[k] != want.KVs[k]:
			a, b := &got.KVs[k], &want.KVs[k]
			return fmt.Sprintf("it shows key %s as %s, which is %s at revision %d",
				quote(a.Key), brief(a), brief(b), want.Revision), b.Mod
		}
	}
	return fmt.Sprintf("it counts %d (more: %v), and there are %d (more: %v)", got.Count, got.More,
		want.Count, want.More), 0
}
