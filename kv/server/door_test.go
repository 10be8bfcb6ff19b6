package server

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/client/pkg/v3/types"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// dial connects to a member by gRPC; nil: without TLS.
func dial(t *testing.T, address string, config *tls.Config) *grpc.ClientConn {
	t.Helper()
	secured := insecure.NewCredentials()
	if config != nil {
		secured = credentials.NewTLS(config)
	}
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(secured))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// A client that asks a member as soon as it listens is told who is in the cluster by a member that
// is one of them, with its name and its address.
func TestTheFirstAnswerIsOfAMemberWithAName(t *testing.T) {
	leavesNothing(t)
	for range 5 {
		s := start(t, testConfigs(t, 1)[0])
		conn := dial(t, s.ClientAddresses()[0], nil)
		response, err := pb.NewClusterClient(conn).MemberList(within(t), &pb.MemberListRequest{},
			grpc.WaitForReady(true))
		if err != nil {
			t.Fatal(err)
		}
		if m := response.Members[0]; m.Name == "" || len(m.ClientURLs) == 0 {
			t.Errorf("the first answer has %v", m)
		}
		stop(t, s)
	}
}

// A member without a majority says how it is, and answers nothing else: not by gRPC, and not by
// JSON. As soon as there is one it answers those who have waited.
func TestAMemberThatNobodyKnowsAnswersForItself(t *testing.T) {
	leavesNothing(t)
	configs := testConfigs(t, 3)
	s := start(t, configs[0])
	address := s.ClientAddresses()[0]
	url, c := "http://"+address, web(t, nil, false)

	conn, answered := dial(t, address, nil), make(chan error, 2)
	go func() {
		_, err := pb.NewMaintenanceClient(conn).Status(within(t), &pb.StatusRequest{},
			grpc.WaitForReady(true))
		answered <- err
	}()
	go func() {
		response, err := c.Post(url+"/v3/cluster/member/list", "application/json",
			strings.NewReader("{}"))
		if err == nil {
			response.Body.Close()
		}
		answered <- err
	}()
	for path, want := range map[string]int{
		"/livez": 200, "/metrics": 200, "/version": 200, "/health": 503, "/readyz": 503,
	} {
		if status, _, text := fetch(t, c, "GET", url+path, ""); status != want {
			t.Errorf("%s without a majority: %d %s", path, status, text)
		}
	}
	select {
	case err := <-answered:
		t.Fatalf("a request was answered without a majority: %v", err)
	default:
	}
	start(t, configs[1])
	for range cap(answered) {
		if err := <-answered; err != nil {
			t.Error(err)
		}
	}
}

// Those who wait at the door do not hold up the end.
func TestWhoWaitsAtTheDoorIsSentAway(t *testing.T) {
	leavesNothing(t)
	s := start(t, testConfigs(t, 2)[0])
	raw, err := net.Dial("tcp", s.ClientAddresses()[0])
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if _, err := raw.Write([]byte(preface)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the connection has arrived", func() (arrived bool) {
		s.front.door.arrived.Range(func(any, any) bool { arrived = true; return false })
		return arrived
	})
	stop(t, s)
	if _, err := raw.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is still open")
	}
}

// The same address may be given with http and with https, and twice.
func TestOnePortSpeaksWithAndWithoutTLS(t *testing.T) {
	leavesNothing(t)
	config := testConfigs(t, 1)[0]
	host := config.ListenClientURLs[0].Host
	config.ListenClientURLs = types.MustNewURLs(
		[]string{"http://" + host, "https://" + host, "http://" + host})
	config.ListenPeerURLs = append(config.ListenPeerURLs, config.ListenPeerURLs...)
	config.ClientTLS = selfSigned(t)
	s := start(t, config)
	ready(t, s)
	for scheme, secured := range map[string]*tls.Config{"http": nil, "https": config.ClientTLS} {
		_, err := pb.NewKVClient(dial(t, host, secured)).Put(within(t),
			&pb.PutRequest{Key: []byte("k")})
		if err != nil {
			t.Errorf("gRPC over %s: %v", scheme, err)
		}
		for _, h2 := range []bool{false, true} {
			c := web(t, secured.Clone(), h2)
			if status, _, text := fetch(t, c, "GET", scheme+"://"+host+"/health", ""); status != 200 {
				t.Errorf("%s: %d %s", scheme, status, text)
			}
		}
	}
	config.ClientTLS, config.Web.ObserverURLs = selfSigned(t), config.ListenClientURLs
	if _, err := Start(context.Background(), config); err == nil ||
		!strings.Contains(err.Error(), "only --listen-client-urls may have http and https") {
		t.Errorf("observers at http and https of one port: %v", err)
	}
}
