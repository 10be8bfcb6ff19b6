package explore

// table is a set of hashes: those of the states that were seen. Two states with one hash would be
// taken for one; of ten million that happens in fewer than three of a million explorations.
type table struct {
	slots []sum // 0: free
	count int
}

func newTable() *table { return &table{slots: make([]sum, 1<<16)} }

// add says whether the hash is new.
func (t *table) add(hash sum) bool {
	if hash == 0 {
		hash = 1
	}
	if 2*t.count >= len(t.slots) {
		old := t.slots
		t.slots, t.count = make([]sum, 2*len(old)), 0
		for _, h := range old {
			if h != 0 {
				t.add(h)
			}
		}
	}
	mask := sum(len(t.slots) - 1)
	i := hash & mask
	for ; t.slots[i] != 0; i = (i + 1) & mask {
		if t.slots[i] == hash {
			return false
		}
	}
	t.slots[i] = hash
	t.count++
	return true
}
