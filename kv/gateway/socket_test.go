package gateway

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// echoing serves a websocket whose answer repeats each line, and says who asked and how it ended.
func echoing(t *testing.T, requestBytesMax int) (url string, ended chan error) {
	t.Helper()
	ended = make(chan error, 1)
	g := newGateway(t, well(), func(o *Options) { o.RequestBytesMax = requestBytesMax })
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s %s\n", r.Method, r.URL.Path, r.Header.Get("Authorization"))
		lines := bufio.NewReader(r.Body)
		for {
			line, err := lines.ReadString('\n')
			if err != nil || line == "stop\n" {
				ended <- err
				return
			}
			io.WriteString(w, line[:len(line)/2])
			io.WriteString(w, line[len(line)/2:])
		}
	})
	server := httptest.NewServer(g.sockets(g.bounded(echo)))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://"), ended
}

func visit(t *testing.T, url string) *websocket.Conn {
	t.Helper()
	dialer := websocket.Dialer{Subprotocols: []string{"Bearer, a token"}}
	conn, _, err := dialer.DialContext(t.Context(), "ws://"+url+"/v3/watch", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func heard(t *testing.T, conn *websocket.Conn) string {
	t.Helper()
	_, message, err := conn.ReadMessage()
	if err != nil {
		t.Fatal(err)
	}
	return string(message)
}

func TestALineIsAMessage(t *testing.T) {
	url, ended := echoing(t, 1000)
	conn := visit(t, url)
	if got := heard(t, conn); got != "POST /v3/watch Bearer a token" {
		t.Errorf("the request was %q", got)
	}
	for _, line := range []string{"one", strings.Repeat("two", 100_000), "three"} {
		if err := conn.WriteMessage(websocket.TextMessage, []byte(line)); err != nil {
			t.Fatal(err)
		}
		if got := heard(t, conn); got != line {
			t.Errorf("%d bytes came back of %d", len(got), len(line))
		}
	}
	if err := conn.WriteMessage(websocket.TextMessage, []byte("stop")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := conn.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
		t.Errorf("the end: %v", err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestAClientThatLeavesEndsItsRequest(t *testing.T) {
	url, ended := echoing(t, 1000)
	conn := visit(t, url)
	heard(t, conn)
	conn.Close()
	if err := <-ended; err != io.EOF {
		t.Error(err)
	}
}

// A message whose length says that it is too large ends the websocket before a byte of it comes;
// so do parts that are too large together.
func TestAMessageIsBoundedBeforeItIsRead(t *testing.T) {
	for name, parts := range map[string][]uint64{
		"200 MB at once": {200 << 20}, "one byte too many": {slackBytes + 2001},
		"in parts": {1 << 20, 3000},
	} {
		url, ended := echoing(t, 1000)
		conn := visit(t, url)
		heard(t, conn)
		raw := conn.NetConn()
		for i, size := range parts {
			announce(t, raw, i > 0, size)
			if last := i == len(parts)-1; !last {
				if _, err := raw.Write(make([]byte, size)); err != nil {
					t.Fatal(err)
				}
			}
		}
		_, _, err := conn.ReadMessage()
		if !websocket.IsCloseError(err, websocket.CloseMessageTooBig) {
			t.Errorf("%s: %v", name, err)
		}
		if err := <-ended; err != io.EOF && err != io.ErrUnexpectedEOF {
			t.Errorf("%s: the request ended with %v", name, err)
		}
	}
}

// announce begins a frame of a message that goes on.
func announce(t *testing.T, raw net.Conn, more bool, size uint64) {
	t.Helper()
	kind := byte(1)
	if more {
		kind = 0
	}
	frame := binary.BigEndian.AppendUint64([]byte{kind, 0x80 | 127}, size)
	if _, err := raw.Write(append(frame, 0, 0, 0, 0)); err != nil {
		t.Fatal(err)
	}
}
