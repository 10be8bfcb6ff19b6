package rpc

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"detcd/storage/vfs"
)

const (
	// incidentEvery is the least time between two lines about the same incident. The line after that
	// says how many there were in between.
	incidentEvery = 10 * time.Second
	// incidentsMax bounds the incidents that are told apart. Beyond it those of a kind share one line
	// in incidentEvery: who invents names and addresses fills no log.
	incidentsMax = 256
)

// Incidents tells the log of logins that fail, of requests that are refused because of who makes
// them, and of damage that a request has met. It never tells a password, a token or a value. A nil
// one tells nobody.
type Incidents struct {
	log *slog.Logger

	mutex sync.Mutex
	known map[incident]*repetition
}

// An incident is what lines are told apart by.
type incident struct {
	text string
	who  string // user and address; or the file that is damaged
}

// A repetition is how often an incident was, since the line about it.
type repetition struct {
	told time.Time
	more int
}

// NewIncidents makes one that tells a log.
func NewIncidents(log *slog.Logger) *Incidents {
	return &Incidents{log: log, known: make(map[incident]*repetition)}
}

// due says whether an incident is to be logged now, and how many of its kind were not before.
func (i *Incidents) due(one incident, now time.Time) (more int, tell bool) {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	r := i.known[one]
	if r == nil && len(i.known) >= incidentsMax {
		// order-free: each is looked at by itself
		for old, before := range i.known {
			if now.Sub(before.told) >= incidentEvery {
				delete(i.known, old)
			}
		}
		if len(i.known) >= incidentsMax {
			one.who = ""
			r = i.known[one]
		}
	}
	if r == nil {
		r = new(repetition)
		i.known[one] = r
	}
	if now.Sub(r.told) < incidentEvery {
		r.more++
		return 0, false
	}
	more = r.more
	*r = repetition{told: now}
	return more, true
}

// tell logs an incident if that is due.
func (i *Incidents) tell(level slog.Level, text, who string, attributes ...any) {
	more, due := i.due(incident{text, who}, time.Now())
	if !due {
		return
	}
	if more > 0 {
		attributes = append(attributes, slog.Int("not-logged-before", more))
	}
	i.log.Log(context.Background(), level, text, attributes...)
}

// Damage tells of damage to what is stored, if that is what an error is about.
func (i *Incidents) Damage(err error) {
	var damage *vfs.CorruptionError
	if i == nil || !errors.As(err, &damage) {
		return
	}
	i.tell(slog.LevelError, "found damage in what this member has stored", damage.File,
		slog.String("file", damage.File), slog.Int64("offset", damage.Offset),
		slog.String("reason", damage.Reason))
}

// observe tells of a request that ended with an error. The texts are etcd's, where it has one.
func (i *Incidents) observe(
	ctx context.Context, caller guest, method string, request any, err error,
) {
	if i == nil || err == nil {
		return
	}
	i.Damage(err)
	text, user := "", ""
	switch login, isLogin := request.(*pb.AuthenticateRequest); {
	case isLogin && errors.Is(err, rpctypes.ErrGRPCAuthFailed):
		text, user = "invalid authentication was requested", login.Name
	case errors.Is(err, rpctypes.ErrGRPCInvalidAuthToken):
		text = "invalid auth token"
	case errors.Is(err, rpctypes.ErrGRPCUserEmpty):
		text = "refused a request of nobody: authentication is on, and no user was given"
	case errors.Is(err, rpctypes.ErrGRPCPermissionDenied):
		text = "permission denied"
		if known, err := caller.Caller(); err == nil {
			user = known.User
		}
	default:
		return
	}
	remote := remoteOf(ctx)
	host, _, errSplit := net.SplitHostPort(remote)
	if errSplit != nil {
		host = remote
	}
	attributes := []any{slog.String("user", user), slog.String("remote", remote),
		slog.String("method", method)}
	if key, end := rangeOf(request); key != nil {
		attributes = append(attributes, slog.String("key", string(key)),
			slog.String("range-end", string(end)))
	}
	i.tell(slog.LevelWarn, text, user+"\x00"+host, append(attributes, slog.Any("error", err))...)
}

// remoteOf is the address of who makes a request, also where it came as JSON.
func remoteOf(ctx context.Context) string {
	if via := metadata.ValueFromIncomingContext(ctx, "x-forwarded-for"); len(via) > 0 {
		return via[0]
	}
	if client, ok := peer.FromContext(ctx); ok {
		return client.Addr.String()
	}
	return ""
}

// rangeOf is what keys a request is about, where it is about one range.
func rangeOf(request any) (key, end []byte) {
	switch r := request.(type) {
	case *pb.RangeRequest:
		return r.Key, r.RangeEnd
	case *pb.PutRequest:
		return r.Key, nil
	case *pb.DeleteRangeRequest:
		return r.Key, r.RangeEnd
	case *pb.WatchCreateRequest:
		return r.Key, r.RangeEnd
	}
	return nil, nil
}

// observed tells of the requests that an interceptor ends with an error.
func (c *carrier) observed(next grpc.UnaryServerInterceptor) grpc.UnaryServerInterceptor {
	return func(
		ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler,
	) (any, error) {
		response, err := next(ctx, request, info, handle)
		c.incidents.observe(ctx, guest{c, ctx}, info.FullMethod, request, err)
		return response, err
	}
}

// observedStream is the same for streams.
func (c *carrier) observedStream(next grpc.StreamServerInterceptor) grpc.StreamServerInterceptor {
	return func(
		service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler,
	) error {
		err := next(service, stream, info, handle)
		ctx := stream.Context()
		c.incidents.observe(ctx, guest{c, ctx}, info.FullMethod, nil, err)
		return err
	}
}
