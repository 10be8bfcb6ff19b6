package webtest

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"detcd/cmd/detcd/testbed"
)

// What members of etcd ask their leader about leases, it tells them over HTTP.
func TestBothTellOtherMembersOfLeases(t *testing.T) {
	var clients, peers []string
	for _, binary := range []string{testbed.Tool(t, "etcd"), testbed.Detcd(t)} {
		cluster := testbed.Launch(t, testbed.Options{Binary: binary, Args: testbed.Alike()})
		clients = append(clients, cluster.Members()[0].ClientURL())
		peers = append(peers, cluster.Members()[0].PeerURL())
	}
	for _, line := range []string{
		`POST /v3/lease/grant {"TTL":"9000","ID":"7"}`, `POST /v3/lease/grant {"TTL":"9000","ID":"-8"}`,
		`POST /v3/kv/put {"key":"~a~","lease":"7"}`, `POST /v3/kv/put {"key":"~b~","lease":"7"}`,
	} {
		same(t, clients[0], clients[1], line)
	}
	wrapped := func(r *pb.LeaseTimeToLiveRequest) string {
		return string(protowire.AppendBytes([]byte{1<<3 | 2}, []byte(marshalled(t, r))))
	}
	for _, line := range []string{
		"GET /leases", "PUT /leases/internal", "POST /leases/other", "POST /leases/",
		"POST /leases x", "POST /leases/internal x", "POST /leases \n\x05ab",
		"POST /leases " + strings.Repeat("x", 70_000),
		"POST /leases " + marshalled(t, &pb.LeaseKeepAliveRequest{ID: 9}),
		"POST /leases",
		"POST /leases/internal " + wrapped(&pb.LeaseTimeToLiveRequest{ID: 9}),
	} {
		same(t, peers[0], peers[1], line)
	}
	for _, id := range []int64{7, -8} {
		said := lease(t, peers, "POST /leases "+marshalled(t, &pb.LeaseKeepAliveRequest{ID: id}))
		if said[0] != said[1] {
			t.Errorf("lease %d is renewed: %x, in etcd %x", id, said[1], said[0])
		}
		for _, keys := range []bool{false, true} {
			want, got := &pb.LeaseTimeToLiveResponse{}, &pb.LeaseTimeToLiveResponse{}
			request := wrapped(&pb.LeaseTimeToLiveRequest{ID: id, Keys: keys})
			said := lease(t, peers, "POST /leases/internal "+request)
			for i, into := range []*pb.LeaseTimeToLiveResponse{want, got} {
				inner, n := protowire.ConsumeBytes([]byte(said[i][1:]))
				if n+1 != len(said[i]) || proto.Unmarshal(inner, into) != nil || into.TTL < 8000 {
					t.Fatalf("lease %d: %q is %v", id, said[i], into)
				}
				into.TTL = 0
				slices.SortFunc(into.Keys, bytes.Compare) // etcd has them in any order
			}
			if !proto.Equal(want, got) || (len(got.Keys) == 2) != (keys && id == 7) {
				t.Errorf("lease %d has %v, in etcd %v", id, got, want)
			}
		}
	}
}

func marshalled(t *testing.T, r proto.Message) string {
	t.Helper()
	text, err := proto.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// lease gives the bodies of both answers, which say the same besides.
func lease(t *testing.T, peers []string, line string) (bodies [2]string) {
	t.Helper()
	want, got := ask(t, peers[0], line), ask(t, peers[1], line)
	want.bodies, got.bodies = nil, nil
	if want.status != http.StatusOK {
		t.Errorf("etcd: %d %s", want.status, want.text)
	}
	compare(t, line, nil, want, got)
	return [2]string{want.text, got.text}
}
