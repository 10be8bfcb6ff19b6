package v2

import "fmt"

// Check tests the invariants that the package comment numbers, and says which one is broken. It
// reads the whole tree.
func (t *Tree) Check() error {
	bytes, ending := int64(0), 0
	var err error
	fail := func(invariant int, format string, details ...any) {
		if err == nil {
			err = fmt.Errorf("v2: invariant %d: %s", invariant, fmt.Sprintf(format, details...))
		}
	}
	if root, found := t.nodes.Get(&Node{}); !found || !root.Dir {
		fail(1, "there is no root")
	}
	t.nodes.Scan(func(n *Node) bool {
		bytes += n.bytes()
		if n.Key != "" {
			dir, found := t.nodes.Get(&Node{Key: parent(n.Key)})
			if !found || !dir.Dir {
				fail(1, "%q is in no directory", n.Key)
			}
		}
		if n.Created > n.Modified || n.Modified > t.index {
			fail(2, "%q was created at %d and modified at %d; the index is %d",
				n.Key, n.Created, n.Modified, t.index)
		}
		if n.Expires != 0 {
			ending++
			if timed, found := t.timed.Get(n); !found || timed != n {
				fail(3, "%q ends, and is not among the timed", n.Key)
			}
		}
		return err == nil
	})
	if ending != t.timed.Len() {
		fail(3, "%d nodes end, and %d are timed", ending, t.timed.Len())
	}
	t.window.check(t.index, fail)
	if bytes != t.bytes || bytes > BytesMax {
		fail(5, "the nodes take %d bytes of %d, and %d are counted", bytes, BytesMax, t.bytes)
	}
	return err
}

func (w *window) check(index Index, fail func(invariant int, format string, details ...any)) {
	if index < firstIndex || w.last != index || w.first == 0 || w.first > w.last+1 {
		fail(4, "the window is from %d to %d; the index is %d", w.first, w.last, index)
		return
	}
	next := max(w.first, firstIndex+1)
	bytes := int64(0)
	for _, e := range w.events {
		if e.Index() != next {
			fail(4, "an event has index %d in place of %d", e.Index(), next)
			return
		}
		bytes += e.bytes()
		next++
	}
	if next != index+1 || len(w.events) > EventsMax || bytes != w.bytes || bytes > EventBytesMax {
		fail(4, "%d events of %d bytes, counted %d, up to %d; the index is %d",
			len(w.events), bytes, w.bytes, next-1, index)
	}
}
