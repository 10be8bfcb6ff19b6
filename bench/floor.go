package bench

import (
	"context"
	"fmt"
	"net"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
)

// floorServer answers every request for its status with nothing.
type floorServer struct {
	etcdserverpb.UnimplementedMaintenanceServer
}

func (floorServer) Status(
	context.Context, *etcdserverpb.StatusRequest,
) (*etcdserverpb.StatusResponse, error) {
	return &etcdserverpb.StatusResponse{}, nil
}

// ServeFloor serves empty gRPC calls until ctx ends. The workload Empty against it measures what a
// call costs of which a store does nothing at all: no store that speaks gRPC by this library can
// cost less. It must run in a process of its own to have a processor time of its own.
func ServeFloor(ctx context.Context, listener net.Listener) error {
	server := grpc.NewServer()
	etcdserverpb.RegisterMaintenanceServer(server, floorServer{})
	stop := context.AfterFunc(ctx, server.Stop)
	defer stop()
	if err := server.Serve(listener); err != nil && ctx.Err() == nil {
		return fmt.Errorf("bench: floor: %w", err)
	}
	return nil
}
