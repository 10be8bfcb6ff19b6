package v2http

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"detcd/kv"
	"detcd/kv/auth"
	"detcd/kv/rpc"
	"detcd/kv/v2"
	"detcd/storage/vfs"
)

// A world is a cluster of one member, for whom everything that is submitted is committed at once,
// and its clients.
type world struct {
	t       *testing.T
	handler *Handler
	server  *httptest.Server

	mutex   sync.Mutex
	store   *kv.Store
	changed chan struct{}
	stopped bool
	quiet   bool  // nobody is told that something changed
	failure error // of changes of the membership
	self    Self
	closed  *auth.View // nil: nobody has enabled users
}

func newWorld(t *testing.T, waitersMax int) *world {
	w := &world{t: t, store: kv.New(kv.Options{}), changed: make(chan struct{})}
	if err := w.store.Restore(vfs.NewMemory(), "archive", nil, nil); err != nil {
		t.Fatal(err)
	}
	w.handler = New(Options{
		Node: w, Membership: w, Auth: w.Auth, Self: func() Self { return w.self },
		Followers: func() []Follower {
			return []Follower{{ID: 0xb, Success: 2, Fail: 1, Current: time.Millisecond,
				Average: 1500 * time.Microsecond, Most: 2 * time.Millisecond}}
		},
		Timeout: time.Minute, RequestBytesMax: 1 << 20, WaitersMax: waitersMax, Slow: time.Minute,
		Log: slog.New(slog.DiscardHandler),
	})
	mux := http.NewServeMux()
	w.handler.Register(mux)
	w.server = httptest.NewServer(mux)
	t.Cleanup(func() {
		w.handler.Close()
		w.server.Close()
	})
	return w
}

func (w *world) Auth() *auth.View {
	if w.closed != nil {
		return w.closed
	}
	return w.store.Auth()
}

// change does something to the store and tells those who wait for changes.
func (w *world) change(do func()) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if do(); w.quiet {
		return
	}
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *world) Submit(_ context.Context, command []byte) (answer any, err error) {
	w.change(func() { answer = w.store.Apply(1, command, true) })
	return answer, nil
}

func (w *world) Barrier(ctx context.Context) (any, error) { return w.View(ctx) }

func (w *world) View(context.Context) (any, error) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.stopped {
		return nil, rpctypes.ErrGRPCStopped
	}
	return w.store.View(), nil
}

func (w *world) Changed() <-chan struct{} {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return w.changed
}

func (w *world) Status() rpc.Status {
	return rpc.Status{ClusterID: 0xc1, MemberID: 0xa, Leader: 0xa, RaftIndex: 7, RaftTerm: 2}
}

func (w *world) Members(context.Context, bool) ([]*pb.Member, error) {
	return []*pb.Member{{ID: 0xa, Name: "m", PeerURLs: []string{"http://p"},
		ClientURLs: []string{"http://c"}}, {ID: 0xb, PeerURLs: []string{"http://q"}}}, nil
}

func (w *world) AddMember(_ context.Context, urls []string, _ bool) (
	*pb.Member, []*pb.Member, error,
) {
	return &pb.Member{ID: 0xd, PeerURLs: urls}, nil, w.failure
}

func (w *world) RemoveMember(context.Context, uint64) ([]*pb.Member, error) {
	return nil, w.failure
}

func (w *world) UpdateMember(context.Context, uint64, []string) ([]*pb.Member, error) {
	return nil, w.failure
}

// send sends a request, with a form or a body of JSON, and gives the answer once its headers came.
func (w *world) send(method, path, body string) *http.Response {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), method, w.server.URL+path,
		strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if strings.HasPrefix(body, "{") {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := w.server.Client().Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	return response
}

// ask sends a request and reads the whole answer.
func (w *world) ask(method, path, body string) (status int, text string) {
	w.t.Helper()
	response := w.send(method, path, body)
	return response.StatusCode, read(w.t, response)
}

func read(t *testing.T, response *http.Response) string {
	t.Helper()
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// set sets a key and gives its index.
func (w *world) set(key, value string) v2.Index {
	w.t.Helper()
	status, text := w.ask("PUT", "/v2/keys"+key, "value="+url.QueryEscape(value))
	if status >= 300 {
		w.t.Fatal(text)
	}
	view, refusal := w.handler.view(w.t.Context(), false)
	if refusal != nil {
		w.t.Fatal(refusal)
	}
	return view.Index()
}
