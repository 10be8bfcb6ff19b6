package v2

import "encoding/binary"

// Command is one change as it is in the log.
type Command struct {
	Action    Action
	Key       string // clean
	Value     string
	Dir       bool // make a directory; with Delete: remove one that is empty
	Recursive bool // with Delete: remove a directory and all in it
	InOrder   bool // with Create: below Key, under the name of the index
	Refresh   bool // keep the value, tell nobody
	PrevValue string
	PrevIndex Index
	Expires   Time // of the node; with Expire: what ends until then goes
	Now       Time // on the clock of the member that was asked
}

// The flags of a command.
const (
	flagDir = 1 << iota
	flagRecursive
	flagInOrder
	flagRefresh
	flagsAll = 1<<iota - 1
)

// Append writes a command:
//
//	┌────────┬────────┬────────┬─────────┬────────────┬──────────────────┬──────────────┬───────┐
//	│ action │ flags  │ now    │ expires │ prev index │ key              │ prev value   │ value │
//	│ 1 byte │ 1 byte │ varint │ varint  │ uvarint    │ uvarint + bytes  │ the same     │       │
//	└────────┴────────┴────────┴─────────┴────────────┴──────────────────┴──────────────┴───────┘
func (c *Command) Append(out []byte) []byte {
	flags := byte(0)
	for i, set := range [...]bool{c.Dir, c.Recursive, c.InOrder, c.Refresh} {
		if set {
			flags |= 1 << i
		}
	}
	out = append(out, byte(c.Action), flags)
	out = binary.AppendVarint(out, int64(c.Now))
	out = binary.AppendVarint(out, int64(c.Expires))
	out = binary.AppendUvarint(out, uint64(c.PrevIndex))
	out = appendString(out, c.Key)
	out = appendString(out, c.PrevValue)
	return append(out, c.Value...)
}

func appendString(out []byte, s string) []byte {
	return append(binary.AppendUvarint(out, uint64(len(s))), s...)
}

// DecodeCommand is the reverse of Append. The command shares no memory with the bytes.
func DecodeCommand(in []byte) (c Command, err error) {
	d := decoder{in: in}
	c.Action = Action(d.byte())
	flags := d.byte()
	c.Now, c.Expires = Time(d.varint()), Time(d.varint())
	c.PrevIndex = Index(d.uvarint())
	c.Key, c.PrevValue = d.string(), d.string()
	c.Value = string(d.in)
	c.Dir, c.Recursive = flags&flagDir != 0, flags&flagRecursive != 0
	c.InOrder, c.Refresh = flags&flagInOrder != 0, flags&flagRefresh != 0
	if d.bad || c.Action < Set || c.Action > Expire || flags > flagsAll || !valid(c.Key) {
		return Command{}, ErrCommand
	}
	return c, nil
}

// decoder reads what was appended, until something is bad.
type decoder struct {
	in  []byte
	bad bool
}

// take cuts off so many bytes, where n is what a function of encoding/binary returned.
func (d *decoder) take(n int) []byte {
	if n <= 0 || n > len(d.in) {
		d.in, d.bad = nil, true
		return nil
	}
	cut := d.in[:n]
	d.in = d.in[n:]
	return cut
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) varint() int64 {
	value, n := binary.Varint(d.in)
	d.take(n)
	return value
}

func (d *decoder) uvarint() uint64 {
	value, n := binary.Uvarint(d.in)
	d.take(n)
	return value
}

func (d *decoder) string() string {
	size := d.uvarint()
	if size == 0 || size > uint64(len(d.in)) {
		d.bad = d.bad || size > 0
		return ""
	}
	return string(d.take(int(size)))
}
