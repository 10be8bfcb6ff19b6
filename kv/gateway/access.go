package gateway

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
)

// guard stands before everything: it knows an old name of /v3, refuses requests that a foreign web
// page has made a browser send by an invented name (DNS rebinding), and says which pages may read
// the answers. The texts are etcd's.
func (g *Gateway) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rest, ok := strings.CutPrefix(r.URL.Path, "/v3beta/"); ok {
			r.URL.Path = "/v3/" + rest
		}
		if host := hostname(r.Host); r.TLS == nil && !open(g.options.Hosts, host) {
			http.Error(w, fmt.Sprintf(misdirected, host), http.StatusMisdirectedRequest)
			return
		}
		if origin := r.Header.Get("Origin"); open(g.options.Origins, "*") {
			allow(w, "*")
		} else if open(g.options.Origins, origin) {
			allow(w, origin)
		}
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusOK)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// misdirected is what etcd says.
const misdirected = `
etcd received your request, but the Host header was unrecognized.

To fix this, choose one of the following options:
- Enable TLS, then any HTTPS request will be allowed.
- Add the hostname you want to use to the whitelist in settings.
  - e.g. etcd --host-whitelist %q

This requirement has been added to help prevent "DNS Rebinding" attacks (CVE-2018-5702).
`

// open tells whether a list allows a name: an empty list, or one with "*", allows all.
func open(list []string, name string) bool {
	return len(list) == 0 || slices.Contains(list, "*") || slices.Contains(list, name)
}

// hostname is the Host of a request without its port.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host
}

// allow lets pages of an origin read the answer.
func allow(w http.ResponseWriter, origin string) {
	w.Header().Set("Access-Control-Allow-Methods", "POST, GET, OPTIONS, PUT, DELETE")
	w.Header().Set("Access-Control-Allow-Origin", origin)
	w.Header().Set("Access-Control-Allow-Headers", "accept, content-type, authorization")
}
