package rpc

import (
	"context"
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// Recipes are the services Lock and Election: what clientv3's package concurrency does, done by the
// server for clients that have no such package. They are clients themselves: all they do, they do
// by requests to this member, in the name of whoever asked.
//
// Their messages are not in etcd's api module, only in its server's. So they are described here and
// made at run time; there are few of them, and they are small.
type Recipes struct {
	files  []protoreflect.FileDescriptor
	all    []Recipe
	client *clientv3.Client
}

// A Recipe is one method.
type Recipe struct {
	Service, Name string // as in "v3lockpb.Lock", "Lock"
	HTTPPath      string // as in "/v3/lock/lock"
	Input, Output protoreflect.MessageDescriptor
	Streams       bool // it answers with a stream

	answer func(ctx context.Context, r message) (fields, error)
	stream func(ctx context.Context, r message, send func(fields) error) error
}

// FullName is how gRPC calls the method.
func (r *Recipe) FullName() string { return "/" + r.Service + "/" + r.Name }

// NewRecipes makes the services. conn leads to this member's other services.
func NewRecipes(conn grpc.ClientConnInterface) (*Recipes, error) {
	client := clientv3.NewCtxClient(context.Background())
	client.KV = clientv3.NewKVFromKVClient(pb.NewKVClient(conn), client)
	client.Lease = clientv3.NewLeaseFromLeaseClient(pb.NewLeaseClient(conn), client, keepAliveTime)
	client.Watcher = clientv3.NewWatchFromWatchClient(pb.NewWatchClient(conn), client)
	s := &Recipes{client: client}
	for _, file := range []*descriptorpb.FileDescriptorProto{lockFile(), electionFile()} {
		described, err := protodesc.NewFile(file, protoregistry.GlobalFiles)
		if err != nil {
			return nil, fmt.Errorf("rpc: describe %s: %w", file.GetName(), err)
		}
		s.files = append(s.files, described)
	}
	s.all = append(s.lockRecipes(), s.electionRecipes()...)
	for i := range s.all {
		r := &s.all[i]
		for _, file := range s.files {
			if service := file.Services().ByName(protoreflect.FullName(r.Service).Name()); service != nil {
				method := service.Methods().ByName(protoreflect.Name(r.Name))
				r.Input, r.Output, r.Streams = method.Input(), method.Output(), r.stream != nil
			}
		}
	}
	return s, nil
}

// keepAliveTime is how long a lease of a session that is being made may go unanswered; etcd's.
const keepAliveTime = 1e9

// Close ends what the services wait for.
func (s *Recipes) Close() error { return s.client.Close() }

// List lists the methods.
func (s *Recipes) List() []Recipe { return s.all }

// register adds the services to a server.
func (s *Recipes) register(server grpc.ServiceRegistrar) {
	for _, file := range s.files {
		service := file.Services().Get(0)
		description := &grpc.ServiceDesc{
			ServiceName: string(service.FullName()), HandlerType: (*any)(nil), Metadata: file.Path(),
		}
		for i := range s.all {
			r := &s.all[i]
			switch {
			case r.Service != description.ServiceName:
			case r.Streams:
				description.Streams = append(description.Streams, grpc.StreamDesc{
					StreamName: r.Name, Handler: r.serveStream, ServerStreams: true,
				})
			default:
				description.Methods = append(description.Methods, grpc.MethodDesc{
					MethodName: r.Name, Handler: r.serve,
				})
			}
		}
		server.RegisterService(description, s)
	}
}

// serve answers one request, behind the interceptor that every request passes.
func (r *Recipe) serve(
	server any, ctx context.Context, decode func(any) error, intercept grpc.UnaryServerInterceptor,
) (any, error) {
	in := dynamicpb.NewMessage(r.Input)
	if err := decode(in); err != nil {
		return nil, err
	}
	answer := func(ctx context.Context, _ any) (any, error) {
		out, err := r.answer(asClient(ctx), message{in})
		if err != nil {
			return nil, err
		}
		return out.message(r.Output), nil
	}
	if intercept == nil {
		return answer(ctx, in)
	}
	return intercept(ctx, in, &grpc.UnaryServerInfo{Server: server, FullMethod: r.FullName()}, answer)
}

func (r *Recipe) serveStream(_ any, stream grpc.ServerStream) error {
	in := dynamicpb.NewMessage(r.Input)
	if err := stream.RecvMsg(in); err != nil {
		return err
	}
	return r.stream(asClient(stream.Context()), message{in}, func(out fields) error {
		return stream.SendMsg(out.message(r.Output))
	})
}

// asClient makes requests of ours bear what came with the one that they are for: who asks, and that
// there must be a leader.
func asClient(ctx context.Context) context.Context {
	came, _ := metadata.FromIncomingContext(ctx)
	sent := metadata.MD{}
	for _, name := range []string{"token", "authorization", "hasleader", "client-api-version"} {
		if values := came.Get(name); len(values) > 0 {
			sent.Set(name, values...)
		}
	}
	return metadata.NewOutgoingContext(ctx, sent)
}
