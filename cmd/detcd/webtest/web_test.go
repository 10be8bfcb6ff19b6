package webtest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/sync/errgroup"

	"detcd/cmd/detcd/testbed"
	"detcd/faults/nemesis"
)

// A stream has said all that it had to say after quietTime, and has nothing to say after silence.
// etcd looks after watchers of the past ten times a second; the rest is for busy machines.
const (
	quietTime = time.Second
	silence   = 6 * time.Second
)

// An answer is what a server says to a line of a script.
type answer struct {
	status int
	header http.Header
	bodies []any // JSON by its meaning, anything else as text
	text   string
}

// hidden are the fields that differ for a reason.
func hidden() []string {
	return []string{
		"dbSize", "dbSizeInUse", "raftIndex", "raftAppliedIndex", "memstats",
		"cmdline", "file_descriptor_limit", "raft.status",
	}
}

// ask sends a line. Headers are "Name: value".
func ask(t *testing.T, base, line string, headers ...string) answer {
	t.Helper()
	a, err := send(t.Context(), base, line, headers)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return a
}

// send is ask without a test.
func send(ctx context.Context, base, line string, headers []string) (answer, error) {
	method, rest, _ := strings.Cut(line, " ")
	path, body, _ := strings.Cut(rest, " ")
	limit := time.Minute
	if endless(path) {
		limit = silence
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	patience := time.AfterFunc(limit, cancel)
	sent := strings.NewReader(encoded(body))
	request, err := http.NewRequestWithContext(ctx, method, base+path, sent)
	if err != nil {
		return answer{}, err
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		if request.Header.Set(name, value); name == "Host" {
			request.Host = value
		}
	}
	response, err := http.DefaultClient.Do(request)
	if endless(path) && errors.Is(err, context.Canceled) {
		return answer{}, nil
	}
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	from := io.Reader(response.Body)
	if endless(path) {
		from = io.TeeReader(from, writer(func() { patience.Reset(quietTime) }))
	}
	all, err := io.ReadAll(from)
	if err != nil && !(endless(path) && errors.Is(err, context.Canceled)) {
		return answer{}, err
	}
	a := answer{status: response.StatusCode, header: response.Header, text: string(all)}
	a.bodies = meaning(all)
	return a, nil
}

// A writer is told that something was written.
type writer func()

func (w writer) Write(b []byte) (int, error) { w(); return len(b), nil }

func endless(path string) bool {
	return strings.HasSuffix(path, "/watch") || strings.HasSuffix(path, "/observe")
}

// encoded writes ~foo~ as JSON carries bytes.
func encoded(body string) string {
	return regexp.MustCompile("~[^~]*~").ReplaceAllStringFunc(body, func(word string) string {
		return base64.StdEncoding.EncodeToString([]byte(strings.Trim(word, "~")))
	})
}

// meaning is the JSON of a body, or its text. The writer of etcd's errors varies its spaces.
func meaning(body []byte) []any {
	body = bytes.ReplaceAll(body, []byte("\u00a0"), []byte(" "))
	var all []any
	for decoder := json.NewDecoder(bytes.NewReader(body)); ; {
		var value any
		err := decoder.Decode(&value)
		if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) && len(all) > 0 {
			return all
		}
		if _, object := value.(map[string]any); err != nil || !object {
			lines := strings.Split(string(body), "\n")
			if strings.HasPrefix(lines[0], "[") {
				slices.Sort(lines) // of checks
			}
			return []any{strings.Join(lines, "\n")}
		}
		all = append(all, tidied(value))
	}
}

// tidied takes out what differs for a reason.
func tidied(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for name := range value {
			if slices.Contains(hidden(), name) {
				delete(value, name)
				continue
			}
			value[name] = tidied(value[name])
		}
		if leases, ok := value["leases"].([]any); ok {
			slices.SortFunc(leases, func(a, b any) int {
				return strings.Compare(a.(map[string]any)["ID"].(string), b.(map[string]any)["ID"].(string))
			})
		}
	case []any:
		for i := range value {
			value[i] = tidied(value[i])
		}
	}
	return value
}

// same compares what both say to a line.
func same(t *testing.T, etcd, detcd, line string, headers ...string) {
	t.Helper()
	var said [2]answer
	var asking errgroup.Group
	for i, base := range []string{etcd, detcd} {
		asking.Go(func() (err error) {
			said[i], err = send(t.Context(), base, line, headers)
			return err
		})
	}
	if err := asking.Wait(); err != nil {
		t.Fatalf("%.200s: %v", line, err)
	}
	compare(t, line, headers, said[0], said[1])
}

// compare compares two answers to a line.
func compare(t *testing.T, line string, headers []string, want, got answer) {
	t.Helper()
	for _, name := range []string{
		"Content-Type", "Allow", "X-Content-Type-Options", "Access-Control-Allow-Origin",
		"Access-Control-Allow-Methods", "Access-Control-Allow-Headers", "Grpc-Metadata-Content-Type",
		"Location", "X-Etcd-Cluster-ID",
	} {
		if w, g := want.header.Get(name), got.header.Get(name); w != g {
			t.Errorf("%.200s %q: %s is %q, in etcd %q", line, headers, name, g, w)
		}
	}
	if want.status != got.status || !reflect.DeepEqual(want.bodies, got.bodies) {
		t.Errorf("%.200s %q:\netcd  %d %.1500s\ndetcd %d %.1500s", line, headers,
			want.status, want.text, got.status, got.text)
	}
}

// both starts a member of each kind and returns their base URLs.
func both(t *testing.T, args ...string) (etcd, detcd string) {
	t.Helper()
	args = append(append(testbed.Alike(), "--max-request-bytes=20000"), args...)
	var urls []string
	for _, binary := range []string{testbed.Tool(t, "etcd"), testbed.Detcd(t)} {
		cluster := testbed.Launch(t, testbed.Options{Binary: binary, Args: args})
		awaitVersion(t, cluster.Members()[0])
		urls = append(urls, cluster.Members()[0].ClientURL())
	}
	return urls[0], urls[1]
}

// awaitVersion waits until a server knows the version of its storage. etcd takes a moment for it,
// and says that of an older one until then.
func awaitVersion(t *testing.T, m *nemesis.Member) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		now, err := m.Status(t.Context())
		if err == nil && now.StorageVersion == "3.7.0" {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("the version of the storage is not 3.7.0")
}

// script reads the lines of a file.
func script(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(strings.Split(string(text), "\n"), func(line string) bool {
		return line == "" || strings.HasPrefix(line, "#")
	})
}

func TestBothAnswerTheScript(t *testing.T) {
	etcd, detcd := both(t)
	many := strings.Repeat(`{"request_range":{"key":"~k~"}},`, 128) + `{"request_range":{"key":"~k~"}}`
	for _, line := range append(script(t, "testdata/script.txt"),
		`POST /v3/kv/put {"key":"~foo~","value":"`+strings.Repeat("AAAA", 9000)+`"}`,
		`POST /v3/kv/txn {"success":[`+many+`]}`) {
		same(t, etcd, detcd, line)
	}
	for _, header := range []string{
		"Origin: http://x", "Host: anything:1", "Authorization: zzz", "Content-Type: text/plain",
		"Content-Type: application/x-www-form-urlencoded", "Accept: text/html",
	} {
		same(t, etcd, detcd, `POST /v3/kv/range {"key":"~foo~"}`, header)
		same(t, etcd, detcd, `OPTIONS /v3/kv/range`, header)
		same(t, etcd, detcd, `GET /version`, header)
	}
}

// A websocket carries a stream: a line is a message.
func TestBothCarryStreamsByWebsocket(t *testing.T) {
	etcd, detcd := both(t)
	var said [2][]any
	for i, base := range []string{etcd, detcd} {
		dialer := websocket.Dialer{Subprotocols: []string{"Bearer, token"}}
		url := "ws" + strings.TrimPrefix(base, "http") + "/v3/watch"
		conn, response, err := dialer.DialContext(t.Context(), url, nil)
		if err != nil {
			t.Fatalf("%s: %+v, %v", url, response, err)
		}
		defer conn.Close()
		listen := func() {
			_, message, err := conn.ReadMessage()
			if err != nil {
				t.Fatal(err)
			}
			said[i] = append(said[i], meaning(message)...)
		}
		send := func(message string) {
			if err := conn.WriteMessage(websocket.TextMessage, []byte(encoded(message))); err != nil {
				t.Fatal(err)
			}
		}
		send(`{"create_request":{"key":"~a~"}}`)
		listen()
		ask(t, base, `POST /v3/kv/put {"key":"~a~","value":"~1~"}`)
		listen()
		send(`{"cancel_request":{"watch_id":0}}`)
		listen()
	}
	if len(said[0]) != 3 || !reflect.DeepEqual(said[0], said[1]) {
		t.Errorf("etcd  %v\ndetcd %v", said[0], said[1])
	}
}

func TestBothObeyTheFlagsOfHTTP(t *testing.T) {
	etcd, detcd := both(t, "--cors=http://a:1,http://b:2", "--host-whitelist=good,10.0.0.1",
		"--enable-pprof", "--enable-grpc-gateway=false")
	for _, header := range []string{
		"Origin: http://a:1", "Origin: http://b:2", "Origin: http://c:3", "Origin: *",
		"Host: good", "Host: good:2379", "Host: 10.0.0.1", "Host: evil", "Host: evil:80", "Host: [::1]:1",
	} {
		for _, line := range []string{
			"GET /version", "OPTIONS /version", "GET /health", `POST /v3/kv/range {"key":"~a~"}`,
			"GET /v3/", "GET /debug/pprof/cmdline/no", "POST /v3beta/kv/range {}",
		} {
			headers := []string{header}
			if !strings.HasPrefix(header, "Host") {
				headers = append(headers, "Host: good")
			}
			same(t, etcd, detcd, line, headers...)
		}
	}
	if status := ask(t, detcd, "GET /debug/pprof/heap", "Host: good").status; status != 200 {
		t.Errorf("/debug/pprof/heap: %d", status)
	}
}
