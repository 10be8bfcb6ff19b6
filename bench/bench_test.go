package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// server is a store of the two workloads' requests with faults that a test sets.
type server struct {
	etcdserverpb.UnimplementedKVServer
	etcdserverpb.UnimplementedLeaseServer
	etcdserverpb.UnimplementedWatchServer
	mu           sync.Mutex
	values       map[string][]byte
	puts         int
	serializable int
	underWay     int
	mostUnderWay int
	pause        time.Duration // before every answer
	fail         error         // every fourth put
	stop         func()        // called by put number stopAt
	stopAt       int
	txns         map[bool]int // by whether they write
	leases       map[int64]bool
	renewed      int
	watchers     map[string][]func(*mvccpb.KeyValue)
	deaf         bool // watchers are told nothing
}

func (s *server) begin() {
	s.mu.Lock()
	s.underWay++
	s.mostUnderWay = max(s.mostUnderWay, s.underWay)
	s.mu.Unlock()
	time.Sleep(s.pause)
	s.mu.Lock()
	s.underWay--
}

func (s *server) Put(
	_ context.Context, r *etcdserverpb.PutRequest,
) (*etcdserverpb.PutResponse, error) {
	s.begin()
	defer s.mu.Unlock()
	s.puts++
	if s.puts == s.stopAt {
		go s.stop()
	}
	if s.fail != nil && s.puts%4 == 0 {
		return nil, s.fail
	}
	s.values[string(r.Key)] = r.Value
	for _, tell := range s.watchers[string(r.Key)] {
		if !s.deaf {
			tell(&mvccpb.KeyValue{Key: r.Key, Value: r.Value})
		}
	}
	return &etcdserverpb.PutResponse{Header: &etcdserverpb.ResponseHeader{Revision: 7}}, nil
}

func (s *server) Range(
	_ context.Context, r *etcdserverpb.RangeRequest,
) (*etcdserverpb.RangeResponse, error) {
	s.begin()
	defer s.mu.Unlock()
	if r.Serializable {
		s.serializable++
	}
	answer := &etcdserverpb.RangeResponse{Header: &etcdserverpb.ResponseHeader{Revision: 7}}
	if len(r.RangeEnd) > 0 {
		for key, value := range s.values {
			if key >= string(r.Key) && key < string(r.RangeEnd) {
				answer.Kvs = append(answer.Kvs, &mvccpb.KeyValue{Key: []byte(key), Value: value})
			}
		}
	} else if value, found := s.values[string(r.Key)]; found {
		answer.Kvs = append(answer.Kvs, &mvccpb.KeyValue{Key: r.Key, Value: value})
	}
	return answer, nil
}

func serve(t *testing.T) (*server, Options) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{
		values: map[string][]byte{}, txns: map[bool]int{}, leases: map[int64]bool{},
		watchers: map[string][]func(*mvccpb.KeyValue){},
	}
	g := grpc.NewServer()
	s.stop = g.Stop
	s.register(g)
	go func() {
		// It returns when the test stops the server.
		_ = g.Serve(listener)
	}()
	t.Cleanup(g.Stop)
	return s, Options{
		Endpoints: []string{listener.Addr().String()}, Workload: Put,
		Clients: 6, Connections: 2, ValueSize: 20, Keys: 50, Total: 500,
	}
}

// both runs a test with each transport.
func both(t *testing.T, test func(t *testing.T, transport Transport)) {
	for _, transport := range []Transport{Wire, GRPC} {
		t.Run(string(transport), func(t *testing.T) { test(t, transport) })
	}
}

func TestATotalOfPutsIsSentExactlyAndTheClientsAreTheBoundOfWhatIsUnderWay(t *testing.T) {
	both(t, func(t *testing.T, transport Transport) {
		s, o := serve(t)
		o.Transport = transport
		s.pause = time.Millisecond
		report, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if s.puts != 500 || report.Operations != 500 || report.Failed() != 0 {
			t.Fatalf("%d puts arrived\n%v", s.puts, report)
		}
		if s.mostUnderWay != 6 {
			t.Errorf("%d puts at once, want 6", s.mostUnderWay)
		}
		if report.Latency.Min < 1 || report.Latency.P50 > 1000 {
			t.Errorf("latencies %+v of a server that takes 1 ms", report.Latency)
		}
		for key, value := range s.values {
			if len(key) != 8 || len(value) != 20 {
				t.Fatalf("key %q, %d bytes of value", key, len(value))
			}
		}
	})
}

func TestRangesReadKeysThatWereLoadedBefore(t *testing.T) {
	both(t, func(t *testing.T, transport Transport) {
		s, o := serve(t)
		o.Transport, o.Workload, o.Serializable = transport, Range, true
		report, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if len(s.values) != 50 || s.puts != 50 {
			t.Errorf("%d keys of 50 were loaded with %d puts", len(s.values), s.puts)
		}
		if report.Operations != 500 || report.Failed() != 0 || s.serializable != 500 {
			t.Fatalf("%d serializable\n%v", s.serializable, report)
		}
	})
}

func TestAReadWithoutAValueIsAFailure(t *testing.T) {
	both(t, func(t *testing.T, transport Transport) {
		_, o := serve(t)
		o.Transport, o.Workload, o.SkipLoad = transport, Range, true
		report, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if report.Operations != 0 || report.Failed() != 500 {
			t.Fatalf("an empty store passes:\n%v", report)
		}
	})
}

func TestAnErrorOfTheServerIsCountedByItsText(t *testing.T) {
	both(t, func(t *testing.T, transport Transport) {
		s, o := serve(t)
		o.Transport = transport
		s.fail = status.Error(codes.ResourceExhausted, "etcdserver: mvcc: database space exceeded")
		report, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		want := "status 8: etcdserver: mvcc: database space exceeded"
		if report.Errors[want] != 125 || report.Operations != 375 {
			t.Fatalf("want 125 × %q\n%v", want, report)
		}
		if !strings.Contains(report.String(), "125 × "+want) {
			t.Errorf("the text does not show the failures:\n%v", report)
		}
	})
}

func TestRequestsAboveEveryWindowOfTheServerArriveWhole(t *testing.T) {
	both(t, func(t *testing.T, transport Transport) {
		s, o := serve(t)
		o.Transport, o.ValueSize, o.Total, o.Keys = transport, 300_000, 60, 20
		s.pause = time.Millisecond
		report, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if report.Operations != 60 {
			t.Fatal(report)
		}
		for key, value := range s.values {
			if len(value) != 300_000 {
				t.Fatalf("%d bytes at %s", len(value), key)
			}
		}
		o.Workload = Range
		if report, err = Run(t.Context(), o); err != nil || report.Operations != 60 {
			t.Fatal(report, err)
		}
	})
}

func TestARateIsKeptAndAStallIsChargedToTheServer(t *testing.T) {
	both(t, func(t *testing.T, transport Transport) {
		s, o := serve(t)
		o.Transport, o.Total, o.Rate = transport, 200, 400
		report, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if s.puts != 200 || report.Seconds < 0.48 { // the last are due after 33 periods of 15 ms
			t.Errorf("%d puts in %.3f s at 400 a second", s.puts, report.Seconds)
		}
		// 6 clients at 400 a second are due every 15 ms; an answer takes 30: the queue grows.
		s.pause = 30 * time.Millisecond
		if report, err = Run(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		if report.Latency.Max < 150 {
			t.Errorf("a client that falls behind hides it: %+v", report.Latency)
		}
	})
}

func TestADurationEndsTheRunAndTheWarmUpIsNotCounted(t *testing.T) {
	s, o := serve(t)
	s.pause = time.Millisecond
	o.Total, o.Duration, o.WarmUp = 0, 200*time.Millisecond, 200*time.Millisecond
	o.PIDs = []int{os.Getpid()}
	var phases atomic.Pointer[string]
	o.Progress = func(p Progress) { phases.Store(&p.Phase) }
	begin := time.Now()
	report, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took < 400*time.Millisecond {
		t.Errorf("took %v", took)
	}
	if report.Operations == 0 || int64(s.puts) <= report.Operations {
		t.Errorf("%d puts, %d counted", s.puts, report.Operations)
	}
	if report.Seconds < 0.2 || len(report.Servers) != 1 || report.Servers[0].ResidentBytes == 0 {
		t.Errorf("report %+v", report)
	}
	if phase := phases.Load(); phase == nil {
		t.Error("no progress")
	}
}

func TestAServerThatGoesAwayEndsTheRunWithAnError(t *testing.T) {
	s, o := serve(t)
	o.Total = 1_000_000
	s.stopAt = 100
	report, err := Run(t.Context(), o)
	if err == nil {
		t.Fatalf("no error:\n%v", report)
	}
}

func TestTheEndOfTheContextEndsTheRun(t *testing.T) {
	both(t, func(t *testing.T, transport Transport) {
		_, o := serve(t)
		o.Transport, o.Total, o.Duration = transport, 0, time.Hour
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := Run(ctx, o); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("%v", err)
		}
	})
}

func TestNobodyListensIsSaid(t *testing.T) {
	o := Options{Endpoints: []string{"127.0.0.1:1"}, Workload: Put, Total: 1}
	_, err := Run(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "connect to 127.0.0.1:1") {
		t.Fatalf("%v", err)
	}
}

func TestOptionsThatCannotBeRunAreRefused(t *testing.T) {
	good := Options{Endpoints: []string{"h:1"}, Workload: Put, Total: 1}
	if err := good.normalize(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(o *Options){
		"no endpoint":        func(o *Options) { o.Endpoints = nil },
		"workload":           func(o *Options) { o.Workload = "delete" },
		"transport":          func(o *Options) { o.Transport = "pigeon" },
		"total and duration": func(o *Options) { o.Duration = time.Second },
		"neither of them":    func(o *Options) { o.Total = 0 },
		"keys":               func(o *Options) { o.Keys = 1001; o.KeySize = 3 },
		"sizes":              func(o *Options) { o.ValueSize = -1 },
	} {
		o := good
		change(&o)
		if err := o.normalize(); !errors.Is(err, ErrOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeysHaveTheirSizeAndDiffer(t *testing.T) {
	for _, size := range []int{3, 8, 16, 40} {
		seen := map[string]bool{}
		for number := range 1000 {
			key := make([]byte, size)
			writeKey(key, number)
			seen[string(key)] = true
		}
		if len(seen) != 1000 {
			t.Errorf("size %d: %d keys of 1000", size, len(seen))
		}
	}
	key := make([]byte, 16)
	if writeKey(key, 42); string(key) != "bench/0000000042" {
		t.Errorf("key %q", key)
	}
}

func TestProcessorTimeIsFoundBehindAnyProgramName(t *testing.T) {
	stat := "12 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 300 45 0 0"
	if ticks, err := cpuTicks([]byte(stat)); err != nil || ticks != 345 {
		t.Errorf("%d, %v", ticks, err)
	}
	letters := strings.Replace(stat, "45", "x", 1)
	for _, bad := range []string{"", "12 (a", "12 (a) S 1 2 3", letters} {
		if _, err := cpuTicks([]byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
	if _, err := ReadProcess(-1); err == nil {
		t.Error("process -1 was read")
	}
}

func ExampleReport_String() {
	fmt.Print((&Report{
		Workload: Put, Transport: Wire, Clients: 100, Connections: 10, KeySize: 8, ValueSize: 256,
		Operations: 50_000, Seconds: 2, PerSecond: 25_000,
		Latency:         Latency{Min: 0.1, Mean: 2, P50: 1.9, P90: 3, P95: 4, P99: 5, P999: 6, Max: 7},
		ClientCPUMicros: 5, ServerCPUMicros: 41,
		DevicePerOp: 610, SyncsPerOp: 0.025,
		Servers: []ProcessUse{{PID: 12, CPUSeconds: 2.05, ResidentBytes: 5e7, PeakBytes: 6e7}},
		Errors:  map[string]int64{"status 14: etcdserver: no leader": 3},
	}).String())
	// Output:
	// put           100 clients on 10 connections (wire), keys of 8 bytes, values of 256
	// operations    50000 in 2.00 s
	// throughput    25000 per second
	// latency, ms   min 0.100  mean 2.000  max 7.000
	//               p50 1.900  p90 3.000  p95 4.000  p99 5.000  p99.9 6.000
	// client        5.0 µs of processor an operation
	// servers       41.0 µs of processor an operation
	// disks         610 bytes written, 0.0250 syncs an operation
	//   process 12  2.05 s of processor, 50.0 MB resident, 60.0 MB at most
	// FAILED        3 × status 14: etcdserver: no leader
}
