package v2

import "github.com/tidwall/btree"

// firstIndex is that of a new tree; see the package comment.
const firstIndex Index = 3

// Tree is the replicated state. All its methods are called from one goroutine; readers on others
// use its views.
type Tree struct {
	nodes  *btree.BTreeG[*Node] // by key
	timed  *btree.BTreeG[*Node] // those that end, by when
	index  Index
	bytes  int64
	window window
	stats  Stats
	view   *View
	due    Time // what Due proposed last and was not executed; 0: nothing
}

// New gives the tree of a new cluster.
func New() *Tree {
	t := &Tree{index: firstIndex, window: window{first: 1, last: firstIndex}}
	t.nodes = btree.NewBTreeGOptions(less, btree.Options{NoLocks: true})
	t.timed = btree.NewBTreeGOptions(sooner, btree.Options{NoLocks: true})
	t.add(&Node{Dir: true})
	return t
}

// Index is that of the last change.
func (t *Tree) Index() Index { return t.index }

// Unused tells whether the tree is as New made it.
func (t *Tree) Unused() bool { return t.index == firstIndex }

// Bytes is what all nodes take, of BytesMax.
func (t *Tree) Bytes() int64 { return t.bytes }

// View gives an immutable view, the same one as long as nothing changes.
func (t *Tree) View() *View {
	if t.view == nil {
		t.view = &View{nodes: t.nodes.Copy(), window: t.window, stats: t.stats, bytes: t.bytes}
	}
	return t.view
}

// Due gives the command that removes what has ended by now, once until it was executed; nil if
// there is nothing. Only a leader proposes it.
func (t *Tree) Due(now Time) *Command {
	first, found := t.timed.Min()
	if !found || first.Expires > now || t.due != 0 {
		return nil
	}
	t.due = now
	return &Command{Action: Expire, Expires: now, Now: now}
}

// Lead says that this member began or ceased to lead: what it proposed before may be lost.
func (t *Tree) Lead() { t.due = 0 }

// Apply executes a command. The answer is its event, nil for one of Due, or an error for the
// client.
func (t *Tree) Apply(c *Command) (*Event, *Error) {
	t.view = nil
	switch c.Action {
	case Set:
		return t.set(c)
	case Create:
		event, err := t.create(c)
		t.stats.count(Create, err == nil)
		return event, err
	case Update:
		return t.update(c)
	case CompareAndSwap:
		return t.compareAndSwap(c)
	case Delete:
		return t.delete(c)
	case CompareAndDelete:
		return t.compareAndDelete(c)
	case Expire:
		t.expire(c)
	}
	return nil, nil
}

// fail makes an error of the present index.
func (t *Tree) fail(code Code, cause string) *Error {
	return &Error{Code: code, Cause: cause, Index: t.index}
}

// find gives a node, or says where the way to it ends.
func (t *Tree) find(key string) (*Node, *Error) { return find(t.nodes, key, t.index) }

func find(nodes *btree.BTreeG[*Node], key string, index Index) (*Node, *Error) {
	if n, found := nodes.Get(&Node{Key: key}); found {
		return n, nil
	}
	for end := range len(key) + 1 {
		if end < len(key) && key[end] != '/' {
			continue
		}
		switch n, found := nodes.Get(&Node{Key: key[:end]}); {
		case !found:
			return nil, &Error{KeyNotFound, key[:end], index}
		case !n.Dir:
			return nil, &Error{NotDirectory, n.Key, index}
		}
	}
	panic("v2: a node was found on the second look")
}

// add adds a node whose directory is there, in place of one that may have been.
func (t *Tree) add(n *Node) {
	if was, replaced := t.nodes.Set(n); replaced {
		t.forget(was)
	}
	t.bytes += n.bytes()
	if n.Expires != 0 {
		t.timed.Set(n)
	}
}

// forget ends the books of a node that is not among the nodes any more.
func (t *Tree) forget(n *Node) {
	t.bytes -= n.bytes()
	if n.Expires != 0 {
		t.timed.Delete(n)
	}
}

// remove removes a node and all below it.
func (t *Tree) remove(n *Node) {
	gone := []*Node{n}
	if n.Dir {
		t.nodes.Ascend(&Node{Key: n.Key + "/"}, func(below *Node) bool {
			if !under(below.Key, n.Key) {
				return false
			}
			gone = append(gone, below)
			return true
		})
	}
	for _, one := range gone {
		t.nodes.Delete(one)
		t.forget(one)
	}
}

// empty tells whether there is nothing in a directory.
func (t *Tree) empty(dir *Node) bool {
	empty := true
	t.nodes.Ascend(&Node{Key: dir.Key + "/"}, func(n *Node) bool {
		empty = !under(n.Key, dir.Key)
		return false
	})
	return empty
}

// directories makes the list of those that are missing above a node, or says that one cannot be.
func (t *Tree) directories(key string) (missing []*Node, err *Error) {
	for dir := parent(key); ; dir = parent(dir) {
		n, found := t.nodes.Get(&Node{Key: dir})
		switch {
		case !found:
			missing = append(missing, &Node{Key: dir, Dir: true,
				Created: t.index + 1, Modified: t.index + 1})
		case n.Dir:
			return missing, nil
		default:
			return nil, t.fail(NotDirectory, n.Key)
		}
	}
}

// fits refuses what would exceed a bound, when so many bytes would be freed and these nodes added.
func (t *Tree) fits(freed int64, added ...*Node) *Error {
	more := -freed
	for _, n := range added {
		more += n.bytes()
		if cause := TooLarge(n.Key); cause != "" {
			return t.fail(InvalidField, cause)
		}
	}
	if more > 0 && t.bytes+more > BytesMax {
		return t.fail(RaftInternal, "etcdserver: no space for v2 keys (128 MiB)")
	}
	return nil
}

// happened ends a change: its event has the next index.
func (t *Tree) happened(e *Event) *Event {
	t.index++
	t.window.add(e)
	return e
}
