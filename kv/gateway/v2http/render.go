package v2http

import (
	"bufio"
	"encoding/json"
	"strconv"
	"time"

	"detcd/kv/v2"
)

// appendEvent writes an event and ends the line. A short one has no nodes.
func appendEvent(out []byte, e *v2.Event, short bool) []byte {
	out = append(append(out, `{"action":"`...), e.Action.String()...)
	out = append(out, '"')
	if !short {
		out = appendRecord(append(out, `,"node":`...), &e.Node)
		if e.Prev != nil {
			out = appendRecord(append(out, `,"prevNode":`...), e.Prev)
		}
	}
	return append(out, '}', '\n')
}

func appendRecord(out []byte, r *v2.Record) []byte {
	out = appendHead(out, &r.Node, r.Valued, r.TTL)
	return appendIndexes(out, &r.Node)
}

// appendHead opens a node and writes what comes before the nodes in it.
func appendHead(out []byte, n *v2.Node, valued bool, ttl int64) []byte {
	out = append(out, '{')
	if n.Key != "" {
		out = appendString(append(out, `"key":`...), n.Key)
	}
	if valued {
		out = appendString(append(out, `,"value":`...), n.Value)
	}
	if n.Dir {
		if n.Key != "" {
			out = append(out, ',')
		}
		out = append(out, `"dir":true`...)
	}
	if n.Expires != 0 {
		out = append(out, `,"expiration":"`...)
		out = time.Unix(0, int64(n.Expires)).UTC().AppendFormat(out, time.RFC3339Nano)
		out = append(out, '"')
	}
	if ttl != 0 {
		out = strconv.AppendInt(append(out, `,"ttl":`...), ttl, 10)
	}
	return out
}

// appendIndexes writes what comes behind, and closes the node.
func appendIndexes(out []byte, n *v2.Node) []byte {
	if n.Modified != 0 {
		out = strconv.AppendUint(append(out, `,"modifiedIndex":`...), uint64(n.Modified), 10)
	}
	if n.Created != 0 {
		out = strconv.AppendUint(append(out, `,"createdIndex":`...), uint64(n.Created), 10)
	}
	return append(out, '}')
}

// appendString writes a string as encoding/json does.
func appendString(out []byte, s string) []byte {
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ', c > '~', c == '"', c == '\\', c == '<', c == '>', c == '&':
			text, err := json.Marshal(s)
			if err != nil {
				panic(err) // a string can be written
			}
			return append(out, text...)
		}
	}
	return append(append(append(out, '"'), s...), '"')
}

// A listing writes what is in a directory, piece by piece: it may be larger than one would hold in
// memory.
type listing struct {
	out       *bufio.Writer
	view      *v2.View
	now       v2.Time
	recursive bool
	piece     []byte
}

// get writes the answer to a get.
func (l *listing) get(n *v2.Node) error {
	l.out.WriteString(`{"action":"get","node":`)
	l.node(n, true)
	l.out.WriteString("}\n")
	return l.out.Flush()
}

// node writes a node, and, if it is listed, what is in it.
func (l *listing) node(n *v2.Node, listed bool) {
	l.piece = appendHead(l.piece[:0], n, !n.Dir, v2.Remaining(n.Expires, l.now))
	l.out.Write(l.piece)
	if n.Dir && listed {
		count := 0
		l.view.Each(n.Key, func(inside *v2.Node) bool {
			if count++; count == 1 {
				l.out.WriteString(`,"nodes":[`)
			} else {
				l.out.WriteByte(',')
			}
			l.node(inside, l.recursive)
			// The writer remembers that the client has gone.
			_, err := l.out.Write(nil)
			return err == nil
		})
		if count > 0 {
			l.out.WriteByte(']')
		}
	}
	l.piece = appendIndexes(l.piece[:0], n)
	l.out.Write(l.piece)
}
