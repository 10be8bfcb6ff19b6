package rpc

import pb "go.etcd.io/etcd/api/v3/etcdserverpb"

// An authService is etcd's Auth service. None of it is served yet.
type authService struct {
	pb.UnimplementedAuthServer
}
