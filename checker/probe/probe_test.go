package probe

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"detcd/checker"
	"detcd/checker/etcd"
)

// moody is a server that answers, refuses, fails or hangs, as it likes, and counts the requests.
type moody struct {
	pb.UnimplementedKVServer
	asked atomic.Int64
	again atomic.Int64 // puts of a value that had been put
	put   sync.Map     // values
}

func (m *moody) mood(ctx context.Context) error {
	m.asked.Add(1)
	switch rand.IntN(6) {
	case 0:
		return status.Error(codes.Unavailable, "the connection is gone")
	case 1:
		return rpctypes.ErrGRPCRequestTooManyRequests
	case 2:
		return rpctypes.ErrGRPCTimeout
	case 3:
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

func header() *pb.ResponseHeader { return &pb.ResponseHeader{Revision: 1} }

func (m *moody) Range(ctx context.Context, _ *pb.RangeRequest) (*pb.RangeResponse, error) {
	return &pb.RangeResponse{Header: header()}, m.mood(ctx)
}

func (m *moody) Put(ctx context.Context, r *pb.PutRequest) (*pb.PutResponse, error) {
	if _, twice := m.put.LoadOrStore(string(r.Value), true); twice {
		m.again.Add(1)
	}
	return &pb.PutResponse{Header: header()}, m.mood(ctx)
}

func (m *moody) DeleteRange(
	ctx context.Context, _ *pb.DeleteRangeRequest,
) (*pb.DeleteRangeResponse, error) {
	return &pb.DeleteRangeResponse{Header: header()}, m.mood(ctx)
}

func (m *moody) Txn(ctx context.Context, _ *pb.TxnRequest) (*pb.TxnResponse, error) {
	return &pb.TxnResponse{Header: header()}, m.mood(ctx)
}

// serve starts the server and returns a connection to it.
func (m *moody) serve(t *testing.T) *grpc.ClientConn {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	pb.RegisterKVServer(server, m)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	conn, err := grpc.NewClient("passthrough:///"+listener.Addr().String(),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func TestEveryRequestIsSentOnceAndRecordedAsWhatItWas(t *testing.T) {
	m := &moody{}
	var history bytes.Buffer
	recorder, err := NewRecorder(&history)
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(Options{Connections: []*grpc.ClientConn{m.serve(t)}, Workload: "register",
		Rate: 2000, Timeout: 20 * time.Millisecond, Recorder: recorder})
	if err != nil {
		t.Fatal(err)
	}
	const enough = 1000
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for m.asked.Load() < enough {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	if err := errors.Join(p.Run(ctx), recorder.Flush()); err != nil {
		t.Fatal(err)
	}
	operations := read(t, &history)
	if int64(len(operations)) != recorder.Operations() {
		t.Errorf("%d of %d operations are there", len(operations), recorder.Operations())
	}
	operations = slices.DeleteFunc(operations, func(o etcd.Operation) bool {
		_, watch := o.Request.Ask.(*etcd.Watch) // of observers, which this server refuses
		return watch
	})
	kinds := map[string]int{}
	for _, o := range operations {
		switch {
		case o.Unknown:
			kinds["unknown"]++
		case o.Error != "":
			kinds[o.Error]++
		default:
			kinds["answered"]++
		}
	}
	// A request may run out of time before it is sent. Then nobody answers it.
	arrived, recorded := int(m.asked.Load()), len(operations)
	if arrived < enough || arrived > recorded || arrived < recorded-kinds["unknown"] {
		t.Errorf("%d requests arrived, %d were recorded: %v", arrived, recorded, kinds)
	}
	if n := m.again.Load(); n > 0 {
		t.Errorf("%d puts were sent twice", n)
	}
	if len(kinds) != 3 || kinds["answered"] == 0 || kinds["unknown"] == 0 ||
		kinds["etcdserver: too many requests"] == 0 {
		t.Errorf("%v", kinds)
	}
}

func read(t *testing.T, history *bytes.Buffer) (operations []etcd.Operation) {
	t.Helper()
	reader, err := checker.NewReader[etcd.Request, *etcd.Response](history)
	if err != nil {
		t.Fatal(err)
	}
	for o, err := range reader.All() {
		if err != nil {
			t.Fatal(err)
		}
		operations = append(operations, o)
	}
	return operations
}

func TestOnlyErrorsThatPromiseThatNothingHappenedAreFailures(t *testing.T) {
	for _, c := range []struct {
		err  error
		sure bool
	}{
		{rpctypes.ErrGRPCNoLeader, true},
		{rpctypes.ErrGRPCRequestTooManyRequests, true},
		{rpctypes.ErrGRPCNoSpace, true},
		{rpctypes.ErrGRPCCompacted, true},
		{rpctypes.ErrGRPCLeaseNotFound, true},
		{rpctypes.ErrGRPCDuplicateKey, true},
		{rpctypes.ErrGRPCPermissionDenied, true},
		{rpctypes.ErrGRPCInvalidAuthToken, true},
		{rpctypes.ErrGRPCAuthOldRevision, true},
		{rpctypes.ErrGRPCUserEmpty, true},
		{status.Error(codes.Unauthenticated, noLogin+"etcdserver: request timed out"), true},
		{status.Error(codes.PermissionDenied, "a proxy does not like it"), false},
		{rpctypes.ErrGRPCTimeout, false},
		{rpctypes.ErrGRPCTimeoutDueToLeaderFail, false},
		{rpctypes.ErrGRPCTimeoutDueToConnectionLost, false},
		{rpctypes.ErrGRPCStopped, false},
		{rpctypes.ErrGRPCLeaderChanged, false},
		{context.DeadlineExceeded, false},
		{status.Error(codes.Unavailable, "error reading from server: EOF"), false},
		{status.Error(codes.Unavailable, `connection error: desc = "error reading server preface"`),
			false},
		{status.Error(codes.Unavailable,
			`connection error: desc = "transport: Error while dialing: refused"`), true},
		{status.Error(codes.ResourceExhausted, "grpc: received message larger than max"), false},
		{status.Error(codes.Internal, "etcdserver: nothing that anybody knows"), false},
	} {
		if text, sure := refused(c.err); sure != c.sure || text == "" {
			t.Errorf("%v: %q, %v", c.err, text, sure)
		}
	}
}

func TestWhatCannotBeIsRefused(t *testing.T) {
	recorder, err := NewRecorder(&bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	good := Options{Connections: make([]*grpc.ClientConn, 1), Workload: "mixed", Recorder: recorder}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Options){
		"no workload": func(o *Options) { o.Workload = "sleep" },
		"connections": func(o *Options) { o.Connections = nil },
		"recorder":    func(o *Options) { o.Recorder = nil },
		"clients":     func(o *Options) { o.Clients = -1 },
		"rate":        func(o *Options) { o.Rate = -1 },
	} {
		o := good
		spoil(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
