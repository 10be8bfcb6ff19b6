package server

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// Who speaks HTTP/2 and nothing else may be a client of gRPC or of HTTP; the first request says so,
// and a client of gRPC does not send one before it has heard from the server. So it is sent
// settings, all of them the default, and heard out until it has confirmed them and has sent the
// head of a request. Whoever serves it then reads all of that again, and sends settings of its own:
// they may change at any time (RFC 9113, section 6.5).
//
//	client                         here                          who serves it
//	preface, SETTINGS ──────────►  kept ───────────────────────► read again
//	                  ◄──────────  SETTINGS
//	SETTINGS, confirmed ────────►  not kept: the other side would take it for its own
//	PING ───────────────────────►  answered, not kept
//	HEADERS ────────────────────►  kept, and looked at ────────► read again

// Bounds of what is read of a connection before it is known what it is. A client may send a window
// of data before it has heard anything.
const (
	prefaceBytesMax = 256 << 10
	headBytesMax    = 64 << 10
)

var errPreface = errors.New("this is no beginning of HTTP/2")

// A listening is a connection of HTTP/2 of which it is not known yet who is to serve it.
type listening struct {
	framer  *http2.Framer
	kept    bytes.Buffer // what was read of it and is to be read again
	heard   bool         // it has confirmed the settings
	decided bool         // a request has begun
	isGRPC  bool
}

// hear reads a connection of HTTP/2 until it knows who is to serve it. It returns what is to be
// read again. A client may take its time between its settings and its first request.
func hear(conn net.Conn) (first []byte, isGRPC bool, err error) {
	l := new(listening)
	if _, err := io.CopyN(&l.kept, conn, int64(len(preface))); err != nil {
		return nil, false, err
	}
	if l.kept.String() != preface {
		return nil, false, errPreface
	}
	l.framer = http2.NewFramer(conn, io.TeeReader(conn, &l.kept))
	l.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	l.framer.MaxHeaderListSize = headBytesMax
	if err := l.framer.WriteSettings(); err != nil {
		return nil, false, err
	}
	for !l.heard || !l.decided {
		if err := l.next(conn); err != nil {
			return nil, false, err
		}
	}
	return l.kept.Bytes(), l.isGRPC, nil
}

// next reads a frame.
func (l *listening) next(conn net.Conn) error {
	before := l.kept.Len()
	if before > prefaceBytesMax {
		return errPreface
	}
	frame, err := l.framer.ReadFrame()
	if err != nil {
		return err
	}
	switch f := frame.(type) {
	case *http2.SettingsFrame:
		if f.IsAck() && !l.heard {
			l.heard = true
			l.kept.Truncate(before)
			return conn.SetDeadline(time.Time{}) // it is a client, and may be silent
		}
	case *http2.PingFrame:
		if !f.IsAck() {
			l.kept.Truncate(before)
			return l.framer.WritePing(true, f.Data)
		}
	case *http2.MetaHeadersFrame:
		if !l.decided {
			l.decided = true
			l.isGRPC = isGRPC(f)
		}
	}
	return nil
}

// isGRPC tells whether a request is one of gRPC.
func isGRPC(head *http2.MetaHeadersFrame) bool {
	for _, field := range head.RegularFields() {
		if field.Name == "content-type" {
			return strings.HasPrefix(field.Value, "application/grpc")
		}
	}
	return false
}
