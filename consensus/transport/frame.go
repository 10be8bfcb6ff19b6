package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// The kinds of frame. Their numbers are on the wire and never change.
const (
	frameMessage byte = 1 // a payload of the caller
	framePulse   byte = 2 // no payload; the receiver sends it back
)

// frameHeaderSize is the length (4), the kind (1) and the checksum (4).
const frameHeaderSize = 9

// readStep bounds how much memory a frame gets before its bytes have arrived: a length is believed
// only step by step.
const readStep = 256 << 10

// errFrame says that the bytes of a connection are not frames; the connection must be closed.
var errFrame = errors.New("transport: malformed frame")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendFrame appends one frame to the buffer.
func appendFrame(buffer []byte, kind byte, payload []byte) []byte {
	var header [frameHeaderSize]byte
	binary.LittleEndian.PutUint32(header[:], uint32(len(payload)))
	header[4] = kind
	binary.LittleEndian.PutUint32(header[5:], frameChecksum(header[:5], payload))
	return append(append(buffer, header[:]...), payload...)
}

func frameChecksum(head, payload []byte) uint32 {
	return crc32.Update(crc32.Checksum(head, castagnoli), castagnoli, payload)
}

// A frameReader takes frames off a stream. The payload it returns is valid until the next call.
type frameReader struct {
	stream  io.Reader
	sizeMax int // of a payload; a longer one is refused before it is read
	buffer  []byte
}

// next returns the next frame. The error is io.EOF only between two frames.
func (r *frameReader) next() (kind byte, payload []byte, err error) {
	var header [frameHeaderSize]byte
	if _, err := io.ReadFull(r.stream, header[:]); err != nil {
		return 0, nil, err
	}
	kind = header[4]
	size := binary.LittleEndian.Uint32(header[:])
	switch {
	case kind != frameMessage && kind != framePulse:
		return 0, nil, fmt.Errorf("%w: kind %d", errFrame, kind)
	case kind == framePulse && size != 0:
		return 0, nil, fmt.Errorf("%w: a pulse of %d bytes", errFrame, size)
	case uint64(size) > uint64(r.sizeMax):
		return 0, nil, fmt.Errorf("%w: %d bytes, the bound is %d", errFrame, size, r.sizeMax)
	}
	if payload, err = r.read(int(size)); err != nil {
		return 0, nil, err
	}
	if frameChecksum(header[:5], payload) != binary.LittleEndian.Uint32(header[5:]) {
		return 0, nil, fmt.Errorf("%w: the checksum does not match", errFrame)
	}
	return kind, payload, nil
}

// read fills the reader's buffer with size bytes, growing it only as they arrive.
func (r *frameReader) read(size int) ([]byte, error) {
	if cap(r.buffer) > 4*readStep && size <= readStep {
		r.buffer = nil // one long message must not cost its memory for ever
	}
	for have := 0; have < size; {
		want := min(size, max(cap(r.buffer), have+readStep))
		if want > cap(r.buffer) {
			bigger := make([]byte, want, min(size, 2*want))
			copy(bigger, r.buffer[:have])
			r.buffer = bigger
		}
		if _, err := io.ReadFull(r.stream, r.buffer[have:want]); err != nil {
			return nil, noEOF(err)
		}
		have = want
	}
	return r.buffer[:size], nil
}

// noEOF turns the end of a stream in the middle of something into an error of its own.
func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
