package v2

import "fmt"

// set makes a file or an empty directory, in place of a file that may be there.
func (t *Tree) set(c *Command) (event *Event, err *Error) {
	defer func() { t.stats.count(Set, err == nil) }()
	was, missing := t.find(c.Key)
	if missing != nil && (missing.Code != KeyNotFound || c.Refresh) {
		return nil, missing
	}
	value := c.Value
	if c.Refresh {
		value = was.Value
	}
	event, err = t.make(c, c.Key, value)
	if err != nil {
		return nil, err
	}
	if was != nil {
		prev := recordOf(was, c.Now)
		event.Prev = &prev
	}
	event.Refresh = c.Refresh
	return t.happened(event), nil
}

// create makes a file or a directory where nothing is.
func (t *Tree) create(c *Command) (*Event, *Error) {
	key := c.Key
	if c.InOrder {
		key = fmt.Sprintf("%s/%020d", key, t.index+1)
	}
	event, err := t.make(c, key, c.Value)
	if err != nil {
		return nil, err
	}
	return t.happened(event), nil
}

// make puts a node at a key, and makes the directories above it.
func (t *Tree) make(c *Command, key, value string) (*Event, *Error) {
	if key == "" {
		return nil, t.fail(RootReadOnly, "/")
	}
	missing, err := t.directories(key)
	if err != nil {
		t.stats.count(Set, false) // etcd counts it here, too
		return nil, err
	}
	freed := int64(0)
	if was, found := t.nodes.Get(&Node{Key: key}); found {
		switch {
		case c.Action == Create:
			return nil, t.fail(KeyExists, key)
		case was.Dir:
			return nil, t.fail(NotFile, key)
		}
		freed = was.bytes()
	}
	n := &Node{Key: key, Dir: c.Dir, Expires: c.Expires, Created: t.index + 1, Modified: t.index + 1}
	if !c.Dir {
		n.Value = value
	}
	if n.Expires < begins {
		n.Expires = 0
	}
	if err := t.fits(freed, append(missing, n)...); err != nil {
		return nil, err
	}
	for _, dir := range missing {
		t.add(dir)
	}
	t.add(n)
	return &Event{Action: c.Action, Node: recordOf(n, c.Now)}, nil
}

// update changes the value of a file, or the time to live of anything. As in etcd a directory that
// is updated keeps the index at which it was modified; only the event has another.
func (t *Tree) update(c *Command) (event *Event, err *Error) {
	counted := false // etcd counts some failures as successes
	defer func() { t.stats.count(Update, err == nil || counted) }()
	if c.Key == "" {
		counted = true
		return nil, t.fail(RootReadOnly, "/")
	}
	n, err := t.find(c.Key)
	if err != nil {
		return nil, err
	}
	if n.Dir && c.Value != "" {
		counted = true
		return nil, t.fail(NotFile, c.Key)
	}
	return t.rewrite(c, n)
}

// rewrite gives a node that is there the value and the end of a command.
func (t *Tree) rewrite(c *Command, n *Node) (*Event, *Error) {
	next := *n
	if next.Expires = c.Expires; !n.Dir {
		next.Modified = t.index + 1
		if !c.Refresh {
			next.Value = c.Value
		}
	}
	if err := t.fits(n.bytes(), &next); err != nil {
		return nil, err
	}
	t.add(&next)
	prev := recordOf(n, c.Now)
	event := &Event{Action: c.Action, Node: recordOf(&next, c.Now), Prev: &prev, Refresh: c.Refresh}
	event.Node.Modified = t.index + 1
	return t.happened(event), nil
}

// compared tells why a file is not what a command expects; "" if it is.
func compared(c *Command, n *Node) string {
	value := c.PrevValue == "" || c.PrevValue == n.Value
	index := c.PrevIndex == 0 || c.PrevIndex == n.Modified
	switch {
	case value && index:
		return ""
	case value:
		return fmt.Sprintf("[%d != %d]", c.PrevIndex, n.Modified)
	case index:
		return fmt.Sprintf("[%s != %s]", c.PrevValue, n.Value)
	}
	return fmt.Sprintf("[%s != %s] [%d != %d]", c.PrevValue, n.Value, c.PrevIndex, n.Modified)
}

func (t *Tree) compareAndSwap(c *Command) (event *Event, err *Error) {
	counted := false // as in update
	defer func() { t.stats.count(CompareAndSwap, err == nil || counted) }()
	if c.Key == "" {
		counted = true
		return nil, t.fail(RootReadOnly, "/")
	}
	n, err := t.find(c.Key)
	if err != nil {
		return nil, err
	}
	if n.Dir {
		return nil, t.fail(NotFile, c.Key)
	}
	if cause := compared(c, n); cause != "" {
		return nil, t.fail(CompareFailed, cause)
	}
	return t.rewrite(c, n)
}

// delete removes a file, an empty directory, or a directory with all that is in it.
func (t *Tree) delete(c *Command) (event *Event, err *Error) {
	counted := false // as in update
	defer func() { t.stats.count(Delete, err == nil || counted) }()
	if c.Key == "" {
		counted = true
		return nil, t.fail(RootReadOnly, "/")
	}
	n, err := t.find(c.Key)
	switch {
	case err != nil:
		return nil, err
	case n.Dir && !c.Dir && !c.Recursive:
		return nil, t.fail(NotFile, c.Key)
	case n.Dir && !c.Recursive && !t.empty(n):
		return nil, t.fail(DirectoryNotEmpty, c.Key)
	}
	return t.gone(c, n), nil
}

func (t *Tree) compareAndDelete(c *Command) (event *Event, err *Error) {
	counted := false // as in update
	defer func() { t.stats.count(CompareAndDelete, err == nil || counted) }()
	n, err := t.find(c.Key)
	if err != nil {
		return nil, err
	}
	counted = true
	if n.Dir {
		return nil, t.fail(NotFile, c.Key)
	}
	if cause := compared(c, n); cause != "" {
		return nil, t.fail(CompareFailed, cause)
	}
	return t.gone(c, n), nil
}

// gone removes a node and all below it, and tells of it.
func (t *Tree) gone(c *Command, n *Node) *Event {
	prev := recordOf(n, c.Now)
	event := &Event{Action: c.Action, Prev: &prev, Node: Record{
		Node: Node{Key: n.Key, Dir: n.Dir, Created: n.Created, Modified: t.index + 1},
	}}
	t.remove(n)
	return t.happened(event)
}

// expireMax is how many nodes end in one command. The leader proposes the next one then.
const expireMax = 500

// expire removes what ends until the time of a command. What is in a directory that ends goes with
// it, without an event of its own.
func (t *Tree) expire(c *Command) {
	t.due = 0
	for range expireMax {
		n, found := t.timed.Min()
		if !found || n.Expires > c.Expires {
			return
		}
		t.gone(c, n)
		t.stats.Expired++
	}
}
