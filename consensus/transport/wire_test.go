package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestFramesReadBackAsWritten(t *testing.T) {
	payloads := [][]byte{nil, []byte("a"), bytes.Repeat([]byte("xyz"), readStep)}
	var stream []byte
	for _, p := range payloads {
		stream = appendFrame(stream, frameMessage, p)
		stream = appendFrame(stream, framePulse, nil)
	}
	r := frameReader{stream: bytes.NewReader(stream), sizeMax: 1 << 20}
	for _, want := range payloads {
		kind, got, err := r.next()
		if err != nil || kind != frameMessage || !bytes.Equal(got, want) {
			t.Fatalf("kind %d, %d bytes, %v; want %d bytes", kind, len(got), err, len(want))
		}
		if kind, _, err := r.next(); err != nil || kind != framePulse {
			t.Fatalf("kind %d, %v; want a pulse", kind, err)
		}
	}
	if _, _, err := r.next(); err != io.EOF {
		t.Fatalf("after the last frame: %v, want io.EOF", err)
	}
}

func TestEveryFlippedBitOfAFrameIsNoticed(t *testing.T) {
	good := appendFrame(nil, frameMessage, []byte("a message"))
	for bit := range 8 * len(good) {
		bad := bytes.Clone(good)
		bad[bit/8] ^= 1 << (bit % 8)
		r := frameReader{stream: bytes.NewReader(bad), sizeMax: 1 << 10}
		if _, payload, err := r.next(); err == nil {
			t.Errorf("bit %d: read %q without an error", bit, payload)
		}
	}
}

func TestALongFrameIsRefusedBeforeItIsRead(t *testing.T) {
	frame := appendFrame(nil, frameMessage, make([]byte, 100))
	stream := bytes.NewReader(frame)
	r := frameReader{stream: stream, sizeMax: 99}
	if _, _, err := r.next(); !errors.Is(err, errFrame) {
		t.Fatalf("%v, want errFrame", err)
	}
	if stream.Len() != 100 {
		t.Errorf("%d bytes of the payload were read", 100-stream.Len())
	}
}

func TestALengthGetsNoMemoryBeforeItsBytes(t *testing.T) {
	header := []byte{0, 0, 0, 0x3f, frameMessage, 0, 0, 0, 0}
	r := frameReader{stream: bytes.NewReader(header), sizeMax: 1 << 30}
	if _, _, err := r.next(); err != io.ErrUnexpectedEOF {
		t.Fatalf("%v, want io.ErrUnexpectedEOF", err)
	}
	if cap(r.buffer) > 2*readStep {
		t.Errorf("%d bytes were reserved for a frame that never came", cap(r.buffer))
	}
}

func TestHandshakesReadBackAsWritten(t *testing.T) {
	h := hello{Version, purposeBulk, 1 << 63, 2, 3, 4}
	if got, err := readHello(bytes.NewReader(h.encode())); err != nil || got != h {
		t.Errorf("%+v, %v; want %+v", got, err, h)
	}
	for _, reason := range []string{"", "because", strings.Repeat("z", reasonSizeMax)} {
		w := welcome{Version, RefusedRemoved, reason, 5, 6, 1 << 63}
		if got, err := readWelcome(bytes.NewReader(w.encode())); err != nil || got != w {
			t.Errorf("%+v, %v; want %+v", got, err, w)
		}
	}
}

func TestEveryFlippedBitOfAHandshakeIsNoticed(t *testing.T) {
	h := hello{Version, purposeConsensus, 1, 2, 3, 4}
	w := welcome{Version, RefusedBusy, "no", 5, 6, 7}
	for bit := range 8 * helloSize {
		bad := h.encode()
		bad[bit/8] ^= 1 << (bit % 8)
		if got, err := readHello(bytes.NewReader(bad)); err == nil {
			t.Errorf("hello, bit %d: read %+v without an error", bit, got)
		}
	}
	for bit := range 8 * len(w.encode()) {
		bad := w.encode()
		bad[bit/8] ^= 1 << (bit % 8)
		if got, err := readWelcome(bytes.NewReader(bad)); err == nil {
			t.Errorf("welcome, bit %d: read %+v without an error", bit, got)
		}
	}
}

func FuzzFrames(f *testing.F) {
	f.Add(appendFrame(appendFrame(nil, frameMessage, []byte("abc")), framePulse, nil))
	f.Add([]byte{255, 255, 255, 255, 1, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := frameReader{stream: bytes.NewReader(stream), sizeMax: 1 << 16}
		var again []byte
		for {
			kind, payload, err := r.next()
			if err != nil {
				break
			}
			again = appendFrame(again, kind, payload)
		}
		if !bytes.HasPrefix(stream, again) {
			t.Errorf("what was read is not what was there:\n%x\n%x", stream, again)
		}
	})
}

func FuzzHandshake(f *testing.F) {
	h, w := hello{Version, purposeBulk, 1, 2, 3, 4}, welcome{Version, RefusedBusy, "no", 5, 6, 7}
	f.Add(h.encode())
	f.Add(w.encode())
	f.Fuzz(func(t *testing.T, stream []byte) {
		if h, err := readHello(bytes.NewReader(stream)); err == nil {
			again := h.encode()
			again[11] = stream[11] // reserved
			if !bytes.Equal(again[:helloSize-4], stream[:helloSize-4]) {
				t.Errorf("hello %+v does not encode to %x", h, stream)
			}
		}
		if w, err := readWelcome(bytes.NewReader(stream)); err == nil {
			if !bytes.HasPrefix(stream, w.encode()) {
				t.Errorf("welcome %+v does not encode to %x", w, stream)
			}
		}
	})
}

// The bytes are those of docs/formats/peer.md.
func TestTheDocumentedBytesAreTheRealOnes(t *testing.T) {
	h := hello{Version, purposeConsensus, 0xc1, 1, 2, 100}
	for want, got := range map[string][]byte{
		"8964657463640d0a01000100c1000000000000000100000000000000020000000000000064000000000000" +
			"002e64ca76": h.encode(),
		"0300000001960306dc616263": appendFrame(nil, frameMessage, []byte("abc")),
		"0000000002c20649a4":       appendFrame(nil, framePulse, nil),
	} {
		if hexed := fmt.Sprintf("%x", got); hexed != want {
			t.Errorf("\n got %s\nwant %s", hexed, want)
		}
	}
}
