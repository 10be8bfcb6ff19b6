package rpc

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"detcd/kv"
	"detcd/kv/auth"
	"detcd/storage/archive"
	"detcd/storage/vfs"
)

// A loner is a Node that applies what is submitted at once: a cluster of one, without a log.
type loner struct {
	mutex   sync.Mutex
	fs      vfs.FS
	store   *kv.Store
	auth    *Auth
	index   uint64
	changed chan struct{}
	status  Status
	birth   time.Time

	// stuck, when set, is what Submit, Barrier and Ask do instead of their work.
	stuck    atomic.Pointer[func(ctx context.Context) error]
	patience time.Duration
	barriers atomic.Int64 // how many were asked for
	asked    atomic.Int64 // how many questions
	stopped  atomic.Bool
	snapshot *blob
	troubles []string
}

func (n *loner) Troubles() []string { return n.troubles }

func newLoner(t testing.TB) *loner {
	t.Helper()
	known, err := NewAuth(AuthOptions{Token: TokenSimple, BcryptCost: 4})
	if err != nil {
		t.Fatal(err)
	}
	known.Live(0)
	n := &loner{
		fs:       vfs.NewMemory(),
		auth:     known,
		store:    kv.New(kv.Options{ElectionTimeout: time.Second, Tokens: known}),
		changed:  make(chan struct{}),
		birth:    time.Now(),
		patience: Patience(time.Second),
		status: Status{
			ClusterID: 0xc0ffee, MemberID: 7, Leader: 7, RaftTerm: 3, RaftIndex: 41, RaftApplied: 40,
			DBSize: 2000, DBSizeInUse: 1000, DBSizeQuota: 2 << 30,
			LeaderSince: time.Now().Add(-time.Hour), ConnectedSince: time.Now().Add(-time.Hour),
		},
	}
	if err := n.store.Restore(n.fs, "archive", nil, nil); err != nil {
		t.Fatal(err)
	}
	n.store.Lead(n.now(), true)
	return n
}

func (n *loner) now() int64 { return int64(time.Since(n.birth)) }

// wait lets a stuck node be stuck.
func (n *loner) wait(ctx context.Context) error {
	if stuck := n.stuck.Load(); stuck != nil {
		return (*stuck)(ctx)
	}
	return ctx.Err()
}

func (n *loner) Submit(ctx context.Context, command []byte) (any, error) {
	if err := n.wait(ctx); err != nil {
		return nil, err
	}
	n.mutex.Lock()
	defer n.mutex.Unlock()
	return n.apply(command, true), nil
}

func (n *loner) apply(command []byte, local bool) any {
	n.index++
	answer := n.store.Apply(n.index, command, local)
	close(n.changed)
	n.changed = make(chan struct{})
	return answer
}

// tick does what is due, as a leader would from time to time.
func (n *loner) tick() {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	for _, command := range n.store.Due(n.now()) {
		n.apply(command, false)
	}
	for step := n.store.StorageStep(); step != nil; step = n.store.StorageStep() {
		if err := archive.Execute(n.fs, "archive", step); err != nil {
			panic(err)
		}
		n.store.StorageStepDone(step)
	}
}

func (n *loner) Barrier(ctx context.Context) (any, error) {
	n.barriers.Add(1)
	if err := n.wait(ctx); err != nil {
		return nil, err
	}
	return n.View(ctx)
}

func (n *loner) View(context.Context) (any, error) {
	if n.stopped.Load() {
		return nil, rpctypes.ErrGRPCStopped
	}
	n.mutex.Lock()
	defer n.mutex.Unlock()
	return n.store.View(), nil
}

func (n *loner) Ask(ctx context.Context, question []byte) ([]byte, error) {
	n.asked.Add(1)
	since := n.now()
	if err := n.wait(ctx); err != nil {
		return nil, err
	}
	n.mutex.Lock()
	defer n.mutex.Unlock()
	return n.store.Query(since, question), nil
}

// Defragment does what is to be done at once, checkpoints included.
func (n *loner) Defragment(ctx context.Context) error {
	if err := n.wait(ctx); err != nil {
		return err
	}
	n.mutex.Lock()
	n.store.Defragment()
	n.mutex.Unlock()
	n.tick()
	return nil
}

func (n *loner) Auth() *auth.View { return n.store.Auth() }

func (n *loner) Changed() <-chan struct{} {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	return n.changed
}

func (n *loner) Status() Status {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	now := n.status
	now.Downgrade = n.store.Downgrade()
	return now
}

func (n *loner) Members(ctx context.Context, linearizable bool) ([]*pb.Member, error) {
	if linearizable {
		if _, err := n.Barrier(ctx); err != nil {
			return nil, err
		}
	}
	return []*pb.Member{{
		ID: 7, Name: "loner",
		PeerURLs:   []string{"http://127.0.0.1:2380"},
		ClientURLs: []string{"http://127.0.0.1:2379"},
	}}, nil
}

// change changes what the node says of itself.
func (n *loner) change(edit func(s *Status)) {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	edit(&n.status)
}

// hang makes the node do nothing until a request's time is over.
func (n *loner) hang() {
	stuck := func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(n.patience):
			return context.DeadlineExceeded
		}
	}
	n.stuck.Store(&stuck)
}

// stop makes the node one that has stopped.
func (n *loner) stop() {
	n.stopped.Store(true)
	n.mutex.Lock()
	defer n.mutex.Unlock()
	close(n.changed)
}

// fail makes the node answer with an error.
func (n *loner) fail(err error) {
	stuck := func(context.Context) error { return err }
	n.stuck.Store(&stuck)
}

// A served node listens on a loopback address.
type served struct {
	*loner
	conn *grpc.ClientConn
	addr string
}

// serve starts a real server for a new loner, and ends both with the test.
func serve(t testing.TB, options Options) *served {
	t.Helper()
	node := newLoner(t)
	if options.Auth == nil {
		options.Auth = node.auth
	}
	server := grpc.NewServer(ServerOptions(node, options)...)
	Register(server, node, options)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	conn, err := grpc.NewClient(listener.Addr().String(),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(1<<30), grpc.MaxCallSendMsgSize(1<<30)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		server.Stop()
		<-done
	})
	return &served{node, conn, listener.Addr().String()}
}

// client is etcd's own client of the node.
func (s *served) client(t testing.TB) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{s.addr}, DialTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// soon is the context of a test that must not hang.
func soon(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}
