package v2

import (
	"path"
	"strings"
)

// Index counts the changes of a tree.
type Index uint64

// Time is in nanoseconds since 1970, on the clock of the member that a client asked. 0 is never.
type Time int64

const (
	second Time = 1_000_000_000
	// begins is the year 2000: whatever ends before is meant to stay, as in etcd.
	begins = 946_684_800 * second
)

// The bounds of keys and trees.
const (
	KeyBytesMax  = 32 << 10
	DepthMax     = 256       // names in a key
	BytesMax     = 128 << 20 // of a tree: keys, values, and nodeOverhead for each node
	nodeOverhead = 128
)

// Node is a file or a directory. It never changes.
type Node struct {
	Key               string
	Value             string
	Dir               bool
	Expires           Time
	Created, Modified Index
}

// bytes is what a node takes.
func (n *Node) bytes() int64 { return nodeOverhead + int64(len(n.Key)+len(n.Value)) }

// remaining is how many seconds a node has left, the last one counted as a whole; 0 if it stays.
func (n *Node) remaining(now Time) int64 { return Remaining(n.Expires, now) }

// Remaining is how many seconds are left until a time, the last one counted as a whole; 0 if that
// is never, or over by less than a second; negative later.
func Remaining(expires, now Time) int64 {
	if expires == 0 {
		return 0
	}
	left := expires - now
	seconds := left / second
	if left%second > 0 {
		seconds++
	}
	return int64(seconds)
}

// Clean is the key that a client's path means: "/a//b/../c/" is "/a/c", and "/" the root, "".
func Clean(key string) string { return strings.TrimSuffix(path.Join("/", key), "/") }

// valid tells why a key may be no key of a node: what Clean does not give, or exceeds a bound.
func valid(key string) bool {
	return key == Clean(key) && TooLarge(key) == ""
}

// TooLarge says why a clean key exceeds a bound; "" if it does not.
func TooLarge(key string) string {
	switch {
	case len(key) > KeyBytesMax:
		return "the key has more than 32768 bytes"
	case strings.Count(key, "/") > DepthMax:
		return "the key has more than 256 parts"
	}
	return ""
}

// parent is the key of the directory of a node that is not the root.
func parent(key string) string { return key[:strings.LastIndexByte(key, '/')] }

// under tells whether a node is below a directory, at any depth.
func under(key, dir string) bool {
	return len(key) > len(dir) && key[len(dir)] == '/' && key[:len(dir)] == dir
}

// hidden tells whether a node below a directory is hidden from who looks at that, or is below one
// that is.
func hidden(key, dir string) bool { return strings.Contains(key[len(dir):], "/_") }

// less orders nodes by key, and a slash before all other bytes: behind a directory follows all that
// is in it.
func less(a, b *Node) bool {
	x, y := a.Key, b.Key
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return y[i] != '/' && (x[i] == '/' || x[i] < y[i])
		}
	}
	return len(x) < len(y)
}

// sooner orders nodes by the time at which they end.
func sooner(a, b *Node) bool {
	if a.Expires != b.Expires {
		return a.Expires < b.Expires
	}
	return less(a, b)
}
