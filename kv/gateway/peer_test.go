package gateway

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

func (m *member) Members(context.Context, bool) ([]*pb.Member, error) {
	return []*pb.Member{{ID: 7, PeerURLs: []string{"http://p"}, IsLearner: true}}, nil
}

func (m *member) Ask(context.Context, []byte) ([]byte, error) { return nil, m.view }

// A cluster promotes member 7, if root asks.
type cluster struct {
	pb.ClusterClient
	*member
}

func (c cluster) MemberPromote(
	ctx context.Context, r *pb.MemberPromoteRequest, _ ...grpc.CallOption,
) (*pb.MemberPromoteResponse, error) {
	if sent, _ := metadata.FromOutgoingContext(ctx); !slices.Equal(sent["token"], []string{"root.1"}) {
		return nil, rpctypes.ErrGRPCPermissionDenied
	}
	if r.ID != 7 {
		return nil, rpctypes.ErrGRPCMemberNotFound
	}
	members, err := c.Members(ctx, false)
	return &pb.MemberPromoteResponse{Members: members}, err
}

func TestALearnerIsPromotedOverHTTP(t *testing.T) {
	handler := Peer(well(), cluster{member: well()}, time.Second, nobody)
	for _, c := range []struct{ path, token, want string }{
		{"7", "root.1", `200 [{"id":7,"peerURLs":["http://p"],"isLearner":true}]`},
		{"7", "", "500 etcdserver: permission denied"},
		{"8", "root.1", "404 membership: ID not found"},
		{"x", "root.1", "404 member x not found in cluster"},
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/members/promote/"+c.path, nil)
		if c.token != "" {
			r.Header.Set("Authorization", c.token)
		}
		handler.ServeHTTP(w, r)
		got := fmt.Sprintf("%d %s", w.Code, strings.TrimSpace(w.Body.String()))
		if got != c.want {
			t.Errorf("%s: got %s, want %s", c.path, got, c.want)
		}
	}
}

// Whatever is asked, an answer of HTTP comes back.
func nobody(string, string) {}

// A member of etcd that wants to replicate is told with whom it cannot, and so is this one's log.
func TestAMemberOfEtcdIsRefused(t *testing.T) {
	var told []string
	stranger := func(address, id string) { told = append(told, address+" "+id) }
	handler := Peer(well(), cluster{member: well()}, time.Second, stranger)
	for i, line := range []string{
		"POST /raft", "POST /raft/snapshot", "GET /raft/stream/message/8e9e05c52164694d",
		"GET /raft/stream/msgapp/8e9e05c52164694d", "GET /raft/probing",
	} {
		method, path, _ := strings.Cut(line, " ")
		r := httptest.NewRequest(method, path, nil)
		r.Header.Set("X-Server-From", "91bc3c398fb3c146")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != http.StatusPreconditionFailed ||
			!strings.Contains(w.Body.String(), "cannot share a cluster") {
			t.Errorf("%s: %d %s", line, w.Code, w.Body)
		}
		if len(told) != i+1 || told[i] != "192.0.2.1:1234 91bc3c398fb3c146" {
			t.Errorf("%s: told of %q", line, told)
		}
	}
}

func FuzzPeer(f *testing.F) {
	for _, path := range []string{
		"/members", "/members/promote/7", "/members/hashkv", "/downgrade/enabled", "/version",
		"/leases", "/leases/internal",
	} {
		f.Add("GET", path, []byte(`{"revision":1}`))
		f.Add("POST", path, []byte("x"))
	}
	m := well()
	m.view = rpctypes.ErrGRPCStopped
	handler := Peer(m, cluster{member: m}, time.Second, nobody)
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
