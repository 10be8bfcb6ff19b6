package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"detcd/kv/auth"
)

// A certificate's name would be no user here; who has one is told so, while there are users at all.
func TestAClientWithACommonNameIsTold(t *testing.T) {
	m := well()
	_ = m.users.AddUser(auth.Root, "", true)
	_ = m.users.GrantRole(auth.Root, auth.Root)
	for _, c := range []struct {
		target, name     string
		enabled, trusted bool
		refused          bool
	}{
		{"/v3/kv/range", "ann", true, true, true},
		{"/v3beta/kv/range", "ann", true, true, true},
		{"/v3/kv/range", "", true, true, false},
		{"/v3/kv/range", "ann", false, true, false},
		{"/v3/kv/range", "ann", true, false, false},
		{"/version", "ann", true, true, false},
	} {
		_ = m.users.Enable()
		if !c.enabled {
			m.users.Disable()
		}
		conn, err := grpc.NewClient("passthrough:///nowhere",
			grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		g := newGateway(t, m, func(o *Options) { o.Certificates, o.Services = c.trusted, conn })
		r := httptest.NewRequest("OPTIONS", c.target, nil)
		certificate := &x509.Certificate{Subject: pkix.Name{CommonName: c.name}}
		r.TLS = &tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{}, {certificate}}}
		w := httptest.NewRecorder()
		g.ServeHTTP(w, r)
		refused := w.Code == 400 && strings.Contains(w.Body.String(), commonNameIgnored)
		if refused != c.refused || !c.refused && w.Code != 200 {
			t.Errorf("%+v: %d %s", c, w.Code, w.Body)
		}
	}
}
