package kv

import (
	"encoding/base64"
	"strconv"

	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"detcd/kv/auth"
)

// authCommands are the commands that change users and roles, in the order of their kinds, from
// kindAuth on. They are in the log: more may only be added at the end.
func authCommands() []proto.Message {
	return []proto.Message{
		&pb.AuthEnableRequest{}, &pb.AuthDisableRequest{},
		&pb.AuthUserAddRequest{}, &pb.AuthUserDeleteRequest{}, &pb.AuthUserChangePasswordRequest{},
		&pb.AuthUserGrantRoleRequest{}, &pb.AuthUserRevokeRoleRequest{},
		&pb.AuthRoleAddRequest{}, &pb.AuthRoleDeleteRequest{},
		&pb.AuthRoleGrantPermissionRequest{}, &pb.AuthRoleRevokePermissionRequest{},
		// Its caller is the user who is to get a token, and the revision at which the password was his.
		&pb.InternalAuthenticateRequest{},
	}
}

// authKind is the kind of a command that changes users and roles.
func authKind(request proto.Message) (kind, bool) {
	for i, command := range authCommands() {
		if command.ProtoReflect().Descriptor() == request.ProtoReflect().Descriptor() {
			return kindAuth + kind(i), true
		}
	}
	return 0, false
}

// authCommand is an empty command of a kind; nil: it is not one of users and roles.
func authCommand(k kind) proto.Message {
	if all := authCommands(); k >= kindAuth && int(k-kindAuth) < len(all) {
		return all[k-kindAuth]
	}
	return nil
}

// Auth is who may do what, as of now. Any goroutine may call it.
func (s *Store) Auth() *auth.View { return s.published.Load() }

// applyAuth executes a command on users and roles.
func (s *Store) applyAuth(request proto.Message) (proto.Message, error) {
	defer func() {
		s.published.Store(s.auth.View())
		s.digest.word(uint64(s.auth.View().Revision()))
	}()
	switch r := request.(type) {
	case *pb.AuthEnableRequest:
		return &pb.AuthEnableResponse{Header: s.header()}, s.auth.Enable()
	case *pb.AuthDisableRequest:
		s.auth.Disable()
		s.tokens.Clear()
		return &pb.AuthDisableResponse{Header: s.header()}, nil
	case *pb.AuthRoleAddRequest:
		return &pb.AuthRoleAddResponse{Header: s.header()}, s.auth.AddRole(r.Name)
	case *pb.AuthRoleDeleteRequest:
		return &pb.AuthRoleDeleteResponse{Header: s.header()}, s.auth.DeleteRole(r.Role)
	case *pb.AuthRoleGrantPermissionRequest:
		var p *auth.Permission
		if r.Perm != nil {
			p = &auth.Permission{Access: auth.Access(r.Perm.PermType),
				Key: string(r.Perm.Key), End: string(r.Perm.RangeEnd)}
		}
		return &pb.AuthRoleGrantPermissionResponse{Header: s.header()},
			s.auth.GrantPermission(r.Name, p)
	case *pb.AuthRoleRevokePermissionRequest:
		return &pb.AuthRoleRevokePermissionResponse{Header: s.header()},
			s.auth.RevokePermission(r.Role, string(r.Key), string(r.RangeEnd))
	}
	return s.applyUser(request)
}

// applyUser executes a command on users. Who has another password, or is gone, is no longer known
// by his tokens.
func (s *Store) applyUser(request proto.Message) (answer proto.Message, err error) {
	gone := ""
	switch r := request.(type) {
	case *pb.AuthUserAddRequest:
		answer = &pb.AuthUserAddResponse{Header: s.header()}
		err = s.auth.AddUser(r.Name, r.HashedPassword, r.GetOptions().GetNoPassword())
	case *pb.AuthUserDeleteRequest:
		answer, gone = &pb.AuthUserDeleteResponse{Header: s.header()}, r.Name
		err = s.auth.DeleteUser(r.Name)
	case *pb.AuthUserChangePasswordRequest:
		answer, gone = &pb.AuthUserChangePasswordResponse{Header: s.header()}, r.Name
		err = s.auth.ChangePassword(r.Name, r.HashedPassword)
	case *pb.AuthUserGrantRoleRequest:
		answer = &pb.AuthUserGrantRoleResponse{Header: s.header()}
		err = s.auth.GrantRole(r.User, r.Role)
	case *pb.AuthUserRevokeRoleRequest:
		answer = &pb.AuthUserRevokeRoleResponse{Header: s.header()}
		err = s.auth.RevokeRole(r.Name, r.Role)
	}
	if err == nil && gone != "" {
		s.tokens.Revoke(gone)
	}
	return answer, err
}

// errCheckAgain is the answer to the giving of a token when users or roles were changed since the
// password was checked. No client gets it.
var errCheckAgain = status.Error(codes.Aborted, "kv: the password was checked at an old revision")

// checksMax is how often a password is checked for one request.
const checksMax = 10

// authenticate gives a token to a user whose password was found right.
func (s *Store) authenticate(
	index uint64, caller auth.Caller, r *pb.InternalAuthenticateRequest,
) (proto.Message, error) {
	view := s.auth.View()
	if !view.Enabled() {
		return nil, auth.ErrDisabled
	}
	if caller.Revision != view.Revision() {
		return nil, errCheckAgain
	}
	response := &pb.AuthenticateResponse{Header: s.header()}
	if r.SimpleToken != "" {
		response.Token = r.SimpleToken + "." + strconv.FormatUint(index, 10)
		s.tokens.Assign(index, response.Token, caller.User)
	}
	s.digest.bytes([]byte(caller.User))
	return response, nil
}

func (s *Store) header() *pb.ResponseHeader { return header(s.mvcc.Revision()) }

// hashed is a request as it is committed: a password does not get into the log, nor may members
// salt it each in its own way.
func hashed(request proto.Message, who Credentials) (proto.Message, error) {
	var password string
	var set func(hash string) proto.Message
	switch r := request.(type) {
	case *pb.AuthUserAddRequest:
		options := r.GetOptions()
		if options.GetNoPassword() {
			return &pb.AuthUserAddRequest{Name: r.Name, Options: options}, nil
		}
		password, set = r.Password, func(hash string) proto.Message {
			return &pb.AuthUserAddRequest{Name: r.Name, HashedPassword: hash, Options: options}
		}
	case *pb.AuthUserChangePasswordRequest:
		if r.Password == "" {
			return r, nil
		}
		password, set = r.Password, func(hash string) proto.Message {
			return &pb.AuthUserChangePasswordRequest{Name: r.Name, HashedPassword: hash}
		}
	default:
		return request, nil
	}
	hash, err := who.Hash(password)
	if err != nil {
		return nil, err
	}
	return set(base64.StdEncoding.EncodeToString(hash)), nil
}

// checkPassword looks whether a user may get a token, and asks for it in the log.
func (c *Call) checkPassword(view *View, r *pb.AuthenticateRequest) {
	user := view.auth.User(r.Name)
	var err error
	switch c.checks++; {
	case !view.auth.Enabled():
		err = auth.ErrDisabled
	case user == nil:
		err = auth.ErrFailed
	case user.NoPassword:
		err = auth.ErrNoPassword
	case c.checks > checksMax:
		err = auth.ErrOldRevision
	default:
		var right bool
		if right, err = c.who.Matches(user.Hash, r.Password); err == nil && !right {
			err = auth.ErrFailed
		}
	}
	var prefix string
	if err == nil {
		prefix, err = c.who.Prefix()
	}
	if err != nil {
		c.finish(nil, err)
		return
	}
	c.caller = auth.Caller{User: r.Name, Revision: view.auth.Revision()}
	c.need = NeedCommand
	c.bytes = append(appendCaller(nil, c.caller),
		encode(&pb.InternalAuthenticateRequest{SimpleToken: prefix})...)
}

// tokened completes the answer to a request for a token, where tokens are signed.
func (c *Call) tokened(response *pb.AuthenticateResponse) {
	var err error
	if response.Token == "" {
		response.Token, err = c.who.Sign(c.caller)
	}
	c.finish(response, err)
}

// readAuth answers what is asked about users and roles.
func readAuth(view *View, request proto.Message) (proto.Message, error) {
	header := header(view.Revision())
	switch r := request.(type) {
	case *pb.AuthStatusRequest:
		return &pb.AuthStatusResponse{Header: header, Enabled: view.auth.Enabled(),
			AuthRevision: uint64(view.auth.Revision())}, nil
	case *pb.AuthUserListRequest:
		return &pb.AuthUserListResponse{Header: header, Users: view.auth.Users()}, nil
	case *pb.AuthRoleListRequest:
		return &pb.AuthRoleListResponse{Header: header, Roles: view.auth.Roles()}, nil
	case *pb.AuthUserGetRequest:
		user := view.auth.User(r.Name)
		if user == nil {
			return nil, auth.ErrUserUnknown
		}
		return &pb.AuthUserGetResponse{Header: header, Roles: user.Roles}, nil
	case *pb.AuthRoleGetRequest:
		role := view.auth.Role(r.Role)
		if role == nil {
			return nil, auth.ErrRoleUnknown
		}
		return &pb.AuthRoleGetResponse{Header: header, Perm: permissions(role)}, nil
	}
	return nil, nil
}

// permissions are those of a role in etcd's protocol; whatever Root was granted, it may do all.
func permissions(role *auth.Role) (all []*authpb.Permission) {
	if role.Name == auth.Root {
		return []*authpb.Permission{{PermType: authpb.Permission_READWRITE, RangeEnd: []byte{0}}}
	}
	for _, p := range role.Permissions {
		all = append(all, &authpb.Permission{PermType: authpb.Permission_Type(p.Access),
			Key: []byte(p.Key), RangeEnd: []byte(p.End)})
	}
	return all
}
