package probe

import (
	"context"
	"strings"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// A login is a user of the cluster, who logs in at each member. His tokens end: a member that was
// started again has forgotten them. Its methods may be called from any goroutine.
type login struct {
	name, password string

	mu     sync.Mutex                  // guards what follows
	tokens map[*grpc.ClientConn]string // of who is logged in there
}

func newLogin(name string) *login {
	return &login{name: name, password: "of " + name, tokens: map[*grpc.ClientConn]string{}}
}

// noLogin begins the errors of requests that were not sent.
const noLogin = "cannot log in: "

// On returns a connection on which the user makes all requests. Nobody uses it as it is.
func (l *login) On(conn *grpc.ClientConn) grpc.ClientConnInterface {
	if l == nil {
		return conn
	}
	return &session{conn: conn, login: l}
}

// session is a connection of a user.
type session struct {
	conn  *grpc.ClientConn
	login *login
}

// Invoke makes a request. If its token is not good any more the member did not begin with it: then
// the user logs in again, and makes it once more.
func (s *session) Invoke(
	ctx context.Context, method string, request, reply any, options ...grpc.CallOption,
) error {
	for again := false; ; again = true {
		ctx, token, err := s.enter(ctx)
		if err != nil {
			return err
		}
		err = s.conn.Invoke(ctx, method, request, reply, options...)
		if err == nil || !s.leave(token, err.Error()) || again {
			return err
		}
	}
}

// NewStream opens a stream. A watch that is refused for its token is not opened again, but the next
// one is of a user who has logged in again.
func (s *session) NewStream(
	ctx context.Context, desc *grpc.StreamDesc, method string, options ...grpc.CallOption,
) (grpc.ClientStream, error) {
	ctx, token, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	stream, err := s.conn.NewStream(ctx, desc, method, options...)
	if err != nil {
		return nil, err
	}
	return &tokened{ClientStream: stream, session: s, token: token}, nil
}

// tokened is a stream that learns what is said of its token.
type tokened struct {
	grpc.ClientStream
	session *session
	token   string
}

// RecvMsg waits for a message.
func (t *tokened) RecvMsg(message any) error {
	err := t.ClientStream.RecvMsg(message)
	if err != nil {
		t.session.leave(t.token, err.Error())
	} else if watch, ok := message.(*pb.WatchResponse); ok && watch.Canceled {
		t.session.leave(t.token, watch.CancelReason)
	}
	return err
}

// enter gives a request the token of the user, who logs in if he has none.
func (s *session) enter(ctx context.Context) (context.Context, string, error) {
	s.login.mu.Lock()
	token := s.login.tokens[s.conn]
	s.login.mu.Unlock()
	if token == "" {
		answer, err := pb.NewAuthClient(s.conn).Authenticate(ctx,
			&pb.AuthenticateRequest{Name: s.login.name, Password: s.login.password})
		if err != nil {
			return nil, "", status.Error(codes.Unauthenticated, noLogin+message(err))
		}
		token = answer.Token
		s.login.mu.Lock()
		s.login.tokens[s.conn] = token
		s.login.mu.Unlock()
	}
	return metadata.AppendToOutgoingContext(ctx, rpctypes.TokenFieldNameGRPC, token), token, nil
}

// leave forgets a token if an error says that it is not good any more.
func (s *session) leave(token, reason string) bool {
	if !strings.Contains(reason, message(rpctypes.ErrGRPCInvalidAuthToken)) &&
		!strings.Contains(reason, message(rpctypes.ErrGRPCAuthOldRevision)) {
		return false
	}
	s.login.mu.Lock()
	defer s.login.mu.Unlock()
	if s.login.tokens[s.conn] == token {
		delete(s.login.tokens, s.conn)
	}
	return true
}
