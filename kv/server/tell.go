package server

import (
	"log/slog"
	"strings"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"detcd/kv"
	"detcd/kv/auth"
	"detcd/kv/rpc"
)

// A stopwatch measures how long commands take to be executed, by their kind.
type stopwatch struct {
	slow  *rpc.Slow
	kinds [kv.KindsMax][2]rpc.Clock // that were refused, that were not
}

// ran counts one, and tells of it if it was slow.
func (w *stopwatch) ran(command []byte, took time.Duration, answer any) {
	err, refused := answer.(error)
	outcome := 1
	if refused {
		outcome = 0
	}
	w.kinds[kv.KindOf(command)][outcome].Add(rpc.ApplyScale, took)
	if took > w.slow.Apply {
		w.slow.Applied(took, "", kv.Describe(command), answer, err)
	}
}

// told turns changes that are not of keys into log lines. The texts are etcd's. What a restart
// executes again is told again.
func (c *Config) told(n *kv.News) {
	log := c.Log
	switch r := n.Change.(type) {
	case *pb.AlarmRequest:
		text := "alarm raised"
		if r.Action == pb.AlarmRequest_DEACTIVATE {
			text = "alarm disarmed"
		}
		log.Warn(text, slog.String("alarm", r.Alarm.String()), slog.String("from", hex(r.MemberID)))
	case *pb.DowngradeRequest:
		minor := func(d kv.Downgrade) string { return strings.TrimSuffix(d.ClusterVersion(), ".0") }
		log.Info("updated cluster version", slog.String("from", minor(n.Downgrade)),
			slog.String("to", minor(kv.Downgrade(r.Version))))
	case *pb.AuthEnableRequest:
		log.Info("enabled authentication")
	case *pb.AuthDisableRequest:
		log.Info("disabled authentication")
	case *pb.AuthRoleAddRequest:
		log.Info("created a role", slog.String("role-name", r.Name))
	case *pb.AuthRoleDeleteRequest:
		log.Info("deleted a role", slog.String("role-name", r.Role))
	case *pb.AuthRoleGrantPermissionRequest:
		log.Info("granted/updated a permission to a user", slog.String("user-name", r.Name),
			slog.String("permission-name", r.Perm.GetPermType().String()),
			slog.String("key", string(r.Perm.GetKey())),
			slog.String("range-end", string(r.Perm.GetRangeEnd())))
	case *pb.AuthRoleRevokePermissionRequest:
		log.Info("revoked a permission on range", slog.String("role-name", r.Role),
			slog.String("key", string(r.Key)), slog.String("range-end", string(r.RangeEnd)))
	default:
		c.toldOfUser(n)
	}
}

func (c *Config) toldOfUser(n *kv.News) {
	log := c.Log
	before := func(name string) slog.Attr { return slog.Any("user-roles", rolesOf(n.Before, name)) }
	after := func(name string) slog.Attr { return slog.Any("user-roles", rolesOf(n.After, name)) }
	switch r := n.Change.(type) {
	case *pb.AuthUserAddRequest:
		log.Info("added a user", slog.String("user-name", r.Name))
	case *pb.AuthUserDeleteRequest:
		log.Info("deleted a user", slog.String("user-name", r.Name), before(r.Name))
	case *pb.AuthUserChangePasswordRequest:
		log.Info("changed a password of a user", slog.String("user-name", r.Name), after(r.Name))
	case *pb.AuthUserGrantRoleRequest:
		log.Info("granted a role to a user", slog.String("user-name", r.User), after(r.User),
			slog.String("added-role-name", r.Role))
	case *pb.AuthUserRevokeRoleRequest:
		log.Info("revoked a role from a user", slog.String("user-name", r.Name),
			slog.Any("old-user-roles", rolesOf(n.Before, r.Name)),
			slog.Any("new-user-roles", rolesOf(n.After, r.Name)),
			slog.String("revoked-role-name", r.Role))
	}
}

// rolesOf are the roles of a user.
func rolesOf(view *auth.View, name string) []string {
	user := view.User(name)
	if user == nil {
		return []string{}
	}
	return append([]string{}, user.Roles...)
}
