package kv

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/protobuf/proto"
)

// Alarm says that something is wrong with a member, until somebody disarms it. While there is one
// of lack of space, nothing is written that takes room; while there is one of corruption, nothing
// is written at all.
type Alarm struct {
	Kind   pb.AlarmType
	Member uint64 // 0: nobody knows which
}

func compareAlarms(a, b Alarm) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Member, b.Member))
}

// alarms are those that are raised, ascending. They never change: what is raised or disarmed makes
// new ones.
type alarms []Alarm

func (a alarms) have(kind pb.AlarmType) bool {
	return slices.ContainsFunc(a, func(one Alarm) bool { return one.Kind == kind })
}

// of are those of a kind; of no kind are all of them.
func (a alarms) of(kind pb.AlarmType) (all []*pb.AlarmMember) {
	for _, one := range a {
		if kind == pb.AlarmType_NONE || kind == one.Kind {
			all = append(all, &pb.AlarmMember{MemberID: one.Member, Alarm: one.Kind})
		}
	}
	return all
}

// refuse says why a command is not executed while these alarms are raised: by etcd's rules, and
// before anything else is found wrong with it.
func (a alarms) refuse(command proto.Message) error {
	if len(a) == 0 {
		return nil
	}
	switch command.(type) {
	case *pb.AlarmRequest:
		return nil
	case *pb.PutRequest, *pb.DeleteRangeRequest, *pb.TxnRequest, *pb.CompactionRequest,
		*pb.LeaseGrantRequest, *pb.LeaseRevokeRequest:
		if a.have(pb.AlarmType_CORRUPT) {
			return rpctypes.ErrGRPCCorrupt
		}
	}
	if cost(command) > 0 && a.have(pb.AlarmType_NOSPACE) {
		return rpctypes.ErrGRPCNoSpace
	}
	return nil
}

// Alarms are those that are raised, ascending by kind and member. Any goroutine may call it.
func (s *Store) Alarms() []Alarm { return *s.alarms.Load() }

// alarm raises or disarms. As in etcd, the response names what was raised, whether it was before or
// not, or what was disarmed.
func (s *Store) alarm(r *pb.AlarmRequest) *pb.AlarmResponse {
	response := &pb.AlarmResponse{Header: header(s.mvcc.Revision())}
	one, all := Alarm{r.Alarm, r.MemberID}, *s.alarms.Load()
	at, raised := slices.BinarySearchFunc(all, one, compareAlarms)
	raise := r.Action == pb.AlarmRequest_ACTIVATE
	if one.Kind == pb.AlarmType_NONE || !raise && !raised {
		return response
	}
	response.Alarms = alarms{one}.of(one.Kind)
	if raise == raised {
		return response
	}
	changed := slices.Clone(all)
	if raise {
		changed = slices.Insert(changed, at, one)
	} else {
		changed = slices.Delete(changed, at, at+1)
	}
	s.alarms.Store(&changed)
	s.options.Tell(&News{Change: r})
	s.digest.word(uint64(r.Action))
	s.digest.word(uint64(one.Kind))
	s.digest.word(one.Member)
	return response
}

// encode is what a checkpoint says of the alarms: kind and member of each, as uvarints.
func (a alarms) encode() (out []byte) {
	for _, one := range a {
		out = binary.AppendUvarint(out, uint64(uint32(one.Kind)))
		out = binary.AppendUvarint(out, one.Member)
	}
	return out
}

func decodeAlarms(part []byte) (all alarms, err error) {
	for len(part) > 0 {
		kind, n := binary.Uvarint(part)
		if n <= 0 || kind > 1<<32-1 {
			return nil, fmt.Errorf("%w: a malformed alarm", ErrDamaged)
		}
		member, m := binary.Uvarint(part[n:])
		one := Alarm{pb.AlarmType(int32(uint32(kind))), member}
		if m <= 0 || len(all) > 0 && compareAlarms(all[len(all)-1], one) >= 0 {
			return nil, fmt.Errorf("%w: a malformed alarm", ErrDamaged)
		}
		all, part = append(all, one), part[n+m:]
	}
	return all, nil
}
