package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/protobuf/proto"
)

// A wire is one HTTP/2 connection that carries the unary gRPC calls of several clients. One
// goroutine runs it: it reads an answer, makes that client's next request, and writes out what
// has gathered when nothing more is there to read. So a busy connection makes few system calls
// and no goroutine ever wakes another.
type wire struct {
	conn    net.Conn
	method  string
	in      *bufio.Reader
	out     bytes.Buffer // what was not written yet
	framer  *http2.Framer
	decoder *hpack.Decoder
	headers []byte // block of the requests; nil until the peer has learnt its fields

	window       int64 // bytes that the peer still takes on the connection
	streamWindow int64 // and on a new stream
	frameSize    int   // payload of the largest frame that it takes
	received     int   // bytes of answers that were not yet given back to the peer's window
	nextStream   uint32
	slots        map[uint32]*slot         // by the stream of the call that is under way
	blocked      []*slot                  // wait for a window, in order
	taker        func(piece []byte) error // of the answers of a stream; nil for single calls

	dozeLock sync.Mutex
	dozing   bool // waits for a time: its read may be ended

	status  string // of the header block that is being decoded
	message string
}

// Bounds of the connection. The windows that it opens to the peer are far above what answers need.
const (
	wireReadBuffer   = 64 << 10
	wireWindow       = 1 << 30
	wireWindowRefill = 1 << 26
	wireDialTimeout  = 5 * time.Second
	wireStreamMax    = 1<<31 - 1
)

// dialWire opens a connection that carries calls of one method.
func dialWire(ctx context.Context, endpoint, method string) (*wire, error) {
	dialer := net.Dialer{Timeout: wireDialTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", endpoint)
	if err != nil {
		return nil, fmt.Errorf("bench: connect to %s: %w", endpoint, err)
	}
	w := &wire{
		conn:         conn,
		method:       method,
		in:           bufio.NewReaderSize(conn, wireReadBuffer),
		window:       65535, // what HTTP/2 begins with
		streamWindow: 65535,
		frameSize:    16384,
		nextStream:   1,
		slots:        map[uint32]*slot{},
	}
	w.framer = http2.NewFramer(&w.out, w.in)
	w.framer.SetReuseFrames()
	w.decoder = hpack.NewDecoder(4096, w.field)
	w.out.WriteString(http2.ClientPreface)
	settings := http2.Setting{ID: http2.SettingInitialWindowSize, Val: wireWindow}
	// Writing to the buffer cannot fail; errors appear when it is flushed.
	_ = w.framer.WriteSettings(settings)
	_ = w.framer.WriteWindowUpdate(0, wireWindow)
	return w, nil
}

func (w *wire) close() error { return w.conn.Close() }

// headerBlock returns the encoded request headers. The first block teaches the peer the fields;
// every later one names them by their place in the peer's table, a byte or so each, and is the
// same every time because nothing is added to the table any more.
func (w *wire) headerBlock() []byte {
	if w.headers != nil {
		return w.headers
	}
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	encode := func() []byte {
		block.Reset()
		for _, field := range [][2]string{
			{":method", "POST"}, {":scheme", "http"}, {":path", w.method},
			{":authority", w.conn.RemoteAddr().String()},
			{"content-type", "application/grpc"}, {"te", "trailers"},
			{"user-agent", "detcdlab-bench"},
		} {
			// Writing to the buffer cannot fail.
			_ = encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
		}
		return bytes.Clone(block.Bytes())
	}
	first := encode()
	w.headers = encode()
	return first
}

// field takes one decoded header of an answer.
func (w *wire) field(f hpack.HeaderField) {
	switch f.Name {
	case "grpc-status":
		w.status = f.Value
	case "grpc-message":
		w.message = f.Value
	case ":status":
		if f.Value != "200" {
			w.status, w.message = "http "+f.Value, "the peer speaks no gRPC"
		}
	}
}

// flush writes what has gathered.
func (w *wire) flush() error {
	if w.out.Len() == 0 {
		return nil
	}
	_, err := w.conn.Write(w.out.Bytes())
	w.out.Reset()
	return err
}

var errClosedByPeer = errors.New("the server closed the connection")

// readFrame reads one frame and does what it asks. It returns the slot whose call it ended.
func (w *wire) readFrame() (*slot, error) {
	frame, err := w.framer.ReadFrame()
	if err != nil {
		return nil, err
	}
	switch f := frame.(type) {
	case *http2.DataFrame:
		return w.data(f)
	case *http2.HeadersFrame:
		return w.answerHeaders(f)
	case *http2.RSTStreamFrame:
		return w.ended(f.StreamID, "stream reset: "+f.ErrCode.String()), nil
	case *http2.WindowUpdateFrame:
		w.opened(f)
		return nil, nil
	case *http2.PingFrame:
		if f.IsAck() {
			return nil, nil
		}
		return nil, w.framer.WritePing(true, f.Data)
	case *http2.SettingsFrame:
		return nil, w.settings(f)
	case *http2.GoAwayFrame:
		return nil, fmt.Errorf("%w: %v %s", errClosedByPeer, f.ErrCode, f.DebugData())
	}
	return nil, nil
}

// data takes a piece of an answer.
func (w *wire) data(f *http2.DataFrame) (*slot, error) {
	w.received += int(f.Length)
	if w.received >= wireWindowRefill {
		if err := w.framer.WriteWindowUpdate(0, uint32(w.received)); err != nil {
			return nil, err
		}
		if w.taker != nil { // nothing else is on this connection
			if err := w.framer.WriteWindowUpdate(f.StreamID, uint32(w.received)); err != nil {
				return nil, err
			}
		}
		w.received = 0
	}
	if w.taker != nil {
		if err := w.taker(f.Data()); err != nil {
			return nil, err
		}
	}
	if s := w.slots[f.StreamID]; s != nil {
		s.answerBytes += len(f.Data())
	}
	if f.StreamEnded() {
		return w.ended(f.StreamID, "the answer ended without a status"), nil
	}
	return nil, nil
}

// answerHeaders takes the first or the last header block of an answer.
func (w *wire) answerHeaders(f *http2.HeadersFrame) (*slot, error) {
	if !f.HeadersEnded() {
		return nil, errors.New("headers of an answer that continue in another frame")
	}
	w.status, w.message = "", ""
	if _, err := w.decoder.Write(f.HeaderBlockFragment()); err != nil {
		return nil, fmt.Errorf("headers of an answer: %w", err)
	}
	if err := w.decoder.Close(); err != nil {
		return nil, fmt.Errorf("headers of an answer: %w", err)
	}
	switch {
	case !f.StreamEnded():
		return nil, nil
	case w.status == "0":
		return w.ended(f.StreamID, ""), nil
	case w.status == "":
		return w.ended(f.StreamID, "the answer ended without a status"), nil
	}
	return w.ended(f.StreamID, "status "+w.status+": "+w.message), nil
}

// ended takes the slot of a stream that is over.
func (w *wire) ended(stream uint32, problem string) *slot {
	s := w.slots[stream]
	if s == nil {
		return nil
	}
	delete(w.slots, stream)
	s.problem = problem
	if len(s.unsent) > 0 { // answered before the request was whole
		s.unsent = nil
		w.blocked = slices.DeleteFunc(w.blocked, func(b *slot) bool { return b == s })
	}
	return s
}

// settings takes what the peer allows.
func (w *wire) settings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		return nil
	}
	err := f.ForeachSetting(func(setting http2.Setting) error {
		switch setting.ID {
		case http2.SettingInitialWindowSize:
			change := int64(setting.Val) - w.streamWindow
			w.streamWindow += change
			for _, s := range w.slots {
				s.window += change
			}
		case http2.SettingMaxFrameSize:
			w.frameSize = int(setting.Val)
		}
		return nil
	})
	if err != nil {
		return err
	}
	w.unblock()
	return w.framer.WriteSettingsAck()
}

// opened takes a window update.
func (w *wire) opened(f *http2.WindowUpdateFrame) {
	if f.StreamID == 0 {
		w.window += int64(f.Increment)
	} else if s := w.slots[f.StreamID]; s != nil {
		s.window += int64(f.Increment)
	}
	w.unblock()
}

// appendMessage appends a message as gRPC frames it: not compressed, its length, its bytes.
func appendMessage(buffer []byte, message proto.Message) ([]byte, error) {
	begin := len(buffer)
	buffer = append(buffer, 0, 0, 0, 0, 0)
	buffer, err := proto.MarshalOptions{}.MarshalAppend(buffer, message)
	if err != nil {
		return nil, fmt.Errorf("encode a request: %w", err)
	}
	binary.BigEndian.PutUint32(buffer[begin+1:], uint32(len(buffer)-begin-5))
	return buffer, nil
}

// writeHeaders begins a stream.
func (w *wire) writeHeaders(s *slot) {
	// Writing to the buffer cannot fail.
	_ = w.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID:      s.stream,
		BlockFragment: w.headerBlock(),
		EndHeaders:    true,
	})
}

// unblock writes as much of the waiting requests as the windows allow, in order: a request that
// does not fit into the connection's window holds up those behind it, one that does not fit into
// its own does not.
func (w *wire) unblock() {
	rest := w.blocked[:0]
	for _, s := range w.blocked {
		for len(s.unsent) > 0 {
			size := min(int64(len(s.unsent)), int64(w.frameSize), s.window, w.window)
			if size <= 0 {
				break
			}
			last := int(size) == len(s.unsent) && !s.open
			// Writing to the buffer cannot fail.
			_ = w.framer.WriteData(s.stream, last, s.unsent[:size])
			s.unsent = s.unsent[size:]
			s.window -= size
			w.window -= size
		}
		if len(s.unsent) > 0 {
			rest = append(rest, s)
		}
	}
	clear(w.blocked[len(rest):])
	w.blocked = rest
}
