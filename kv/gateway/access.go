package gateway

import (
	"crypto/x509"
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
		if g.mistaken(r) {
			http.Error(w, commonNameIgnored, http.StatusBadRequest)
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

// mistaken tells whether a client may think that it is known by its certificate: it is not, because
// JSON reaches the services over a connection of the gateway's own.
func (g *Gateway) mistaken(r *http.Request) bool {
	if r.TLS == nil || !g.options.Certificates || g.options.Services == nil ||
		!strings.HasPrefix(r.URL.Path, "/v3/") || !g.options.Node.Auth().Enabled() {
		return false
	}
	return slices.ContainsFunc(r.TLS.VerifiedChains, func(chain []*x509.Certificate) bool {
		return len(chain) > 0 && chain[0].Subject.CommonName != ""
	})
}

// commonNameIgnored is what etcd says to it.
const commonNameIgnored = "CommonName of client sending a request against gateway " +
	"will be ignored and not used as expected"

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
