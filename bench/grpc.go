package bench

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// A stubs carries calls over an ordinary gRPC connection, one goroutine for each client.
type stubs struct {
	ctx    context.Context // of the calls; cancel ends it
	cancel context.CancelFunc
	conn   *grpc.ClientConn
	kv     etcdserverpb.KVClient
}

func dialGRPC(ctx context.Context, endpoint string) (*stubs, error) {
	conn, err := grpc.NewClient("passthrough:///"+endpoint,
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, fmt.Errorf("bench: connect to %s: %w", endpoint, err)
	}
	g := &stubs{conn: conn, kv: etcdserverpb.NewKVClient(conn)}
	g.ctx, g.cancel = context.WithCancel(ctx)
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
		if !st.take(time.Now()) {
			return
		}
		problem := g.call(c.source)
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

// call does one request and returns what is wrong with its answer.
func (g *stubs) call(s *source) string {
	s.next()
	if s.read == nil {
		if _, err := g.kv.Put(g.ctx, s.put); err != nil {
			return problem(err)
		}
		return ""
	}
	answer, err := g.kv.Range(g.ctx, s.read)
	if err != nil {
		return problem(err)
	}
	if len(answer.Kvs) != 1 || len(answer.Kvs[0].Value) < s.want {
		return "the answer lacks the value: is the key there?"
	}
	return ""
}

// problem says an error as the wire transport would.
func problem(err error) string {
	s := status.Convert(err)
	return fmt.Sprintf("status %d: %s", s.Code(), s.Message())
}
