package bench

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/grpc"
)

// Txn carries out the branch for keys that exist.
func (s *server) Txn(
	ctx context.Context, r *etcdserverpb.TxnRequest,
) (*etcdserverpb.TxnResponse, error) {
	s.mu.Lock()
	_, found := s.values[string(r.Compare[0].Key)]
	s.txns[r.Success[0].GetRequestPut() != nil]++
	s.mu.Unlock()
	answer := &etcdserverpb.TxnResponse{Header: &etcdserverpb.ResponseHeader{}, Succeeded: found}
	if put := r.Success[0].GetRequestPut(); found && put != nil {
		_, err := s.Put(ctx, put)
		return answer, err
	}
	return answer, nil
}

func (s *server) LeaseGrant(
	_ context.Context, r *etcdserverpb.LeaseGrantRequest,
) (*etcdserverpb.LeaseGrantResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := r.ID
	if id == 0 {
		id = int64(1e6 + len(s.leases))
	}
	if s.leases[id] {
		return nil, errors.New("granted twice")
	}
	s.leases[id] = true
	return &etcdserverpb.LeaseGrantResponse{ID: id, TTL: r.TTL}, nil
}

func (s *server) LeaseKeepAlive(stream etcdserverpb.Lease_LeaseKeepAliveServer) error {
	for {
		request, err := stream.Recv()
		if err != nil {
			return nil
		}
		s.mu.Lock()
		answer := &etcdserverpb.LeaseKeepAliveResponse{ID: request.ID}
		if s.leases[request.ID] {
			answer.TTL = 600
		}
		s.renewed++
		s.mu.Unlock()
		if err := stream.Send(answer); err != nil {
			return err
		}
	}
}

// Watch tells each watcher of a stream of every put of its key.
func (s *server) Watch(stream etcdserverpb.Watch_WatchServer) error {
	var mu sync.Mutex // of sending
	for id := int64(0); ; id++ {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) || stream.Context().Err() != nil {
			return nil
		} else if err != nil {
			return err
		}
		tell := func(events ...*mvccpb.Event) {
			mu.Lock()
			defer mu.Unlock()
			// A test that ends closes the stream first.
			_ = stream.Send(&etcdserverpb.WatchResponse{
				WatchId: id, Created: len(events) == 0, Events: events,
			})
		}
		key := string(request.GetCreateRequest().Key)
		s.mu.Lock()
		s.watchers[key] = append(s.watchers[key], func(kv *mvccpb.KeyValue) {
			tell(&mvccpb.Event{Kv: kv})
		})
		s.mu.Unlock()
		tell()
	}
}

func (s *server) register(g *grpc.Server) {
	etcdserverpb.RegisterKVServer(g, s)
	etcdserverpb.RegisterWatchServer(g, s)
	etcdserverpb.RegisterLeaseServer(g, s)
}

func TestEveryEventOfEveryWatcherIsAnOperation(t *testing.T) {
	both(t, func(t *testing.T, transport Transport) {
		s, o := serve(t)
		o.Workload, o.Transport = Watch, transport
		o.Keys, o.Watchers, o.Connections, o.Total = 3, 12, 2, 50
		report, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if s.puts != 50 || report.Operations != 200 {
			t.Errorf("%d puts with 4 watchers each, %d events", s.puts, report.Operations)
		}
		if len(s.watchers) != 3 || report.Latency.Max > 10_000 || report.Latency.Min <= 0 {
			t.Errorf("%d keys watched, latencies %+v", len(s.watchers), report.Latency)
		}
	})
}

func TestAnEventIsLateSinceItsPutWasDue(t *testing.T) {
	s, o := serve(t)
	s.pause = 20 * time.Millisecond // before the put, and so before its event
	o.Workload, o.Keys, o.Watchers, o.Total, o.Rate = Watch, 1, 2, 30, 1000
	report, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if report.Latency.Min < 19 || report.Operations != 60 {
		t.Errorf("%d events, %+v", report.Operations, report.Latency)
	}
}

func TestAWatcherThatMissesAnEventEndsTheRun(t *testing.T) {
	s, o := serve(t)
	s.deaf = true
	o.Workload, o.Keys, o.Watchers, o.Total = Watch, 1, 1, 3
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if report, err := Run(ctx, o); err == nil {
		t.Fatalf("no event came, and that passes:\n%v", report)
	}
}

func TestLeasesAreGrantedOnceAndRenewed(t *testing.T) {
	s, o := serve(t)
	o.Workload, o.Keys = KeepAlive, 40
	report, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.leases) != 40 || s.renewed != 500 || report.Operations != 500 {
		t.Errorf("%d leases, %d renewals\n%v", len(s.leases), s.renewed, report)
	}
	s.leases = map[int64]bool{}
	o.SkipLoad = true
	if report, err = Run(t.Context(), o); err != nil || report.Errors["the lease is gone"] != 500 {
		t.Errorf("leases that are gone were renewed: %v\n%v", err, report)
	}
	both(t, func(t *testing.T, transport Transport) {
		o.Workload, o.Transport, o.SkipLoad = Grant, transport, false
		if report, err = Run(t.Context(), o); err != nil || report.Operations != 500 {
			t.Errorf("%v\n%v", err, report)
		}
	})
}

func TestTransactionsReadAndWriteInTurn(t *testing.T) {
	both(t, func(t *testing.T, transport Transport) {
		s, o := serve(t)
		o.Workload, o.Transport, o.Clients, o.Connections = Txn, transport, 2, 1
		report, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if report.Operations != 500 || s.txns[true] < 249 || s.txns[true] > 251 {
			t.Errorf("%v transactions\n%v", s.txns, report)
		}
		if s.puts != 50+s.txns[true] {
			t.Errorf("%d puts: the keys were not there", s.puts)
		}
	})
}

func TestARangeOfManyKeysWantsAllOfThem(t *testing.T) {
	both(t, func(t *testing.T, transport Transport) {
		s, o := serve(t)
		o.Workload, o.Transport, o.Span, o.Total = Range, transport, 50, 20
		report, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if report.Operations != 20 {
			t.Error(report)
		}
		s.mu.Lock()
		for number := range 30 { // the wire transport counts bytes, not keys
			key := make([]byte, 8)
			writeKey(key, number)
			delete(s.values, string(key))
		}
		s.mu.Unlock()
		o.SkipLoad = true
		if report, err = Run(t.Context(), o); err != nil || report.Operations != 0 {
			t.Errorf("20 keys pass for 50: %v\n%v", err, report)
		}
	})
}

func TestValuesAreNewInEveryRequest(t *testing.T) {
	o := Options{Endpoints: []string{"h:1"}, Workload: Put, Total: 1, ValueSize: 300}
	if err := o.normalize(); err != nil {
		t.Fatal(err)
	}
	s := newSource(&o, Put, 0, nil)
	seen := map[string]bool{}
	for range 100 {
		seen[string(s.next(time.Now()).(*etcdserverpb.PutRequest).Value)] = true
	}
	if len(seen) != 100 {
		t.Errorf("%d different values of 100", len(seen))
	}
}

func TestMetricsAreAddedUp(t *testing.T) {
	page := "# TYPE a counter\na 3\nab 100\nb 4.5\nc{x=\"1\"} 9\n"
	sum, err := sumMetrics(strings.NewReader(page), []string{"a", "b", "d"})
	if err != nil || sum != 7.5 {
		t.Errorf("%v, %v", sum, err)
	}
	if _, err := sumMetrics(strings.NewReader(page), []string{"x"}); err == nil {
		t.Error("nothing was found, and that passes")
	}
	if _, err := sumMetrics(strings.NewReader("a b\n"), []string{"a"}); err == nil {
		t.Error("b passes for a number")
	}
}
