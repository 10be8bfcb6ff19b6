package rpc

import (
	"cmp"
	"context"
	"runtime"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"golang.org/x/crypto/bcrypt"
)

// What etcd does unless it is told otherwise.
const (
	tokenTTL   = 5 * time.Minute
	bcryptCost = bcrypt.DefaultCost
)

// TokenSimple is how tokens are made by default.
const TokenSimple = "simple"

// AuthOptions say how users are known.
type AuthOptions struct {
	Token        string        // TokenSimple or "jwt,…" as for --auth-token; empty: nobody gets one
	TokenTTL     time.Duration // of a simple token that is not used
	BcryptCost   int           // of the hashes of passwords; one out of bcrypt's range is the default
	Certificates bool          // the common name in a client's certificate is a user
}

// Auth is how a member knows users: by passwords, tokens and certificates. It is the kv.Tokens of
// its store.
type Auth struct {
	cost         int
	certificates bool
	keeper       *keeper
	signer       *signer // nil: tokens are simple
	none         bool
	hashing      *turns // one for each password that may be hashed at a time
}

// NewAuth reads the keys of tokens that are signed. Its errors are etcd's.
func NewAuth(o AuthOptions) (*Auth, error) {
	a := &Auth{cost: o.BcryptCost, certificates: o.Certificates, none: o.Token == "",
		keeper: newKeeper(cmp.Or(max(o.TokenTTL, 0), tokenTTL)),
		// A hash takes a processor for some 60 ms. Clients that guess passwords are to leave some for
		// everything else.
		hashing: newTurns(max(1, runtime.GOMAXPROCS(0)/2))}
	if a.cost < bcrypt.MinCost || a.cost > bcrypt.MaxCost {
		a.cost = bcryptCost
	}
	kind, options, err := parseTokenSpec(o.Token)
	if err != nil {
		return nil, err
	}
	switch kind {
	case "jwt":
		a.signer, err = newSigner(options)
	case "", TokenSimple:
	default:
		err = ErrAuthOptions
	}
	return a, err
}

// Assign remembers a simple token.
func (a *Auth) Assign(index uint64, token, user string) {
	a.keeper.assign(index, token, user, time.Now())
}

// Revoke forgets the simple tokens of a user.
func (a *Auth) Revoke(user string) { a.keeper.revoke(user) }

// Clear forgets all simple tokens.
func (a *Auth) Clear() { a.keeper.clear() }

// Live says up to which index the member had the log when it started: tokens that were given out
// before are not known again. Until then none is.
func (a *Auth) Live(index uint64) { a.keeper.live(index) }

// An authService is etcd's Auth service.
type authService struct {
	*carrier
	pb.UnimplementedAuthServer
}

func (s *authService) AuthEnable(
	ctx context.Context, r *pb.AuthEnableRequest,
) (*pb.AuthEnableResponse, error) {
	return carry[*pb.AuthEnableResponse](ctx, s.carrier, r)
}

func (s *authService) AuthDisable(
	ctx context.Context, r *pb.AuthDisableRequest,
) (*pb.AuthDisableResponse, error) {
	return carry[*pb.AuthDisableResponse](ctx, s.carrier, r)
}

func (s *authService) AuthStatus(
	ctx context.Context, r *pb.AuthStatusRequest,
) (*pb.AuthStatusResponse, error) {
	return carry[*pb.AuthStatusResponse](ctx, s.carrier, r)
}

func (s *authService) Authenticate(
	ctx context.Context, r *pb.AuthenticateRequest,
) (*pb.AuthenticateResponse, error) {
	ctx = context.WithValue(ctx, claimed{}, r.Name)
	return carry[*pb.AuthenticateResponse](ctx, s.carrier, r)
}

func (s *authService) UserAdd(
	ctx context.Context, r *pb.AuthUserAddRequest,
) (*pb.AuthUserAddResponse, error) {
	return carry[*pb.AuthUserAddResponse](ctx, s.carrier, r)
}

func (s *authService) UserGet(
	ctx context.Context, r *pb.AuthUserGetRequest,
) (*pb.AuthUserGetResponse, error) {
	return carry[*pb.AuthUserGetResponse](ctx, s.carrier, r)
}

func (s *authService) UserList(
	ctx context.Context, r *pb.AuthUserListRequest,
) (*pb.AuthUserListResponse, error) {
	return carry[*pb.AuthUserListResponse](ctx, s.carrier, r)
}

func (s *authService) UserDelete(
	ctx context.Context, r *pb.AuthUserDeleteRequest,
) (*pb.AuthUserDeleteResponse, error) {
	return carry[*pb.AuthUserDeleteResponse](ctx, s.carrier, r)
}

func (s *authService) UserChangePassword(
	ctx context.Context, r *pb.AuthUserChangePasswordRequest,
) (*pb.AuthUserChangePasswordResponse, error) {
	return carry[*pb.AuthUserChangePasswordResponse](ctx, s.carrier, r)
}

func (s *authService) UserGrantRole(
	ctx context.Context, r *pb.AuthUserGrantRoleRequest,
) (*pb.AuthUserGrantRoleResponse, error) {
	return carry[*pb.AuthUserGrantRoleResponse](ctx, s.carrier, r)
}

func (s *authService) UserRevokeRole(
	ctx context.Context, r *pb.AuthUserRevokeRoleRequest,
) (*pb.AuthUserRevokeRoleResponse, error) {
	return carry[*pb.AuthUserRevokeRoleResponse](ctx, s.carrier, r)
}

func (s *authService) RoleAdd(
	ctx context.Context, r *pb.AuthRoleAddRequest,
) (*pb.AuthRoleAddResponse, error) {
	return carry[*pb.AuthRoleAddResponse](ctx, s.carrier, r)
}

func (s *authService) RoleGet(
	ctx context.Context, r *pb.AuthRoleGetRequest,
) (*pb.AuthRoleGetResponse, error) {
	return carry[*pb.AuthRoleGetResponse](ctx, s.carrier, r)
}

func (s *authService) RoleList(
	ctx context.Context, r *pb.AuthRoleListRequest,
) (*pb.AuthRoleListResponse, error) {
	return carry[*pb.AuthRoleListResponse](ctx, s.carrier, r)
}

func (s *authService) RoleDelete(
	ctx context.Context, r *pb.AuthRoleDeleteRequest,
) (*pb.AuthRoleDeleteResponse, error) {
	return carry[*pb.AuthRoleDeleteResponse](ctx, s.carrier, r)
}

func (s *authService) RoleGrantPermission(
	ctx context.Context, r *pb.AuthRoleGrantPermissionRequest,
) (*pb.AuthRoleGrantPermissionResponse, error) {
	return carry[*pb.AuthRoleGrantPermissionResponse](ctx, s.carrier, r)
}

func (s *authService) RoleRevokePermission(
	ctx context.Context, r *pb.AuthRoleRevokePermissionRequest,
) (*pb.AuthRoleRevokePermissionResponse, error) {
	return carry[*pb.AuthRoleRevokePermissionResponse](ctx, s.carrier, r)
}
