package difftest

import (
	"math"

	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"
)

// authKinds are the steps of a session about users, each named as often as it weighs.
func authKinds() []string {
	return []string{
		"auth", "auth", "auth", "auth", "login", "login", "range", "range", "put", "put", "delete",
		"txn", "txn", "grant", "revoke", "time to live", "leases", "maintenance", "compact",
		"keep alive", "watch", "snapshot", "range stream",
	}
}

func drawUser(t *rapid.T) string { return pick(t, "user", "ann", "bob", "root", "eve", "") }
func drawRole(t *rapid.T) string { return pick(t, "role", "one", "two", "root", "three", "") }

func drawPassword(t *rapid.T) string {
	return pick(t, "password", "p", "p", "p", "q", "", string(make([]byte, 73)))
}

// drawPermission draws a permission. Each key always has the same end: etcd adds a permission for a
// range that the role has already when there is another one for the same key before it, so that the
// first goes on to hold; detcd replaces it.
func drawPermission(t *rapid.T) *authpb.Permission {
	if seldom(t, "no permission", 12) {
		return nil
	}
	ends := map[string]string{"a": "b", "b": "c", "d": "\x00", "\x00": "a", "e": "a"}
	p := &authpb.Permission{
		PermType: pick[authpb.Permission_Type](t, "type", 0, 1, 2, 2, 7),
		Key:      []byte(pick(t, "key", "a", "b", "c", "d", "\x00", "e", "a/1", "")),
	}
	p.RangeEnd = []byte(ends[string(p.Key)])
	return p
}

// drawAuth draws a request about users and roles.
func drawAuth(t *rapid.T) (method string, request proto.Message) {
	switch pick(t, "auth", "add user", "grant", "grant", "permit", "permit", "permit", "add role",
		"get", "get", "list", "take", "delete", "password", "enable", "enable", "status", "disable") {
	case "add user":
		return "Auth.UserAdd", &pb.AuthUserAddRequest{Name: drawUser(t), Password: drawPassword(t),
			Options: pick(t, "options", nil, nil, nil, &authpb.UserAddOptions{},
				&authpb.UserAddOptions{NoPassword: true}),
			HashedPassword: pick(t, "hash", "", "", "%", "cGxhaW4=")}
	case "grant":
		return "Auth.UserGrantRole", &pb.AuthUserGrantRoleRequest{User: drawUser(t), Role: drawRole(t)}
	case "permit":
		return "Auth.RoleGrantPermission", &pb.AuthRoleGrantPermissionRequest{
			Name: drawRole(t), Perm: drawPermission(t)}
	case "add role":
		return "Auth.RoleAdd", &pb.AuthRoleAddRequest{Name: drawRole(t)}
	case "get":
		if seldom(t, "role", 2) {
			return "Auth.RoleGet", &pb.AuthRoleGetRequest{Role: drawRole(t)}
		}
		return "Auth.UserGet", &pb.AuthUserGetRequest{Name: drawUser(t)}
	case "list":
		if seldom(t, "roles", 2) {
			return "Auth.RoleList", &pb.AuthRoleListRequest{}
		}
		return "Auth.UserList", &pb.AuthUserListRequest{}
	case "password":
		return "Auth.UserChangePassword", &pb.AuthUserChangePasswordRequest{Name: drawUser(t),
			Password: drawPassword(t), HashedPassword: pick(t, "hash", "", "", "%", "cGxhaW4=")}
	case "enable":
		return "Auth.AuthEnable", &pb.AuthEnableRequest{}
	case "disable":
		return "Auth.AuthDisable", &pb.AuthDisableRequest{}
	case "status":
		return "Auth.AuthStatus", &pb.AuthStatusRequest{}
	}
	return drawRemoval(t)
}

// drawRemoval draws a request that takes something away.
func drawRemoval(t *rapid.T) (method string, request proto.Message) {
	switch pick(t, "removal", "role of user", "permission", "permission", "user", "role") {
	case "role of user":
		return "Auth.UserRevokeRole", &pb.AuthUserRevokeRoleRequest{Name: drawUser(t), Role: drawRole(t)}
	case "user":
		return "Auth.UserDelete", &pb.AuthUserDeleteRequest{Name: drawUser(t)}
	case "role":
		return "Auth.RoleDelete", &pb.AuthRoleDeleteRequest{Role: drawRole(t)}
	}
	p := drawPermission(t)
	return "Auth.RoleRevokePermission", &pb.AuthRoleRevokePermissionRequest{
		Role: drawRole(t), Key: p.GetKey(), RangeEnd: p.GetRangeEnd()}
}

// drawLogin draws a password for a user.
func drawLogin(t *rapid.T) *pb.AuthenticateRequest {
	return &pb.AuthenticateRequest{Name: drawUser(t), Password: drawPassword(t)}
}

// drawGuarded draws a request that somebody may or may not make. Compactions are such as compact
// nothing: what a hash is in the moments after one depends on time.
func drawGuarded(t *rapid.T, kind string, at moment) (method string, request proto.Message) {
	switch kind {
	case "auth":
		return drawAuth(t)
	case "compact":
		return "KV.Compact", &pb.CompactionRequest{Revision: pick[int64](t, "revision", 0, math.MaxInt64)}
	}
	method, request = drawCall(t, kind, at)
	if r, ok := request.(*pb.LeaseGrantRequest); ok && r.ID == 0 {
		r.ID = 3 // else each side chooses one
	}
	forward(request.ProtoReflect())
	return method, request
}

// forward turns ranges that end before they begin into single keys. Whether somebody may ask for no
// key at all depends, in etcd, on the shape that a balanced tree of his permissions has.
func forward(message protoreflect.Message) {
	fields := message.Descriptor().Fields()
	key, end := fields.ByName("key"), fields.ByName("range_end")
	if key != nil && end != nil {
		last := string(message.Get(end).Bytes())
		if last != "\x00" && last <= string(message.Get(key).Bytes()) {
			message.Clear(end)
		}
	}
	message.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.IsList() && field.Message() != nil:
			for i := range value.List().Len() {
				forward(value.List().Get(i).Message())
			}
		case field.Message() != nil:
			forward(value.Message())
		}
		return true
	})
}
