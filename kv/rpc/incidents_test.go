package rpc

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/metadata"
)

// A lines buffer takes a log.
type lines struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.String()
}

// with counts the lines that have all of the words.
func (l *lines) with(words ...string) (n int) {
	for line := range strings.Lines(l.String()) {
		if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(line, word) }) {
			n++
		}
	}
	return n
}

// As etcd does, and with the address; what is secret is nowhere.
func TestFailedLoginsAndRefusalsAreLogged(t *testing.T) {
	log := new(lines)
	s := withUsers(t, Options{Incidents: NewIncidents(slog.New(slog.NewJSONHandler(log, nil)))})
	ctx, users := soon(t), pb.NewAuthClient(s.conn)
	login := func(name, password string) string {
		r, err := users.Authenticate(ctx, &pb.AuthenticateRequest{Name: name, Password: password})
		if err != nil {
			return ""
		}
		return r.Token
	}
	token := login("ann", "a")
	if token == "" || log.String() != "" {
		t.Fatalf("a login that is right: token %q, log %s", token, log.String())
	}
	login("ann", "s3cr3t")
	login("eve", "s3cr3t")
	kv := pb.NewKVClient(s.conn)
	ann := metadata.AppendToOutgoingContext(ctx, "token", token)
	forged := metadata.AppendToOutgoingContext(ctx, "token", "f0rged.1")
	_, denied := kv.Put(ann, &pb.PutRequest{Key: []byte("b"), Value: []byte("s3cr3t")})
	_, invalid := kv.Range(forged, &pb.RangeRequest{Key: []byte("a")})
	_, nobody := kv.Range(ctx, &pb.RangeRequest{Key: []byte("a")})
	if denied == nil || invalid == nil || nobody == nil {
		t.Fatal(denied, invalid, nobody)
	}
	watch, err := pb.NewWatchClient(s.conn).Watch(ann)
	if err != nil {
		t.Fatal(err)
	}
	if err := watch.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{
		CreateRequest: &pb.WatchCreateRequest{Key: []byte("w")}}}); err != nil {
		t.Fatal(err)
	}
	if r, err := watch.Recv(); err != nil || !r.Canceled {
		t.Fatal(r, err)
	}
	for _, want := range [][]string{
		{`"level":"WARN"`, "invalid authentication was requested", `"user":"ann"`, "127.0.0.1:"},
		{"invalid authentication was requested", `"user":"eve"`, "authentication failed"},
		{"permission denied", `"user":"ann"`, "/etcdserverpb.KV/Put", `"key":"b"`},
		{"invalid auth token", "127.0.0.1:", "/etcdserverpb.KV/Range"},
		{"refused a request of nobody", `"key":"a"`},
	} {
		if n := log.with(want...); n != 1 {
			t.Errorf("%d lines with %q in\n%s", n, want, log.String())
		}
	}
	for _, secret := range []string{"s3cr3t", token, "f0rged"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("%q is in the log", secret)
		}
	}
	if n := log.with("permission denied"); n != 1 {
		t.Errorf("%d lines: the watch is a repetition within %v", n, incidentEvery)
	}
}

func TestARefusedWatchIsLogged(t *testing.T) {
	log := new(lines)
	s := withUsers(t, Options{Incidents: NewIncidents(slog.New(slog.NewJSONHandler(log, nil)))})
	watch, err := pb.NewWatchClient(s.conn).Watch(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := watch.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{
		CreateRequest: &pb.WatchCreateRequest{Key: []byte("w")}}}); err != nil {
		t.Fatal(err)
	}
	if r, err := watch.Recv(); err != nil || !r.Canceled {
		t.Fatal(r, err)
	}
	if log.with("/etcdserverpb.Watch/Watch", `"key":"w"`) != 1 {
		t.Errorf("the log has only %s", log.String())
	}
}

// A thousand a second are one line in ten, with the number of the others; and a flood of invented
// names is one line for those that do not fit.
func TestIncidentsDoNotFloodTheLog(t *testing.T) {
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	i := NewIncidents(slog.New(slog.DiscardHandler))
	var told []string
	for ms := range 30_000 {
		more, tell := i.due(incident{"text", "ann"}, begin.Add(time.Duration(ms)*time.Millisecond))
		if tell {
			told = append(told, fmt.Sprint(ms, "+", more))
		}
	}
	if got := strings.Join(told, " "); got != "0+0 10000+9999 20000+9999" {
		t.Errorf("told %s", got)
	}
	lines, later := 0, begin.Add(time.Hour)
	for n := range 100 * incidentsMax {
		if _, tell := i.due(incident{"text", fmt.Sprint(n)}, later); tell {
			lines++
		}
	}
	if lines > incidentsMax+1 || len(i.known) > incidentsMax+1 {
		t.Errorf("%d lines about invented names, %d are known", lines, len(i.known))
	}
	if _, tell := i.due(incident{"text", "bob"}, later.Add(incidentEvery)); !tell {
		t.Error("nothing is told after the flood")
	}
}
