package sim

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// fieldsWanted lists every field of every request that the clients send, however deep.
func fieldsWanted() []string {
	var names []string
	seen := map[protoreflect.FullName]bool{}
	var visit func(d protoreflect.MessageDescriptor)
	visit = func(d protoreflect.MessageDescriptor) {
		if seen[d.FullName()] {
			return
		}
		seen[d.FullName()] = true
		for i := range d.Fields().Len() {
			field := d.Fields().Get(i)
			names = append(names, string(d.Name())+"."+string(field.Name()))
			if field.Message() != nil {
				visit(field.Message())
			}
		}
	}
	for _, request := range []proto.Message{&pb.RangeRequest{}, &pb.PutRequest{},
		&pb.DeleteRangeRequest{}, &pb.TxnRequest{}, &pb.CompactionRequest{}, &pb.HashKVRequest{},
		&pb.LeaseGrantRequest{}, &pb.LeaseRevokeRequest{}, &pb.LeaseKeepAliveRequest{},
		&pb.LeaseTimeToLiveRequest{}, &pb.WatchCreateRequest{}} {
		visit(request.ProtoReflect().Descriptor())
	}
	return names
}
