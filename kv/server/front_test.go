package server

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// web is a client of HTTP that keeps nothing open when the test ends.
func web(t *testing.T, config *tls.Config, h2 bool) *http.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: h2}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: time.Minute}
}

func fetch(
	t *testing.T, c *http.Client, method, url, body string,
) (status int, proto, text string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := c.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	all, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Proto, string(all)
}

func TestOnePortSpeaksBothProtocols(t *testing.T) {
	leavesNothing(t)
	s := start(t, testConfigs(t, 1)[0])
	ready(t, s)
	put(t, s, "key", "value")
	url, c := "http://"+s.ClientAddresses()[0], web(t, nil, false)
	if status, _, text := fetch(t, c, "GET", url+"/health", ""); status != 200 {
		t.Error(status, text)
	}
	status, _, text := fetch(t, c, "POST", url+"/v3/kv/range", `{"key":"a2V5"}`)
	if status != 200 || !strings.Contains(text, `"dmFsdWU="`) {
		t.Error(status, text)
	}
	expect(t, s, "key", "value")
}

// A body of JSON beyond every bound is refused as one that gRPC refuses.
func TestABodyThatIsTooLargeIsRefusedAsByGRPC(t *testing.T) {
	leavesNothing(t)
	config := testConfigs(t, 1)[0]
	config.MaxRequestBytes = 100
	s := start(t, config)
	ready(t, s)
	url := "http://" + s.ClientAddresses()[0] + "/v3/kv/put"
	for size, want := range map[int]string{
		50: "200 {\"header\"", 200: "400 etcdserver: request is too large",
		3 << 19: "429 grpc: received message larger than max",
		4 << 20: "429 grpc: received message larger than max",
	} {
		value := base64.StdEncoding.EncodeToString(make([]byte, size))
		status, _, text := fetch(t, web(t, nil, false), "POST", url, `{"key":"a2V5","value":"`+value+`"}`)
		number, words, _ := strings.Cut(want, " ")
		if number != fmt.Sprint(status) || !strings.Contains(text, words) {
			t.Errorf("%d bytes: %d %s, want %s", size, status, text, want)
		}
	}
}

// Of clients that speak TLS, who knows only HTTP/2 is known by its first request; who knows both is
// served by HTTP.
func TestOnePortSpeaksBothProtocolsOverTLS(t *testing.T) {
	leavesNothing(t)
	config := testConfigs(t, 1)[0]
	config.ListenClientURLs, config.ClientTLS = secureURL(t), selfSigned(t)
	config.AdvertiseClientURLs = config.ListenClientURLs
	s := start(t, config)
	ready(t, s)
	address := s.ClientAddresses()[0]
	for _, h2 := range []bool{false, true} {
		want := map[bool]string{false: "HTTP/1.1", true: "HTTP/2.0"}[h2]
		c := web(t, config.ClientTLS.Clone(), h2)
		status, proto, text := fetch(t, c, "GET", "https://"+address+"/health", "")
		if status != 200 || proto != want {
			t.Errorf("%d %s %s, want %s", status, proto, text, want)
		}
	}
	// A client of HTTP that knows nothing but HTTP/2 speaks first, and one of gRPC is spoken to.
	only := &http2.Transport{TLSClientConfig: config.ClientTLS.Clone()}
	defer only.CloseIdleConnections()
	for _, path := range []string{"GET /health", "POST /v3/kv/range", "GET /metrics"} {
		method, path, _ := strings.Cut(path, " ")
		status, proto, text := fetch(t, &http.Client{Transport: only}, method,
			"https://"+address+path, `{"key":"a2V5"}`)
		if status != 200 || proto != "HTTP/2.0" {
			t.Errorf("h2 only: %s: %d %s %s", path, status, proto, text)
		}
	}
	for _, protocols := range [][]string{{"h2"}, {"h2", "http/1.1"}} {
		conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(
			offering{credentials.NewTLS(config.ClientTLS), config.ClientTLS, protocols}))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := pb.NewKVClient(conn).Put(within(t), &pb.PutRequest{Key: []byte("k")}); err != nil {
			t.Errorf("%q: %v", protocols, err)
		}
	}
}

// offering is TLS for a client of gRPC that offers what it wants to.
type offering struct {
	credentials.TransportCredentials
	config    *tls.Config
	protocols []string
}

func (o offering) Clone() credentials.TransportCredentials { return o }

func (o offering) ClientHandshake(
	ctx context.Context, _ string, raw net.Conn,
) (net.Conn, credentials.AuthInfo, error) {
	config := o.config.Clone()
	config.NextProtos, config.ServerName = o.protocols, "127.0.0.1"
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, nil, err
	}
	return conn, credentials.TLSInfo{State: conn.ConnectionState()}, nil
}

func TestStrangersAtTheDoorAreNoHarm(t *testing.T) {
	leavesNothing(t)
	s := start(t, testConfigs(t, 1)[0])
	ready(t, s)
	for _, first := range []string{
		"", "P", "PRI", preface[:23], preface[:23] + "x", preface, preface + "x", "\x16\x03\x01", "\n",
	} {
		conn, err := net.Dial("tcp", s.ClientAddresses()[0])
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, first); err != nil {
			t.Fatal(err)
		}
	}
	put(t, s, "key", "value")
	begun := time.Now()
	stop(t, s)
	if took := time.Since(begun); took > 30*time.Second {
		t.Errorf("silent connections held the end up for %v", took)
	}
}

// A request may arrive in any pieces.
func TestARequestArrivesByteByByte(t *testing.T) {
	leavesNothing(t)
	s := start(t, testConfigs(t, 1)[0])
	ready(t, s)
	conn, err := net.Dial("tcp", s.ClientAddresses()[0])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, b := range []byte("PROPFIND /version HTTP/1.1\r\nHost: x\r\n\r\n") {
		if _, err := conn.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("%+v, %v", response, err)
	}
}

func TestStreamsOfHTTPEndWithTheMember(t *testing.T) {
	leavesNothing(t)
	s := start(t, testConfigs(t, 1)[0])
	ready(t, s)
	body := strings.NewReader(`{"create_request":{"key":"a2V5"}}`)
	url := fmt.Sprintf("http://%s/v3/watch", s.ClientAddresses()[0])
	request, err := http.NewRequestWithContext(t.Context(), "POST", url, body)
	if err != nil {
		t.Fatal(err)
	}
	response, err := web(t, nil, false).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	if !lines.Scan() || !strings.Contains(lines.Text(), `"created":true`) {
		t.Fatalf("%q", lines.Text())
	}
	put(t, s, "key", "value")
	if !lines.Scan() || !strings.Contains(lines.Text(), `"value":"dmFsdWU="`) {
		t.Fatalf("%q", lines.Text())
	}
	stop(t, s)
}

func TestHTTPMayHaveAnAddressOfItsOwn(t *testing.T) {
	leavesNothing(t)
	config := testConfigs(t, 1)[0]
	config.Web.ListenURLs, config.Web.ObserverURLs = freeURL(t), freeURL(t)
	s := start(t, config)
	ready(t, s)
	put(t, s, "key", "value")
	c := web(t, nil, false)
	for _, want := range []struct {
		url    string
		status int // 0: it is not spoken to
	}{
		{"http://" + s.ClientAddresses()[0] + "/health", 0},
		{config.Web.ListenURLs.String() + "/health", 200},
		{config.Web.ListenURLs.String() + "/version", 200},
		{config.Web.ObserverURLs.String() + "/health", 200},
		{config.Web.ObserverURLs.String() + "/metrics", 200},
		{config.Web.ObserverURLs.String() + "/readyz/non_learner", 200},
		{config.Web.ObserverURLs.String() + "/version", 404},
		{config.Web.ObserverURLs.String() + "/v3/kv/range", 404},
	} {
		response, err := c.Get(want.url)
		if want.status == 0 && err == nil || want.status != 0 && err != nil {
			t.Errorf("%s: %v, %v", want.url, response, err)
			continue
		}
		if err == nil {
			response.Body.Close()
			if response.StatusCode != want.status {
				t.Errorf("%s: %d, want %d", want.url, response.StatusCode, want.status)
			}
		}
	}
}
