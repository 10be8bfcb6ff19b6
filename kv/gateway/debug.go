package gateway

import (
	"expvar"
	"net/http"
	"net/http/pprof"
)

// debug adds what helps to look into the process. Profiles cost time, so they need a flag.
func (g *Gateway) debug(mux *http.ServeMux) {
	mux.Handle("/debug/vars", expvar.Handler())
	if !g.options.Profiling {
		return
	}
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
}
