package spectest

import (
	"context"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"detcd/checker"
	"detcd/checker/etcd"
	"detcd/checker/judge"
	"detcd/cmd/detcd/testbed"
)

// A recorder collects what clients did, on one clock.
type recorder struct {
	begin   time.Time
	lock    sync.Mutex
	history []etcd.Operation
}

func (r *recorder) now() int64 { return time.Since(r.begin).Nanoseconds() }

func (r *recorder) add(o etcd.Operation) {
	r.lock.Lock()
	defer r.lock.Unlock()
	r.history = append(r.history, o)
}

// call sends a request and returns the revision of the answer, if there is one within a time.
func (r *recorder) call(
	conn *grpc.ClientConn, client int64, request any, limit time.Duration) int64 {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	o := etcd.Operation{Client: client, Request: etcd.Request{Ask: etcd.FromRequest(request)}}
	o.Call = r.now()
	answer, err := call(ctx, conn, request)
	o.Return = r.now()
	switch {
	case err == nil:
		o.Response = etcd.FromResponse(answer)
	case refused(err):
		o.Error = status.Convert(err).Message()
	default:
		o.Unknown, o.Return = true, 0
	}
	r.add(o)
	if o.Response != nil {
		return o.Response.Revision
	}
	return 0
}

// refused tells whether an error promises that nothing was done.
func refused(err error) bool {
	s := status.Convert(err)
	switch s.Code() {
	case codes.InvalidArgument, codes.NotFound, codes.OutOfRange, codes.FailedPrecondition:
		return strings.HasPrefix(s.Message(), "etcdserver: ")
	}
	return false
}

// watch records a watch of everything until its context ends.
func (r *recorder) watch(ctx context.Context, conn *grpc.ClientConn, number int64) {
	stream, err := pb.NewWatchClient(conn).Watch(ctx)
	if err != nil {
		return
	}
	create := &pb.WatchCreateRequest{Key: []byte{0}, RangeEnd: []byte{0}, StartRevision: number,
		PrevKv: true}
	ask := &etcd.Watch{Watch: number, Key: "\x00", End: "\x00", Start: number, PrevKV: true}
	now := r.now()
	r.add(etcd.Operation{Call: now, Return: now, Request: etcd.Request{Ask: ask},
		Response: &etcd.Response{}})
	if stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{
		CreateRequest: create}}) != nil {
		return
	}
	for {
		m, err := stream.Recv()
		if err != nil {
			return
		}
		now := r.now()
		r.add(etcd.Operation{Call: now, Return: now, Response: etcd.FromWatch(m),
			Request: etcd.Request{Ask: &etcd.Watched{Watch: number}}})
	}
}

// load is what one client does: requests that meet those of others; some it does not wait for.
func (r *recorder) load(conn *grpc.ClientConn, client int64, requests int) {
	d := &drawer{random: rand.New(rand.NewPCG(uint64(client), setting[uint64]("spectest.seed")))}
	for now := int64(1); requests > 0; requests-- {
		request, limit := d.request(now), 10*time.Second
		switch request.(type) {
		case *pb.LeaseGrantRequest, *pb.LeaseRevokeRequest:
			// Many clients fight for few leases here. Nobody can tell what happened to those of
			// which answers are lost as well.
		default:
			if d.one(20) {
				limit = time.Duration(d.random.IntN(3000)) * time.Microsecond
			}
		}
		now = max(now, r.call(conn, client, request, limit))
	}
}

func TestWhatEtcdDoesIsJudgedToHold(t *testing.T) {
	cluster := testbed.Launch(t, testbed.Options{
		Binary: testbed.Tool(t, "etcd"), Args: []string{"--unsafe-no-fsync"}, Members: 3})
	r := &recorder{begin: time.Now()}
	var clients, watches sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	for n, member := range cluster.Members() {
		conn, err := member.Conn()
		if err != nil {
			t.Fatal(err)
		}
		watches.Go(func() { r.watch(ctx, conn, int64(n+1)) })
		for k := range 3 {
			clients.Go(func() { r.load(conn, int64(10*n+k), 150) })
		}
	}
	clients.Wait()
	time.Sleep(200 * time.Millisecond) // what watches still get
	cancel()
	watches.Wait()
	report := judge.Judge(r.history, judge.Options{})
	t.Logf("%d operations, %d unknown, %d of them happened, %d revisions, %d events",
		report.Operations, report.Unknown, report.Happened, report.Revisions, report.Events)
	if report.Verdict != checker.Holds {
		t.Fatalf("%v: %s: %s", report.Verdict, report.Reason, text(around(r.history, report)))
	}
	if err := judge.Certify(r.history, report); err != nil {
		t.Error(err)
	}
}

// around returns what a verdict is about.
func around(history []etcd.Operation, report *judge.Report) []etcd.Operation {
	var core []etcd.Operation
	for _, i := range append(report.Core, report.Operation) {
		if i >= 0 {
			core = append(core, history[i])
		}
	}
	return core
}
