package gateway

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

func (m *member) Members(context.Context, bool) ([]*pb.Member, error) {
	return []*pb.Member{{ID: 7, PeerURLs: []string{"http://p"}, IsLearner: true}}, nil
}

func (m *member) PromoteMember(_ context.Context, id uint64) ([]*pb.Member, error) {
	if id != 7 {
		return nil, rpctypes.ErrGRPCMemberNotFound
	}
	return m.Members(context.Background(), false)
}

func TestALearnerIsPromotedOverHTTP(t *testing.T) {
	handler := Peer(well(), time.Second)
	for path, want := range map[string]string{
		"/members/promote/7": `200 [{"id":7,"peerURLs":["http://p"],"isLearner":true}]`,
		"/members/promote/8": "404 membership: ID not found",
		"/members/promote/x": "404 member x not found in cluster",
	} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, nil))
		text := strings.TrimSpace(http.StatusText(w.Code))
		if got := strings.TrimSpace(w.Body.String()); !strings.HasSuffix(want, " "+got) ||
			!strings.HasPrefix(want, map[string]string{"OK": "200", "Not Found": "404"}[text]) {
			t.Errorf("%s: %d %s, want %s", path, w.Code, got, want)
		}
	}
}

// Whatever is asked, an answer of HTTP comes back.
func FuzzPeer(f *testing.F) {
	for _, path := range []string{
		"/members", "/members/promote/7", "/members/hashkv", "/downgrade/enabled", "/version",
	} {
		f.Add("GET", path, []byte(`{"revision":1}`))
		f.Add("POST", path, []byte("x"))
	}
	m := well()
	m.view = rpctypes.ErrGRPCStopped
	handler := Peer(m, time.Second)
	f.Fuzz(func(t *testing.T, method, path string, body []byte) {
		r, err := http.NewRequest(method, "http://member/", strings.NewReader(string(body)))
		if err != nil {
			return
		}
		r.URL.Path = path
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code < 200 || w.Code > 599 {
			t.Errorf("%s %q: %d", method, path, w.Code)
		}
	})
}
