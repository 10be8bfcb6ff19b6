package bench

import (
	"context"
	"fmt"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// A stubs carries calls over an ordinary gRPC connection, one goroutine for each client.
type stubs struct {
	ctx    context.Context // of the calls; cancel ends it
	cancel context.CancelFunc
	conn   interface{ Close() error }
	// call does one request, due at a time, and returns what is wrong with its answer.
	call func(s *source, due time.Time) string
}

// grpcAnswerMax bounds the answers that are taken, as clientv3 does.
const grpcAnswerMax = 1<<31 - 1

func dialGRPC(ctx context.Context, endpoint string) (*stubs, error) {
	conn, err := grpc.NewClient("passthrough:///"+endpoint,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(grpcAnswerMax)))
	if err != nil {
		return nil, fmt.Errorf("bench: connect to %s: %w", endpoint, err)
	}
	g := &stubs{conn: conn}
	g.ctx, g.cancel = context.WithCancel(ctx)
	g.call = func(s *source, due time.Time) string {
		request, answer := s.next(due), s.reply()
		if err := conn.Invoke(g.ctx, s.method, request, answer); err != nil {
			return problem(err)
		}
		if s.short(answer) {
			return errShort
		}
		return ""
	}
	return g, nil
}

// errShort is what is wrong with an answer that lacks a value.
const errShort = "the answer lacks the value: is the key there?"

// dialSTM uses etcd's own client: each call reads two keys and writes both, if nobody else has done
// so meanwhile; otherwise it begins again.
func dialSTM(ctx context.Context, endpoint string) (*stubs, error) {
	etcd, err := clientv3.New(clientv3.Config{
		Endpoints: []string{endpoint}, DialTimeout: wireDialTimeout,
	})
	if err != nil {
		return nil, fmt.Errorf("bench: connect to %s: %w", endpoint, err)
	}
	g := &stubs{conn: etcd}
	g.ctx, g.cancel = context.WithCancel(ctx)
	g.call = func(s *source, due time.Time) string {
		s.next(due)
		from := string(s.key)
		s.next(due)
		to := string(s.key)
		move := func(stm concurrency.STM) error {
			stm.Get(from, to)
			stm.Put(from, string(s.value))
			stm.Put(to, string(s.value))
			return nil
		}
		if _, err := concurrency.NewSTM(etcd, move, concurrency.WithAbortContext(g.ctx)); err != nil {
			return problem(err)
		}
		return ""
	}
	return g, nil
}

func (g *stubs) close() error {
	g.cancel()
	return g.conn.Close()
}

// run sends the requests of the clients until the stage is over and every answer is there.
func (g *stubs) run(st *stage, clients []*client, into *recorder) error {
	var mu sync.Mutex // guards into
	var group sync.WaitGroup
	for _, c := range clients {
		group.Go(func() { g.one(st, c, &mu, into) })
	}
	group.Wait()
	return g.ctx.Err()
}

func (g *stubs) one(st *stage, c *client, mu *sync.Mutex, into *recorder) {
	for turn := 0; g.ctx.Err() == nil; turn++ {
		start := time.Now()
		if due := st.due(c.number, turn); due.After(start) {
			time.Sleep(due.Sub(start))
			start = due
		} else if !due.IsZero() {
			start = due
		}
		for st.closed() && g.ctx.Err() == nil {
			time.Sleep(gateInterval)
		}
		if st.gate != nil && st.period == 0 {
			start = time.Now()
		}
		if !st.take(time.Now()) {
			return
		}
		problem := g.call(c.source, start)
		latency := time.Since(start)
		mu.Lock()
		if problem == "" {
			into.ok(latency)
		} else {
			into.failed(problem)
		}
		mu.Unlock()
	}
}

// problem says an error as the wire transport would.
func problem(err error) string {
	s := status.Convert(err)
	return fmt.Sprintf("status %d: %s", s.Code(), s.Message())
}
