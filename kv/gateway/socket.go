package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

const (
	socketBuffer = 4 << 10 // for each direction of a websocket
	// lineKept bounds the buffer for answers that an idle websocket keeps.
	lineKept = 64 << 10
	// farewellTime is how long the last word to a client may take.
	farewellTime = time.Second
)

var errSocketClosed = errors.New("gateway: the websocket was closed")

// sockets lets a browser use streams, as etcd does: what comes by a websocket is the body of a
// request, one message a line, and each line of the answer is a message. A message is bounded
// before it is read, as the body of any other request, and passed on as it comes.
func (g *Gateway) sockets(next http.Handler) http.Handler {
	upgrader := websocket.Upgrader{
		ReadBufferSize: socketBuffer, WriteBufferSize: socketBuffer,
		CheckOrigin: func(*http.Request) bool { return true }, // guard has looked at it
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !websocket.IsWebSocketUpgrade(r) {
			next.ServeHTTP(w, r)
			return
		}
		answer := http.Header{}
		if strings.HasPrefix(r.Header.Get("Sec-WebSocket-Protocol"), "Bearer") {
			answer.Set("Sec-WebSocket-Protocol", "Bearer")
		}
		conn, err := upgrader.Upgrade(w, r, answer)
		if err != nil {
			g.options.Log.Debug("no websocket", slog.Any("error", err))
			return
		}
		conn.SetReadLimit(g.bodyBytesMax())
		serveSocket(conn, next, r)
	})
}

// serveSocket serves one request by a websocket, until either side ends it.
func serveSocket(conn *websocket.Conn, next http.Handler, r *http.Request) {
	ctx, cancel := context.WithCancel(r.Context())
	body, feed := io.Pipe()
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		hear(conn, feed)
		feed.Close()
		cancel()
	}()
	defer func() {
		cancel()
		body.CloseWithError(errSocketClosed)
		conn.Close()
		<-heard
	}()
	next.ServeHTTP(&socketWriter{conn: conn, header: http.Header{}}, socketRequest(ctx, r, body))
	message := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	_ = conn.WriteControl(websocket.CloseMessage, message, time.Now().Add(farewellTime))
}

// hear passes messages on as lines until there are no more, or one is too large.
func hear(conn *websocket.Conn, lines io.Writer) {
	for {
		_, message, err := conn.NextReader()
		if err == nil {
			_, err = io.Copy(lines, message)
		}
		if err == nil {
			_, err = io.WriteString(lines, "\n")
		}
		if err != nil {
			return
		}
	}
}

// socketRequest is the request that a websocket carries. A browser cannot set headers, so its token
// comes as a protocol or as a cookie.
func socketRequest(ctx context.Context, r *http.Request, body io.ReadCloser) *http.Request {
	request := r.Clone(ctx)
	request.Method, request.Body, request.ContentLength = http.MethodPost, body, -1
	request.Header = http.Header{}
	for _, name := range []string{"Origin", "Referer"} {
		if value := r.Header.Get(name); value != "" {
			request.Header.Set(name, value)
		}
	}
	_, token, found := strings.Cut(r.Header.Get("Sec-WebSocket-Protocol"), "Bearer,")
	if cookie, err := r.Cookie("token"); err == nil {
		token, found = cookie.Value, true
	}
	if found {
		request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(token))
	}
	return request
}

// A socketWriter is where the answer to a request goes: each line is a message.
type socketWriter struct {
	conn   *websocket.Conn
	header http.Header
	line   []byte // without its end
}

// Header is of an answer that has no headers.
func (w *socketWriter) Header() http.Header { return w.header }

// WriteHeader does nothing: the answer says itself what is wrong.
func (w *socketWriter) WriteHeader(int) {}

// Flush does nothing: a line leaves when it is complete.
func (w *socketWriter) Flush() {}

// Write sends the lines that are complete.
func (w *socketWriter) Write(p []byte) (int, error) {
	size := len(p)
	for len(p) > 0 {
		line, rest, complete := bytes.Cut(p, []byte("\n"))
		w.line = append(w.line, line...)
		if !complete {
			break
		}
		if len(w.line) > 0 {
			if err := w.conn.WriteMessage(websocket.TextMessage, w.line); err != nil {
				return 0, err
			}
		}
		if w.line = w.line[:0]; cap(w.line) > lineKept {
			w.line = nil
		}
		p = rest
	}
	return size, nil
}
