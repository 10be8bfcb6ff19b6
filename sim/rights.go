package sim

import (
	"slices"

	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/protobuf/proto"
)

// rights are what users might do for some time, as the administrator was told. They are judged in
// the simplest way there is: no code of the judged is in it.
type rights struct {
	roles       []granted
	permissions []permission
}

type granted struct {
	user  string
	roles []string
}

type permission struct {
	role string
	*authpb.Permission
}

// need is an access to a range of keys that a request makes.
type need struct {
	kind     authpb.Permission_Type // READ or WRITE
	key, end string
}

// includes tells whether a range of etcd's is about a key.
func includes(key, end, k string) bool {
	switch end {
	case "":
		return k == key
	case "\x00":
		return k >= key
	}
	return key <= k && k < end
}

// touches tells whether a user may have an access to one key.
func (r *rights) touches(user string, kind authpb.Permission_Type, k string) bool {
	for _, g := range r.roles {
		for _, p := range r.permissions {
			if g.user == user && slices.Contains(g.roles, p.role) &&
				(p.PermType == kind || p.PermType == authpb.Permission_READWRITE) &&
				includes(string(p.Key), string(p.RangeEnd), k) {
				return true
			}
		}
	}
	return false
}

// allow tells whether a user may have an access to every key of a range. Where it begins to be
// forbidden, a permission ends, or the range begins; so it is enough to look there.
func (r *rights) allow(user string, n need) bool {
	edges := []string{n.key}
	for _, p := range r.permissions {
		edge := string(p.RangeEnd)
		if edge == "" {
			edge = string(p.Key) + "\x00"
		}
		if includes(n.key, n.end, edge) {
			edges = append(edges, edge)
		}
	}
	return !slices.ContainsFunc(edges, func(k string) bool { return !r.touches(user, n.kind, k) })
}

// needsOf lists what a request needs; judged: it is answered as of now, and nothing else matters to
// whether it may be made, as the keys of a lease would.
func needsOf(request proto.Message) (all []need, judged bool) {
	switch r := request.(type) {
	case *pb.RangeRequest:
		return []need{{authpb.Permission_READ, string(r.Key), string(r.RangeEnd)}}, !r.Serializable
	case *pb.PutRequest:
		all = append(all, need{authpb.Permission_WRITE, string(r.Key), ""})
		if r.PrevKv {
			all = append(all, need{authpb.Permission_READ, string(r.Key), ""})
		}
		return all, r.Lease == 0
	case *pb.DeleteRangeRequest:
		all = append(all, need{authpb.Permission_WRITE, string(r.Key), string(r.RangeEnd)})
		if r.PrevKv {
			all = append(all, need{authpb.Permission_READ, string(r.Key), string(r.RangeEnd)})
		}
		return all, true
	case *pb.TxnRequest:
		return needsOfTxn(r)
	}
	return nil, false
}

func needsOfTxn(r *pb.TxnRequest) (all []need, judged bool) {
	for _, c := range r.Compare {
		all = append(all, need{authpb.Permission_READ, string(c.Key), string(c.RangeEnd)})
	}
	judged = len(r.Success)+len(r.Failure) > 0
	for _, op := range slices.Concat(r.Success, r.Failure) {
		var inner proto.Message
		switch op := op.Request.(type) {
		case *pb.RequestOp_RequestRange:
			inner = op.RequestRange
		case *pb.RequestOp_RequestPut:
			inner = op.RequestPut
		case *pb.RequestOp_RequestDeleteRange:
			inner = op.RequestDeleteRange
		case *pb.RequestOp_RequestTxn:
			inner = op.RequestTxn
		}
		needs, ok := needsOf(inner)
		if txn, nested := inner.(*pb.TxnRequest); nested && len(txn.Success)+len(txn.Failure) == 0 {
			ok = true
		}
		all, judged = append(all, needs...), judged && ok
	}
	return all, judged
}

// refusals are the answers that say that nothing was done, for want of a right.
func refusals() []error {
	return []error{rpctypes.ErrGRPCPermissionDenied, rpctypes.ErrGRPCUserEmpty,
		rpctypes.ErrGRPCAuthOldRevision, rpctypes.ErrGRPCUserNotFound}
}

// absent says that the administrator asked for a user or a role that is not there.
func absent(o *operation) bool {
	return o.err == rpctypes.ErrGRPCUserNotFound || o.err == rpctypes.ErrGRPCRoleNotFound
}

// user takes what a client with a name was told.
func (j *judge) user(o *operation) {
	if o.user == "" || o.undecided {
		return
	}
	if slices.Contains(refusals(), o.err) {
		j.forbid(o)
	}
	if o.client < holderNumbers {
		j.tried = append(j.tried, o)
	}
}

// forbid: what was refused is not carried out, now or later.
func (j *judge) forbid(o *operation) {
	for _, value := range valuesOf(o.request) {
		if revision, done := j.history.written[value]; done {
			j.fail("client %d was refused %s, which is revision %d",
				o.client, requestText(o.request), revision)
		}
		j.refused[value] = true
	}
}

// valuesOf are the values that a request would put; each is put by no other.
func valuesOf(request proto.Message) (all []string) {
	switch r := request.(type) {
	case *pb.PutRequest:
		if len(r.Value) > 0 {
			all = append(all, string(r.Value))
		}
	case *pb.TxnRequest:
		for _, op := range slices.Concat(r.Success, r.Failure) {
			if put := op.GetRequestPut(); put != nil {
				all = append(all, valuesOf(put)...)
			} else if txn := op.GetRequestTxn(); txn != nil {
				all = append(all, valuesOf(txn)...)
			}
		}
	}
	return all
}

// held judges a time during which these rights held: who began and ended something in it was told
// what he may, and was let do nothing else.
func (j *judge) held(from, to int64, r rights) {
	for _, o := range j.tried {
		needs, judged := needsOf(o.request)
		if o.call < from || o.finished > to || o.user == rootUser || !judged {
			continue
		}
		allowed := !slices.ContainsFunc(needs, func(n need) bool { return !r.allow(o.user, n) })
		switch denied := o.err == rpctypes.ErrGRPCPermissionDenied; {
		case denied && allowed:
			j.fail("client %d was denied %s, which %s may do", o.client, requestText(o.request), o.user)
		case o.err == nil && !allowed:
			j.fail("client %d did %s, which %s may not do", o.client, requestText(o.request), o.user)
		case denied || o.err == nil:
			j.judgedRights++
		}
	}
	j.tried = j.tried[:0]
}

// rootUser may do everything.
const rootUser = "root"
