package v2

import "encoding/binary"

// formatVersion is the first byte of a checkpoint:
//
//	┌────────────┬─────────┬─────────┬──────────────────┬───────────────────┐
//	│ version: 1 │ index   │ first   │ nodes            │ events            │
//	│ 1 byte     │ uvarint │ uvarint │ uvarint and each │ uvarint and each  │
//	└────────────┴─────────┴─────────┴──────────────────┴───────────────────┘
//
// First is the index from which on the window has all events. Nodes ascend by key, and have not the
// root; events ascend by index, and have the last ones.
//
//	node   = flags key created modified expires value   value only if it has one
//	event  = action flags record record                 the second only if there was something
//	record = node ttl
//
// Strings are preceded by their length; created and modified are uvarints, expires and ttl varints.
const formatVersion = 1

// The flags of nodes and events in a checkpoint.
const (
	nodeDir    = 1 << 0
	nodeValued = 1 << 1

	eventPrev    = 1 << 0
	eventRefresh = 1 << 1
)

// Checkpoint gives the whole tree and its window as bytes.
func (t *Tree) Checkpoint() []byte {
	out := make([]byte, 0, t.bytes+t.window.bytes+64)
	out = append(out, formatVersion)
	out = binary.AppendUvarint(out, uint64(t.index))
	out = binary.AppendUvarint(out, uint64(t.window.first))
	out = binary.AppendUvarint(out, uint64(t.nodes.Len()-1))
	t.nodes.Scan(func(n *Node) bool {
		if n.Key != "" {
			out = appendNode(out, n, !n.Dir)
		}
		return true
	})
	out = binary.AppendUvarint(out, uint64(len(t.window.events)))
	for _, e := range t.window.events {
		flags := byte(0)
		if e.Prev != nil {
			flags |= eventPrev
		}
		if e.Refresh {
			flags |= eventRefresh
		}
		out = append(out, byte(e.Action), flags)
		out = appendRecord(out, &e.Node)
		if e.Prev != nil {
			out = appendRecord(out, e.Prev)
		}
	}
	return out
}

func appendNode(out []byte, n *Node, valued bool) []byte {
	flags := byte(0)
	if n.Dir {
		flags |= nodeDir
	}
	if valued {
		flags |= nodeValued
	}
	out = append(out, flags)
	out = appendString(out, n.Key)
	out = binary.AppendUvarint(out, uint64(n.Created))
	out = binary.AppendUvarint(out, uint64(n.Modified))
	out = binary.AppendVarint(out, int64(n.Expires))
	if valued {
		out = appendString(out, n.Value)
	}
	return out
}

func appendRecord(out []byte, r *Record) []byte {
	return binary.AppendVarint(appendNode(out, &r.Node, r.Valued), r.TTL)
}

// Restore gives the tree of a checkpoint; no bytes are that of a new cluster.
func Restore(state []byte) (*Tree, error) {
	t := New()
	if len(state) == 0 {
		return t, nil
	}
	d := decoder{in: state}
	if version := d.byte(); version != formatVersion {
		return nil, damaged("version %d", version)
	}
	t.index, t.window.first = Index(d.uvarint()), Index(d.uvarint())
	before := &Node{}
	for range d.uvarint() {
		n, valued := d.node()
		if d.bad || !less(before, n) || n.Dir == valued || !valid(n.Key) {
			return nil, damaged("a node cannot be read, or is at the wrong place")
		}
		t.add(n)
		before = n
	}
	for range d.uvarint() {
		e := d.event()
		if d.bad {
			return nil, damaged("an event cannot be read")
		}
		t.window.events = append(t.window.events, e)
		t.window.bytes += e.bytes()
	}
	t.window.last = t.index
	if d.bad || len(d.in) > 0 {
		return nil, damaged("it ends at the wrong place")
	}
	if err := t.Check(); err != nil {
		return nil, damaged("%v", err)
	}
	return t, nil
}

func (d *decoder) node() (n *Node, valued bool) {
	flags := d.byte()
	n = &Node{Dir: flags&nodeDir != 0}
	n.Key = d.string()
	n.Created, n.Modified = Index(d.uvarint()), Index(d.uvarint())
	n.Expires = Time(d.varint())
	if valued = flags&nodeValued != 0; valued {
		n.Value = d.string()
	}
	d.bad = d.bad || flags > nodeDir|nodeValued
	return n, valued
}

func (d *decoder) record() *Record {
	n, valued := d.node()
	d.bad = d.bad || !valid(n.Key)
	return &Record{Node: *n, Valued: valued, TTL: d.varint()}
}

func (d *decoder) event() *Event {
	action, flags := Action(d.byte()), d.byte()
	e := &Event{Action: action, Node: *d.record(), Refresh: flags&eventRefresh != 0}
	if flags&eventPrev != 0 {
		e.Prev = d.record()
	}
	d.bad = d.bad || action < Set || action > Expire || flags > eventPrev|eventRefresh
	return e
}
