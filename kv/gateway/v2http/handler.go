package v2http

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"detcd/kv/auth"
	"detcd/kv/rpc"
)

// Node is what is asked of the member: a part of rpc.Node.
type Node interface {
	Submit(ctx context.Context, command []byte) (answer any, err error)
	Barrier(ctx context.Context) (view any, err error)
	View(ctx context.Context) (view any, err error)
	Changed() <-chan struct{}
	Status() rpc.Status
}

// Membership is what is asked of the member about the cluster: a part of rpc.Node.
type Membership interface {
	Members(ctx context.Context, linearizable bool) ([]*pb.Member, error)
	AddMember(ctx context.Context, peerURLs []string, learner bool) (
		added *pb.Member, all []*pb.Member, err error)
	RemoveMember(ctx context.Context, id uint64) ([]*pb.Member, error)
	UpdateMember(ctx context.Context, id uint64, peerURLs []string) ([]*pb.Member, error)
}

// Options are what a Handler is made of.
type Options struct {
	Node       Node
	Membership Membership
	Auth       func() *auth.View // who may do what: of v3
	Self       func() Self       // what /v2/stats/self tells
	Followers  func() []Follower // what /v2/stats/leader tells, on the leader

	Timeout         time.Duration // of what needs the other members
	RequestBytesMax int           // of a command in the log
	WaitersMax      int           // clients that wait at a time; 0: 10,000
	Slow            time.Duration // a request that takes longer is told of
	Log             *slog.Logger
}

const (
	waitersMax = 10_000
	bodyMore   = 64 << 10 // of a form, besides three times the greatest command
)

// Handler serves /v2.
type Handler struct {
	options Options
	waiters *waiters
	counts  counts
}

// New makes a Handler, which must be closed.
func New(options Options) *Handler {
	if options.WaitersMax == 0 {
		options.WaitersMax = waitersMax
	}
	return &Handler{options: options, waiters: newWaiters(options.Node, options.WaitersMax)}
}

// Close ends all waiting, and lets nobody wait any more.
func (h *Handler) Close() { h.waiters.close() }

// Register adds all pages.
func (h *Handler) Register(mux *http.ServeMux) {
	for path, serve := range map[string]http.HandlerFunc{
		"/v2/keys": h.keys, "/v2/keys/": h.keys,
		"/v2/machines": h.machines,
		"/v2/members":  h.members, "/v2/members/": h.members,
		"/v2/stats/leader": h.leaderStats, "/v2/stats/self": h.selfStats,
		"/v2/stats/store": h.storeStats,
		"/v2/auth/enable": h.authEnabled,
		"/v2/auth/users":  h.authUsers,
		"/v2/auth/users/": h.authUsers,
		"/v2/auth/roles":  h.authRoles,
		"/v2/auth/roles/": h.authRoles,
	} {
		mux.HandleFunc(path, h.watched(serve))
	}
}

// watched counts requests, and tells of those that took long, but not of those that wait.
func (h *Handler) watched(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		answer := &answer{ResponseWriter: w}
		serve(answer, r)
		took := time.Since(begun)
		h.counts.add(r.Method, answer.status)
		if took > h.options.Slow && !answer.waited {
			h.options.Log.Warn("slow request of v2", slog.String("method", r.Method),
				slog.String("path", r.URL.Path), slog.Int("status", answer.status),
				slog.Duration("took", took), slog.Duration("expected-duration", h.options.Slow))
		}
	}
}

// answer remembers what was answered.
type answer struct {
	http.ResponseWriter
	status int
	waited bool
}

// WriteHeader remembers the status.
func (a *answer) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

// Write is that of the connection.
func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController find the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// allow answers any other method with 405.
func allow(w http.ResponseWriter, r *http.Request, methods ...string) bool {
	if slices.Contains(methods, r.Method) {
		return true
	}
	w.Header().Set("Allow", strings.Join(methods, ","))
	http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
	return false
}

// sign says which cluster answers.
func (h *Handler) sign(w http.ResponseWriter) {
	id := strconv.FormatUint(h.options.Node.Status().ClusterID, 16)
	w.Header().Set("X-Etcd-Cluster-Id", id)
}

// fail answers with a message, as what is not about keys does.
func fail(w http.ResponseWriter, status int, message string) {
	text, err := json.Marshal(struct {
		Message string `json:"message"`
	}{message})
	if err != nil {
		panic(err) // a string can be written
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(text)
}

// closed refuses everybody while the users of v3 are enabled.
func (h *Handler) closed(w http.ResponseWriter) bool {
	if !h.options.Auth().Enabled() {
		return false
	}
	fail(w, http.StatusUnauthorized, "Insufficient credentials")
	return true
}

// Counts are what was asked since the member began.
type Counts struct {
	Received [len(methods)]uint64 // by method, see Methods
	Refused  [len(methods)]uint64 // of them, those that got a status of 400 or more
	Waiting  int64                // clients that wait now
}

var methods = [...]string{"GET", "PUT", "POST", "DELETE", "HEAD", "OTHER"}

// Methods are the names of what Counts tells apart.
func Methods() []string { return methods[:] }

type counts struct {
	received, refused [len(methods)]atomic.Uint64
	gets, misses      atomic.Uint64 // of keys
}

func (c *counts) add(method string, status int) {
	at := slices.Index(methods[:len(methods)-1], method)
	if at < 0 {
		at = len(methods) - 1
	}
	c.received[at].Add(1)
	if status >= http.StatusBadRequest {
		c.refused[at].Add(1)
	}
}

// Counts returns what was counted.
func (h *Handler) Counts() (all Counts) {
	for i := range methods {
		all.Received[i] = h.counts.received[i].Load()
		all.Refused[i] = h.counts.refused[i].Load()
	}
	all.Waiting = h.waiters.waiting()
	return all
}
