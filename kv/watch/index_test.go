package watch

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The index finds exactly the watchers whose key or range has the key, after any additions and
// removals.
func TestIndexFindsWhatASearchOfAllFinds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var x index
		var all []*watcher
		key := rapid.SliceOfN(rapid.ByteRange('a', 'c'), 1, 3)
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				w := &watcher{key: key.Draw(t, "key")}
				switch rapid.IntRange(0, 3).Draw(t, "kind") {
				case 0:
					w.single = true
				case 1: // to the end
				default:
					behind := func(end []byte) bool { return string(end) > string(w.key) }
					w.end = key.Filter(behind).Draw(t, "end")
				}
				x.add(w)
				all = append(all, w)
			},
			"remove": func(t *rapid.T) {
				if len(all) == 0 {
					t.Skip()
				}
				i := rapid.IntRange(0, len(all)-1).Draw(t, "which")
				x.remove(all[i])
				all = slices.Delete(all, i, i+1)
			},
			"": func(t *rapid.T) {
				k := key.Draw(t, "sought")
				found := x.find(k)
				for _, w := range all {
					if slices.Contains(found, w) != naiveHas(w, k) {
						t.Fatalf("%q in %+v: found %v", k, w, slices.Contains(found, w))
					}
				}
				if n := len(found); n != countHas(all, k) {
					t.Fatalf("%q: %d found, %d have it", k, n, countHas(all, k))
				}
			},
		})
	})
}

func naiveHas(w *watcher, key []byte) bool {
	if w.single {
		return string(w.key) == string(key)
	}
	return string(w.key) <= string(key) && (len(w.end) == 0 || string(key) < string(w.end))
}

func countHas(all []*watcher, key []byte) (n int) {
	for _, w := range all {
		if naiveHas(w, key) {
			n++
		}
	}
	return n
}
