package v2

import (
	"fmt"
	"strings"

	"github.com/tidwall/btree"
)

// View is a tree at one moment. It never changes, and any goroutine may read it.
type View struct {
	nodes  *btree.BTreeG[*Node]
	window window
	stats  Stats
	bytes  int64
}

// Index is that of the last change.
func (v *View) Index() Index { return v.window.last }

// Stats is what was done until then.
func (v *View) Stats() Stats { return v.stats }

// Bytes is what all nodes take, of BytesMax.
func (v *View) Bytes() int64 { return v.bytes }

// Find gives a node, or says where the way to it ends.
func (v *View) Find(key string) (*Node, *Error) { return find(v.nodes, key, v.window.last) }

// Each calls each for what is in a directory and not hidden, ascending by key, until it returns
// false. What is in directories below it is left out.
func (v *View) Each(dir string, each func(n *Node) bool) {
	from, goOn := dir+"/", true
	for from != "" {
		start := from
		from = ""
		v.nodes.Ascend(&Node{Key: start}, func(n *Node) bool {
			if !under(n.Key, dir) {
				return false
			}
			name := n.Key[len(dir)+1:]
			if end := strings.IndexByte(name, '/'); end >= 0 {
				// The least key behind all that is in a directory.
				from = n.Key[:len(dir)+1+end] + "\x00"
				return false
			}
			if name[0] != '_' {
				goOn = each(n)
			}
			return goOn
		})
	}
}

// Past gives the first event from an index on that a wait at a key, or below it, is told of. It is
// nil if none has happened, and an error if one may have been forgotten.
func (v *View) Past(key string, recursive bool, since Index) (*Event, *Error) {
	if since < v.window.first {
		return nil, &Error{
			EventCleared,
			fmt.Sprintf("the requested history has been cleared [%d/%d]", v.window.first, since),
			v.window.last,
		}
	}
	for _, e := range v.window.from(since) {
		if e.Concerned(key, recursive) {
			return e, nil
		}
	}
	return nil, nil
}

// Since gives the events behind an index, and whether it has all of them.
func (v *View) Since(index Index) (events []*Event, whole bool) {
	return v.window.from(index + 1), index+1 >= v.window.first
}
