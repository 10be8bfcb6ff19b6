package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"detcd/consensus/node"
	"detcd/consensus/replica"
	"detcd/consensus/transport"
	"detcd/kv"
	"detcd/kv/rpc"
)

// Server is a member that serves clients.
type Server struct {
	config Config
	auth   *rpc.Auth
	store  *storage
	node   atomic.Pointer[node.Node] // nil until it has started
	peers  []net.Listener
	front  *front // what clients reach
	device device
	flank  flank

	measures measures
	ready    chan struct{}
	stopping chan struct{}
	stopOnce sync.Once
	done     chan struct{}
	err      error // read after done is closed
}

// Start makes a member run and serve. It returns when the listeners are open and the member has
// recovered; Ready tells when it has found its cluster. ctx bounds the start only. Nothing is left
// behind when it fails but, perhaps, a data directory.
func Start(ctx context.Context, config Config) (*Server, error) {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	if err := config.Validate(); err != nil {
		return nil, err
	}
	s := &Server{
		config: config,
		ready:  make(chan struct{}), stopping: make(chan struct{}), done: make(chan struct{}),
	}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(err, closeAll(s.peers), s.front.abandon(), s.store.close())
	}
	var serving sync.WaitGroup
	s.front.serve(&serving, s.failed)
	serving.Go(s.awaitReady)
	s.keepUp(&serving)
	go s.end(&serving)
	return s, nil
}

// open acquires everything, in the order in which it is given back.
func (s *Server) open(ctx context.Context) (err error) {
	c := &s.config
	if s.auth, err = rpc.NewAuth(c.Auth); err != nil {
		return err
	}
	if s.store, err = c.openStorage(ctx, true); err != nil {
		return err
	}
	c.warn()
	secured := overTLS(transport.Secure, c.PeerTLS, "http/1.1")
	if s.peers, err = c.Sockets.listen(c.ListenPeerURLs, secured); err != nil {
		return err
	}
	clientsMax, strangersMax := c.divideFiles()
	if s.front, err = c.openFront(clientsMax); err != nil {
		return err
	}
	begun := time.Now()
	b, err := c.begin(ctx, s.store)
	if err != nil {
		return err
	}
	c.Log.Info("starting local member", slog.String("name", c.Name),
		slog.String("local-member-id", hex(uint64(b.id))), slog.String("cluster-id", hex(b.cluster)),
		slog.String("data-dir", c.DataDir), slog.Bool("member-initialized", b.used))
	m := newMachine(kv.Options{ElectionTimeout: c.ElectionTimeout, Tokens: s.auth, Tell: c.told,
		Wall: func() int64 { return time.Now().UnixNano() }},
		s.front.timer, c.Log)
	options := node.Options{
		Replica:   c.replicaOptions(b, s.store),
		Listeners: s.peers, TLS: c.PeerTLS, Peers: b.peers,
		Answer: s.answer, Other: s.front.visits.give, Event: s.happened, Log: c.Log,
		Membership: func(before, after replica.Membership) {
			c.toldOfMembers(uint64(b.id), b.cluster, before, after)
		},
		Bounds: transport.Bounds{
			MessageBytes: max(messageBytesMin, 4*c.MaxRequestBytes),
			Timeout:      2 * c.ElectionTimeout,
			Connections:  strangersMax,
		},
	}
	if err := c.forceAlone(b, options.Replica); err != nil {
		return s.store.wrong(err)
	}
	options.Replica.Machine = m
	n, err := node.Start(options)
	if err != nil {
		return s.store.wrong(err)
	}
	s.node.Store(n)
	c.toldOfBeginning(b, n.Members())
	c.warnOfName(len(n.Members().Members))
	s.auth.Live(uint64(n.Status().Last))
	served := &adapter{n, m, c, &s.device, s.front.incidents, begun, &s.measures}
	s.front.log = &s.store.clocks
	err = s.front.register(c, served, s.auth)
	if err == nil && b.used && c.Upkeep.CheckAtStart {
		err = served.checkInitially(ctx)
	}
	if err != nil {
		s.front.visits.Close() // or the node would wait for who is visiting
		return errors.Join(err, n.Stop(context.Background()))
	}
	return nil
}

// keepUp begins what the member does from time to time.
func (s *Server) keepUp(serving *sync.WaitGroup) {
	served, upkeep := s.front.served, &s.config.Upkeep
	serving.Go(s.rest)
	serving.Go(s.report)
	serving.Go(func() { s.compactor(served) })
	serving.Go(func() { s.comparer(upkeep.CheckEvery, served.checkPresent) })
	checked := int64(0)
	serving.Go(func() {
		s.comparer(upkeep.CheckCompactions, func() (err error) {
			checked, err = served.checkCompactions(checked)
			return err
		})
	})
}

// messageBytesMin bounds a message between members, however small requests must be.
const messageBytesMin = 64 << 20

// leaseTTLMin is etcd's: one and a half election time-outs, in whole seconds.
func (c *Config) leaseTTLMin() int64 {
	return int64((3*c.ElectionTimeout/2 + time.Second - 1) / time.Second)
}

// failed ends the server because it cannot accept connections any more.
func (s *Server) failed(err error) {
	s.config.Log.Error("client listener failed", slog.Any("error", err))
	s.stopOnce.Do(func() { close(s.stopping) })
}

// awaitReady waits until there is a leader and the cluster knows this member's name, and until what
// was agreed on by then is known here. Then the door is open for clients.
func (s *Server) awaitReady() {
	n, log := s.node.Load(), s.config.Log
	for {
		changed := n.Changed()
		if s.isReady(n) && s.isPresent(n) {
			break
		}
		select {
		case <-changed:
		case <-time.After(s.config.HeartbeatInterval):
		case <-n.Done():
			return
		}
	}
	log.Info("published local member to cluster through raft",
		slog.String("local-member-id", hex(uint64(n.Status().ID))))
	log.Info("ready to serve client requests", slog.String("address", addresses(s.front.clients)))
	s.front.open(log)
	close(s.ready)
}

func (s *Server) isReady(n *node.Node) bool {
	now, members := n.Status(), n.Members()
	self, ok := members.Find(now.ID)
	return ok && now.Leader != 0 && self.Incarnation == now.Incarnation &&
		self.Name == s.config.Name &&
		slices.Equal(self.ClientURLs, s.config.AdvertiseClientURLs.StringSlice())
}

// isPresent tells whether this member knows all that was agreed on.
func (s *Server) isPresent(n *node.Node) bool {
	ctx, cancel := context.WithTimeout(context.Background(), s.config.requestTime())
	defer cancel()
	_, err := n.Barrier(ctx)
	return err == nil
}

// end waits for the end of the member and gives everything back.
func (s *Server) end(serving *sync.WaitGroup) {
	n := s.node.Load()
	select {
	case <-n.Done():
	case <-s.stopping:
	}
	drained := make(chan struct{})
	go func() {
		s.front.drain()
		close(drained)
	}()
	s.err = n.Stop(context.Background())
	select {
	case <-drained:
	case <-time.After(drainTime):
		s.front.close()
		<-drained
	}
	serving.Wait()
	s.err = cmp.Or(s.err, s.store.close())
	close(s.done)
}

// drainTime is how long requests and streams get to end by themselves, after the member has.
const drainTime = time.Second

// Ready is closed when the member has a leader and is known to the cluster by its name.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Done is closed when the server has ended and released everything: after Stop, or by itself.
func (s *Server) Done() <-chan struct{} { return s.done }

// Err says why the server ended, nil after a clean stop: node.ErrRemoved, node.ErrRefused, an error
// of the disk and so on. Before Done is closed it is nil.
func (s *Server) Err() error {
	select {
	case <-s.done:
		return s.err
	default:
		return nil
	}
}

// Stop ends the server: leadership is handed over if there is somebody to take it, requests get a
// moment to end, everything is released. It returns Err, or earlier when the context ends; the
// server then goes on ending. A second call waits for the same end.
func (s *Server) Stop(ctx context.Context) error {
	s.stopOnce.Do(func() { close(s.stopping) })
	select {
	case <-s.done:
		return s.err
	case <-ctx.Done():
		return fmt.Errorf("stop the server: %w", context.Cause(ctx))
	}
}

// ClientAddresses are what the client listeners are bound to, as in "127.0.0.1:2379".
func (s *Server) ClientAddresses() []string {
	var all []string
	for _, listener := range s.front.clients {
		all = append(all, listener.Addr().String())
	}
	return all
}
