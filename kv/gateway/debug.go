package gateway

import (
	"expvar"
	"net/http"
	"net/http/pprof"

	"google.golang.org/grpc/status"

	"detcd/kv/rpc"
)

// What is asked of a member that costs it much is answered to few at a time: the others are told to
// come later (429).
const (
	debugMax  = 8 // looks into the process
	hashesMax = 4 // of all keys, asked over HTTP
)

// bounded serves no more at a time than a bound lets in.
func bounded(bound *rpc.Bound, serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := bound.Enter(); err != nil {
			http.Error(w, status.Convert(err).Message(), http.StatusTooManyRequests)
			return
		}
		defer bound.Leave()
		serve(w, r)
	}
}

// debug adds what helps to look into the process. Profiles cost time, so they need a flag.
func (g *Gateway) debug(mux *http.ServeMux) {
	bound := rpc.NewBound(debugMax, "requests of /debug")
	pages := map[string]http.HandlerFunc{"/debug/vars": expvar.Handler().ServeHTTP}
	if g.options.Profiling {
		pages["/debug/pprof/"] = pprof.Index
		pages["/debug/pprof/cmdline"] = pprof.Cmdline
		pages["/debug/pprof/profile"] = pprof.Profile
		pages["/debug/pprof/symbol"] = pprof.Symbol
		pages["/debug/pprof/trace"] = pprof.Trace
	}
	// order-free: a mux has no order
	for path, serve := range pages {
		mux.HandleFunc(path, bounded(bound, serve))
	}
}
