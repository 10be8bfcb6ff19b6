package server

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"math"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"detcd/consensus/transport"
	"detcd/kv"
	"detcd/kv/gateway"
	"detcd/kv/gateway/v2http"
	"detcd/kv/rpc"
)

// A front is everything of a member that clients reach: listeners, gRPC and HTTP.
//
// Many fields: they are all the servers of a member, the listeners that they serve, and what they
// count.
type front struct {
	door    *door
	places  *transport.Places // of the connections to all listeners here
	clients []net.Listener    // gRPC, and by the door HTTP, unless it has listeners of its own
	webs    []net.Listener    // HTTP only
	others  []net.Listener    // observers only
	inside  *bufconn.Listener

	grpc     *grpc.Server
	http     *http.Server
	watch    *http.Server     // for observers
	peer     *http.Server     // at the address of the members
	visits   *handover        // connections to there that are not of members
	services *grpc.ClientConn // what JSON is translated to
	recipes  *rpc.Recipes     // Lock and Election, which ask the other services
	lent     sync.WaitGroup   // requests of gRPC that HTTP serves

	served    *adapter
	gateway   *gateway.Gateway
	v2        *v2http.Handler // nil: /v2 is not served
	meter     *rpc.Meter
	incidents *rpc.Incidents
	timer     *stopwatch
	log       *logClocks
}

// openFront opens the listeners.
func (c *Config) openFront(connectionsMax int) (*front, error) {
	f := &front{
		places: c.newClientPlaces(connectionsMax),
		door:   newDoor(c.Log), inside: bufconn.Listen(insideBytes), meter: new(rpc.Meter),
		visits: newHandover(), incidents: rpc.NewIncidents(c.Log),
		timer: &stopwatch{slow: &rpc.Slow{
			Log: c.Log, Request: c.SlowRequest, Apply: c.SlowApply,
		}},
	}
	if c.Web.Extensive {
		f.meter.Time()
	}
	shared := len(c.Web.ListenURLs) == 0
	var err, errWeb, errOthers error
	enter := func(l net.Listener, p place) net.Listener {
		l = f.places.Listen(&ackedListener{l, c.Keepalive.Timeout})
		if p.secure {
			return f.door.enter(l, c.ClientTLS, p.plain, shared)
		}
		return f.door.enter(l, nil, true, shared)
	}
	f.clients, err = c.Sockets.listen(c.ListenClientURLs, enter)
	secure := overTLS(tls.NewListener, c.ClientTLS, "h2", "http/1.1")
	secured := func(l net.Listener, p place) net.Listener {
		return secure(f.places.Listen(l), p)
	}
	f.webs, errWeb = c.Sockets.listen(c.Web.ListenURLs, secured)
	f.others, errOthers = c.Sockets.listen(c.Web.ObserverURLs, secured)
	return f, errors.Join(err, errWeb, errOthers)
}

// insideBytes is the buffer between the two ends of the connection that JSON takes.
const insideBytes = 1 << 20

// abandon closes what was opened and never served.
func (f *front) abandon() error {
	if f == nil {
		return nil
	}
	f.visits.Close()
	if f.recipes != nil {
		f.recipes.Close()
	}
	if f.services != nil {
		f.services.Close()
	}
	if f.grpc != nil {
		f.grpc.Stop()
	}
	return f.closeListeners()
}

func (f *front) closeListeners() error {
	return errors.Join(closeAll(f.clients), closeAll(f.webs), closeAll(f.others))
}

// register makes the servers.
func (f *front) register(c *Config, served *adapter, auth *rpc.Auth) error {
	var err error
	if f.services, err = f.dialInside(); err != nil {
		return err
	}
	if f.recipes, err = rpc.NewRecipes(f.services); err != nil {
		return err
	}
	options := rpc.Options{
		Limits: kv.Limits{
			RequestBytesMax: c.MaxRequestBytes, TxnOpsMax: c.MaxTxnOps, LeaseTTLMin: c.leaseTTLMin(),
		},
		ElectionTimeout:      c.ElectionTimeout,
		ProgressInterval:     c.WatchProgressInterval,
		ConcurrentStreamsMax: c.MaxConcurrentStreams,
		Auth:                 auth,
		Meter:                f.meter,
		Slow:                 f.timer.slow,
		Incidents:            f.incidents,
		Recipes:              f.recipes,
		KeepaliveMinTime:     c.Keepalive.MinTime,
		KeepaliveInterval:    c.Keepalive.Interval,
		KeepaliveTimeout:     c.Keepalive.Timeout,
	}
	f.grpc = grpc.NewServer(append(rpc.ServerOptions(served, options), grpc.Creds(f.door),
		grpc.ConnectionTimeout(headerTime), grpc.MaxHeaderListSize(headerBytes),
		grpc.InitialWindowSize(windowBytes), grpc.InitialConnWindowSize(windowBytes))...)
	rpc.Register(f.grpc, served, options)
	f.served = served
	settings := gateway.Options{
		Node: served, Services: f.services, Recipes: f.recipes.List(),
		Timeout: c.requestTime(), Metrics: f.metrics, RequestBytesMax: c.MaxRequestBytes,
		Origins: c.Web.Origins, Hosts: c.Web.Hosts, Profiling: c.Web.Profiling,
		Certificates: c.Auth.Certificates, Log: c.Log,
	}
	if c.Web.NoJSON {
		settings.Services = nil
	}
	if !c.Web.NoV2 {
		f.v2 = c.newV2(served)
		settings.Extend = f.v2.Register
	}
	if f.gateway, err = gateway.New(settings); err != nil {
		return err
	}
	errors := slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug)
	f.http = &http.Server{
		Handler: f.lend(f.gateway), ReadHeaderTimeout: headerTime, MaxHeaderBytes: headerBytes,
		ErrorLog: errors, ConnContext: f.door.secure, Protocols: new(http.Protocols),
	}
	f.http.Protocols.SetHTTP1(true)
	f.http.Protocols.SetHTTP2(true)
	f.http.Protocols.SetUnencryptedHTTP2(true) // what the door has looked into, it has decrypted
	f.watch = &http.Server{
		Handler: f.gateway.Observation(), ReadHeaderTimeout: headerTime,
		MaxHeaderBytes: headerBytes, ErrorLog: errors,
	}
	f.peer = &http.Server{
		Handler: gateway.Peer(
			served, pb.NewClusterClient(f.services), c.requestTime(), c.tellOfEtcd()),
		ReadHeaderTimeout: headerTime, ReadTimeout: headerTime, IdleTimeout: headerTime,
		MaxHeaderBytes: headerBytes, ErrorLog: errors,
	}
	return nil
}

// headerTime is how long a client may take to say what it wants, headerBytes how many bytes of
// metadata it may need for that.
const (
	headerTime  = 30 * time.Second
	headerBytes = 128 << 10
)

// How the gRPC server is run; together they save a fifth of the processor time of a put (decision
// 0504). Windows that are set need not be measured, so there is no PING for every request.
const windowBytes = 1 << 20 // of what a client may send ahead, for each stream and connection

// dialInside connects to the member's own services by way of memory.
func (f *front) dialInside() (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///inside",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return f.inside.DialContext(ctx)
		}),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(math.MaxInt32), grpc.MaxCallSendMsgSize(math.MaxInt32)))
}

// lend passes requests of gRPC on that came to HTTP: the client left open what it would speak. What
// is not about the health of the member waits until the door is open.
func (f *front) lend(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if state, ok := r.Context().Value(secured{}).(*tls.ConnectionState); ok {
			r.TLS = state
		}
		if !isWatching(r.URL.Path) && !f.door.await(r.Context()) {
			http.Error(w, rpctypes.ErrGRPCStopped.Error(), http.StatusServiceUnavailable)
			return
		}
		if r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
			f.lent.Add(1)
			defer f.lent.Done()
			f.grpc.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isWatching tells whether a request is about the member rather than the keys. Such are answered as
// soon as there is somebody to answer them: whether a member that has not found its cluster is
// alive is what one asks first.
func isWatching(path string) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch first {
	case "health", "livez", "readyz", "metrics", "version", "debug":
		return true
	}
	return false
}

// serve serves all listeners. failed is told when one of them fails.
func (f *front) serve(serving *sync.WaitGroup, failed func(error)) {
	for _, listener := range append([]net.Listener{f.inside}, f.clients...) {
		serving.Go(func() {
			err := f.grpc.Serve(listener)
			if !errors.Is(err, grpc.ErrServerStopped) && !errors.Is(err, net.ErrClosed) && err != nil {
				failed(err)
			}
		})
	}
	web := func(server *http.Server, listeners []net.Listener) {
		for _, listener := range listeners {
			serving.Go(func() {
				if err := server.Serve(listener); err != nil && !errors.Is(err, http.ErrServerClosed) {
					failed(err)
				}
			})
		}
	}
	web(f.http, append([]net.Listener{f.door.web}, f.webs...))
	web(f.watch, f.others)
	web(f.peer, []net.Listener{f.visits})
}

// open lets clients in.
func (f *front) open(log *slog.Logger) {
	f.door.open()
	for _, listener := range f.clients {
		e := listener.(*entrance)
		traffic := slog.String("traffic", "grpc")
		if e.http {
			traffic = slog.String("traffic", "grpc+http")
		}
		address := slog.String("address", e.Addr().String())
		if e.bare {
			log.Info("serving client traffic insecurely; this is strongly discouraged!", traffic, address)
		}
		if e.tls != nil {
			log.Info("serving client traffic securely", traffic, address)
		}
	}
}

// drain takes no more requests and returns when those that are here have ended. HTTP goes first,
// because gRPC cannot drain what it was lent; its streams may take half the time.
func (f *front) drain() {
	closeAll(f.clients)
	f.door.forget()
	f.watch.Close()
	f.visits.Close()
	f.peer.Close()
	if f.v2 != nil {
		f.v2.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), drainTime/2)
	defer cancel()
	if err := f.http.Shutdown(ctx); err != nil {
		f.http.Close()
	}
	f.lent.Wait()
	f.recipes.Close()
	f.services.Close()
	f.grpc.GracefulStop()
}

// close ends all requests now; drain then returns.
func (f *front) close() {
	f.http.Close()
	f.lent.Wait()
	f.door.cut()
	f.grpc.Stop()
}
