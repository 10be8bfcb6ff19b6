package v2_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"detcd/kv/v2"
)

// A naive tree does the same as a Tree by looking at everything each time. It has no bounds.
type naive struct {
	nodes  map[string]v2.Node
	events []v2.Event // all that ever were
}

func newNaive() *naive { return &naive{nodes: map[string]v2.Node{"": {Dir: true}}} }

func (n *naive) index() v2.Index { return v2.Index(3 + len(n.events)) }

// way looks for the first thing wrong on the way to a node, its own absence included.
func (n *naive) way(key string) *v2.Error {
	parts := strings.Split(key, "/")
	for i := range parts {
		at := strings.Join(parts[:i+1], "/")
		node, found := n.nodes[at]
		if !found {
			return &v2.Error{Code: v2.KeyNotFound, Cause: at, Index: n.index()}
		}
		if !node.Dir && i+1 < len(parts) {
			return &v2.Error{Code: v2.NotDirectory, Cause: at, Index: n.index()}
		}
	}
	return nil
}

func (n *naive) keysIn(dir string) (all []string) {
	for key := range n.nodes {
		if strings.HasPrefix(key, dir+"/") {
			all = append(all, key)
		}
	}
	return all
}

func tell(node v2.Node, now v2.Time) *v2.Record {
	return &v2.Record{Node: node, Valued: !node.Dir, TTL: v2.Remaining(node.Expires, now)}
}

func (n *naive) apply(c v2.Command) (*v2.Event, *v2.Error) {
	if c.Action == v2.Expire {
		n.expire(c)
		return nil, nil
	}
	fail := func(code v2.Code, cause string) (*v2.Event, *v2.Error) {
		return nil, &v2.Error{Code: code, Cause: cause, Index: n.index()}
	}
	if c.InOrder {
		c.Key += fmt.Sprintf("/%020d", n.index()+1)
	}
	if c.Key == "" && c.Action != v2.CompareAndDelete {
		return fail(v2.RootReadOnly, "/")
	}
	wrong := n.way(c.Key)
	was, found := n.nodes[c.Key]
	if wrong != nil {
		makes := c.Action == v2.Create || c.Action == v2.Set && !c.Refresh
		if !makes || wrong.Code != v2.KeyNotFound {
			return nil, wrong
		}
	}
	switch c.Action {
	case v2.Create:
		if found {
			return fail(v2.KeyExists, c.Key)
		}
		return n.put(c, nil), nil
	case v2.Set:
		if found && was.Dir {
			return fail(v2.NotFile, c.Key)
		}
		if c.Refresh {
			c.Value = was.Value
		}
		if found {
			return n.put(c, tell(was, c.Now)), nil
		}
		return n.put(c, nil), nil
	case v2.Delete:
		if was.Dir && !c.Recursive {
			if !c.Dir {
				return fail(v2.NotFile, c.Key)
			}
			if len(n.keysIn(c.Key)) > 0 {
				return fail(v2.DirectoryNotEmpty, c.Key)
			}
		}
		return n.drop(c, was), nil
	case v2.Update:
		if was.Dir && c.Value != "" {
			return fail(v2.NotFile, c.Key)
		}
		return n.change(c, was), nil
	}
	return n.compare(c, was)
}

func (n *naive) compare(c v2.Command, was v2.Node) (*v2.Event, *v2.Error) {
	fail := func(code v2.Code, cause string) (*v2.Event, *v2.Error) {
		return nil, &v2.Error{Code: code, Cause: cause, Index: n.index()}
	}
	if was.Dir {
		return fail(v2.NotFile, c.Key)
	}
	var causes []string
	if c.PrevValue != "" && c.PrevValue != was.Value {
		causes = append(causes, fmt.Sprintf("[%v != %v]", c.PrevValue, was.Value))
	}
	if c.PrevIndex != 0 && c.PrevIndex != was.Modified {
		causes = append(causes, fmt.Sprintf("[%v != %v]", c.PrevIndex, was.Modified))
	}
	if len(causes) > 0 {
		return fail(v2.CompareFailed, strings.Join(causes, " "))
	}
	if c.Action == v2.CompareAndDelete {
		return n.drop(c, was), nil
	}
	return n.change(c, was), nil
}

func (n *naive) put(c v2.Command, prev *v2.Record) *v2.Event {
	next := n.index() + 1
	for i, b := range c.Key {
		if _, found := n.nodes[c.Key[:i]]; b == '/' && !found {
			n.nodes[c.Key[:i]] = v2.Node{Key: c.Key[:i], Dir: true, Created: next, Modified: next}
		}
	}
	node := v2.Node{Key: c.Key, Dir: c.Dir, Expires: c.Expires, Created: next, Modified: next}
	if !c.Dir {
		node.Value = c.Value
	}
	if node.Expires < 946_684_800_000_000_000 {
		node.Expires = 0
	}
	n.nodes[c.Key] = node
	return n.happened(v2.Event{Action: c.Action, Node: *tell(node, c.Now), Prev: prev,
		Refresh: c.Action == v2.Set && c.Refresh})
}

func (n *naive) change(c v2.Command, was v2.Node) *v2.Event {
	node := was
	node.Expires = c.Expires
	if !c.Refresh {
		node.Value = c.Value
	}
	if !was.Dir {
		node.Modified = n.index() + 1
	}
	n.nodes[c.Key] = node
	told := tell(node, c.Now)
	told.Modified = n.index() + 1
	return n.happened(v2.Event{Action: c.Action, Node: *told, Prev: tell(was, c.Now),
		Refresh: c.Refresh})
}

func (n *naive) drop(c v2.Command, was v2.Node) *v2.Event {
	for _, key := range append(n.keysIn(was.Key), was.Key) {
		delete(n.nodes, key)
	}
	return n.happened(v2.Event{Action: c.Action, Prev: tell(was, c.Now), Node: v2.Record{Node: v2.Node{
		Key: was.Key, Dir: was.Dir, Created: was.Created, Modified: n.index() + 1}}})
}

func (n *naive) expire(c v2.Command) {
	for {
		var first *v2.Node
		for _, key := range slices.Sorted(maps.Keys(n.nodes)) {
			node := n.nodes[key]
			if node.Expires != 0 && node.Expires <= c.Expires &&
				(first == nil || node.Expires < first.Expires) {
				first = &node
			}
		}
		if first == nil {
			return
		}
		n.drop(v2.Command{Action: v2.Expire, Now: c.Now}, *first)
	}
}

func (n *naive) happened(e v2.Event) *v2.Event {
	n.events = append(n.events, e)
	return &e
}

// list is what a listing of a directory shows.
func (n *naive) list(dir string) (all []v2.Node) {
	for _, key := range slices.Sorted(maps.Keys(n.nodes)) {
		name, inside := strings.CutPrefix(key, dir+"/")
		if inside && !strings.Contains(name, "/") && !strings.HasPrefix(name, "_") {
			all = append(all, n.nodes[key])
		}
	}
	return all
}

// past is the first event of the last thousand that a wait is told of.
func (n *naive) past(key string, recursive bool, since v2.Index) (*v2.Event, *v2.Error) {
	first := v2.Index(1)
	if n.index() > 1000 {
		first = n.index() - 999
	}
	if since < first {
		return nil, &v2.Error{Code: v2.EventCleared, Index: n.index(),
			Cause: fmt.Sprintf("the requested history has been cleared [%d/%d]", first, since)}
	}
	for _, e := range n.events {
		at := e.Node.Key
		gone := (e.Action == v2.Delete || e.Action == v2.Expire) && e.Prev.Dir
		if e.Node.Modified >= since && !e.Refresh && (at == key ||
			recursive && strings.HasPrefix(at, key+"/") || gone && strings.HasPrefix(key, at)) {
			return &e, nil
		}
	}
	return nil, nil
}
