package rpc

import (
	"context"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"golang.org/x/crypto/bcrypt"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"detcd/kv"
	"detcd/kv/auth"
)

// A guest is whoever makes one request: its kv.Credentials.
type guest struct {
	*carrier
	ctx context.Context
}

var _ kv.Credentials = guest{}

// Caller finds out who makes the request: by the token, or else by the certificate.
func (g guest) Caller() (auth.Caller, error) {
	if !g.node.Auth().Enabled() {
		return auth.Caller{}, nil
	}
	token, shown := tokenOf(g.ctx)
	switch {
	case shown && g.auth.none:
	case shown && g.auth.signer != nil:
		if caller, ok := g.auth.signer.read(token); ok {
			return caller, nil
		}
	case shown:
		if caller, ok := g.holder(token); ok {
			return caller, nil
		}
	case g.auth.certificates:
		if name, ok := commonName(g.ctx); ok {
			return auth.Caller{User: name, Revision: g.node.Auth().Revision()}, nil
		}
		fallthrough
	default:
		return auth.Caller{}, nil
	}
	return auth.Caller{}, rpctypes.ErrGRPCInvalidAuthToken
}

// tokenOf gives the token that came with a request: from a gRPC client, or by way of JSON.
func tokenOf(ctx context.Context) (string, bool) {
	for _, key := range [...]string{
		rpctypes.TokenFieldNameGRPC, rpctypes.TokenFieldNameSwagger,
	} {
		if values := metadata.ValueFromIncomingContext(ctx, key); len(values) > 0 {
			return strings.TrimPrefix(values[0], "Bearer "), true
		}
	}
	return "", false
}

// holder tells who has a simple token. The revision is read first: should the user be deleted and
// another one get the name, it is an old one.
//
// The log may have brought this member less than the one that gave the token out. So it waits for
// a while; somebody who invents tokens may wait as long.
func (g guest) holder(token string) (auth.Caller, bool) {
	index, ok := indexOf(token)
	if !ok {
		return auth.Caller{}, false
	}
	ctx, cancel := context.WithTimeout(g.ctx, g.election)
	defer cancel()
	for {
		changed, applied := g.node.Changed(), g.node.Status().RaftApplied
		revision := g.node.Auth().Revision()
		if user, ok := g.auth.keeper.find(token, time.Now()); ok {
			return auth.Caller{User: user, Revision: revision}, true
		}
		if applied >= index {
			return auth.Caller{}, false
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return auth.Caller{}, false
		}
	}
}

// commonName gives the name in the certificate of a client. The gateway's own connection has none.
func commonName(ctx context.Context) (string, bool) {
	from, ok := peer.FromContext(ctx)
	if !ok {
		return "", false
	}
	info, ok := from.AuthInfo.(credentials.TLSInfo)
	if !ok || len(metadata.ValueFromIncomingContext(ctx, "grpcgateway-accept")) > 0 {
		return "", false
	}
	for _, chain := range info.State.VerifiedChains {
		if len(chain) > 0 {
			return chain[0].Subject.CommonName, true
		}
	}
	return "", false
}

// Hash makes a salted hash of a password.
func (g guest) Hash(password string) (hash []byte, err error) {
	err = g.work(func() error {
		hash, err = bcrypt.GenerateFromPassword([]byte(password), g.auth.cost)
		return outwardOfToken(err)
	})
	return hash, err
}

// Matches tells whether a hash is of a password.
func (g guest) Matches(hash []byte, password string) (right bool, err error) {
	err = g.work(func() error {
		right = bcrypt.CompareHashAndPassword(hash, []byte(password)) == nil
		g.auth.hashing.judge(connectionOf(g.ctx), right)
		return nil
	})
	return right, err
}

// work does what takes a processor for long, when not too many others do.
func (g guest) work(do func() error) error {
	begun := time.Now()
	user, _ := g.ctx.Value(claimed{}).(string)
	if err := g.auth.hashing.take(g.ctx, addressOf(g.ctx), user, connectionOf(g.ctx)); err != nil {
		return g.failure(g.ctx, err, begun)
	}
	defer g.auth.hashing.give()
	return do()
}

// claimed is where the context of a request has whom its maker claims to be.
type claimed struct{}

// Prefix begins a simple token.
func (g guest) Prefix() (string, error) {
	switch {
	case g.auth.none:
		return "", rpctypes.ErrGRPCAuthFailed
	case g.auth.signer != nil:
		return "", nil
	}
	begin, err := prefix()
	return begin, outwardOfToken(err)
}

// Sign makes a signed token.
func (g guest) Sign(caller auth.Caller) (string, error) {
	token, err := g.auth.signer.token(caller, time.Now())
	return token, outwardOfToken(err)
}

// outwardOfToken is what a client is told when a hash or a token could not be made.
func outwardOfToken(err error) error {
	if err == nil {
		return nil
	}
	return status.Error(codes.Unknown, err.Error())
}

// permit refuses a request that is not carried, if its maker may not make it.
func (c *carrier) permit(ctx context.Context, request proto.Message) error {
	if !c.node.Auth().Enabled() {
		return nil
	}
	begun := time.Now()
	view, err := c.node.View(ctx)
	if err != nil {
		return c.failure(ctx, err, begun)
	}
	return kv.Permit(view.(*kv.View), request, guest{c, ctx})
}
