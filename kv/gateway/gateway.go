package gateway

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"detcd/kv/auth"
	"detcd/kv/rpc"
)

// Node is what the gateway asks of its member: a part of rpc.Node.
type Node interface {
	// Status describes the member.
	Status() rpc.Status
	// Troubles says in words why the member cannot do all of its work.
	Troubles() []string
	// View gives a view of what is applied here.
	View(ctx context.Context) (any, error)
	// Barrier gives a view that all members agree on.
	Barrier(ctx context.Context) (any, error)
	// Auth gives who may do what.
	Auth() *auth.View
}

// Options are what a Gateway is made of.
type Options struct {
	Node     Node
	Services *grpc.ClientConn     // the member's own gRPC services; nil: no JSON under /v3
	Recipes  []rpc.Recipe         // of them, those that are described at run time
	Extend   func(*http.ServeMux) // adds pages; nil: there are no more
	Metrics  func() []Metric      // what /metrics shows; nil: there is no such page
	Timeout  time.Duration        // of a check that needs the other members

	RequestBytesMax int      // of a request of gRPC; JSON may have twice that
	Origins         []string // who may read answers in a browser (CORS); none or "*": everyone
	Hosts           []string // which names the member is known by, without TLS; none or "*": any
	Profiling       bool     // serve /debug/pprof
	Certificates    bool     // the common name in a certificate is a user, but not here

	Log *slog.Logger
}

// Gateway is the HTTP half of a member.
type Gateway struct {
	options Options
	all     http.Handler
	watched http.Handler
	metrics http.Handler // nil: there is no such page

	well, ill atomic.Uint64 // verdicts of /health
}

// New makes a Gateway. It fails only when the services cannot be registered.
func New(options Options) (*Gateway, error) {
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	g := &Gateway{options: options}
	if options.Metrics != nil {
		g.metrics = Page(options.Metrics)
	}
	all := http.NewServeMux()
	g.observe(all)
	all.HandleFunc("/version", onlyGet(g.version))
	g.debug(all)
	if options.Services != nil {
		services, err := g.services()
		if err != nil {
			return nil, err
		}
		all.Handle("/v3/", services)
	}
	if options.Extend != nil {
		options.Extend(all)
	}
	watched := http.NewServeMux()
	g.observe(watched)
	g.all, g.watched = g.guard(all), watched
	return g, nil
}

// observe adds what tells how the member is.
func (g *Gateway) observe(mux *http.ServeMux) {
	if g.metrics != nil {
		mux.Handle("/metrics", g.metrics)
	}
	mux.HandleFunc("/health", onlyGet(g.health))
	g.probe(mux, "/livez", serializableRead)
	g.probe(mux, "/readyz", dataCorruption, serializableRead, linearizableRead, nonLearner,
		deviceSpace)
}

// ServeHTTP serves everything.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.all.ServeHTTP(w, r) }

// Observation serves what an operator may want to see at an address of its own: /metrics, /health,
// /livez and /readyz. As in etcd any Host and origin may.
func (g *Gateway) Observation() http.Handler { return g.watched }

// onlyGet answers any other method with 405.
func onlyGet(serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			w.Header().Set("Allow", http.MethodGet)
			http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
			return
		}
		serve(w, r)
	}
}
