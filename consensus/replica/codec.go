package replica

import "encoding/binary"

// A writer appends numbers and strings of bytes; a reader takes them off again. Numbers are
// unsigned varints, strings are preceded by their length. A reader that runs short sets bad and
// returns zeros from then on, so a decoder checks once, at its end.

type writer struct{ bytes []byte }

func (w *writer) byte(b byte)      { w.bytes = append(w.bytes, b) }
func (w *writer) uvarint(n uint64) { w.bytes = binary.AppendUvarint(w.bytes, n) }
func (w *writer) fixed(n uint64)   { w.bytes = binary.LittleEndian.AppendUint64(w.bytes, n) }

func (w *writer) bool(b bool) {
	if b {
		w.byte(1)
	} else {
		w.byte(0)
	}
}

func (w *writer) string(s []byte) {
	w.uvarint(uint64(len(s)))
	w.bytes = append(w.bytes, s...)
}

func (w *writer) strings(list []string) {
	w.uvarint(uint64(len(list)))
	for _, s := range list {
		w.string([]byte(s))
	}
}

type reader struct {
	bytes []byte
	bad   bool
}

func (r *reader) take(n uint64) []byte {
	if r.bad || n > uint64(len(r.bytes)) {
		r.bad = true
		return nil
	}
	part := r.bytes[:n:n]
	r.bytes = r.bytes[n:]
	return part
}

func (r *reader) byte() byte {
	if part := r.take(1); part != nil {
		return part[0]
	}
	return 0
}

func (r *reader) bool() bool {
	b := r.byte()
	r.bad = r.bad || b > 1
	return b == 1
}

func (r *reader) uvarint() uint64 {
	n, size := binary.Uvarint(r.bytes)
	if r.bad || size <= 0 {
		r.bad = true
		return 0
	}
	r.bytes = r.bytes[size:]
	return n
}

func (r *reader) fixed() uint64 {
	if part := r.take(8); part != nil {
		return binary.LittleEndian.Uint64(part)
	}
	return 0
}

func (r *reader) string() []byte { return r.take(r.uvarint()) }

// count reads the length of a list whose items take at least one byte each.
func (r *reader) count() int {
	n := r.uvarint()
	if n > uint64(len(r.bytes)) {
		r.bad = true
		return 0
	}
	return int(n)
}

func (r *reader) strings() []string {
	n := r.count()
	if n == 0 {
		return nil
	}
	list := make([]string, 0, n)
	for range n {
		list = append(list, string(r.string()))
	}
	return list
}
