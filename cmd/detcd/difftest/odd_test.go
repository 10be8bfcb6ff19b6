package difftest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"detcd/cmd/detcd/testbed"
)

// An oddity is something that rapid does not draw, done to one side. What it returns is compared.
type oddity struct {
	name string
	do   func(ctx context.Context, s *side) answer
}

// raw sends bytes as they are, whatever the method wants.
type raw struct{}

func (raw) Name() string                  { return "proto" }
func (raw) Marshal(v any) ([]byte, error) { return v.([]byte), nil }
func (raw) Unmarshal([]byte, any) error   { return nil }

// oddities are requests below and beside the protocol, and what takes time.
func oddities() []oddity {
	unary := func(method string, request proto.Message, options ...grpc.CallOption,
	) func(context.Context, *side) answer {
		return func(ctx context.Context, s *side) answer {
			response, path := responseOf(method)
			err := s.conn.Invoke(ctx, path, request, response, options...)
			return result(response, err)
		}
	}
	put := &pb.PutRequest{Key: []byte("a"), Value: []byte("v")}
	get := &pb.RangeRequest{Key: []byte("a")}
	return []oddity{
		{"unknown method", func(ctx context.Context, s *side) answer {
			err := s.conn.Invoke(ctx, "/etcdserverpb.KV/Nothing", put, &pb.PutResponse{})
			return result(nil, err)
		}},
		{"unknown service", func(ctx context.Context, s *side) answer {
			err := s.conn.Invoke(ctx, "/etcdserverpb.Nothing/Put", put, &pb.PutResponse{})
			return result(nil, err)
		}},
		{"no protobuf", func(ctx context.Context, s *side) answer {
			err := s.conn.Invoke(ctx, "/etcdserverpb.KV/Put", []byte("\xff\xff\xff"), nil,
				grpc.ForceCodec(raw{}))
			return result(nil, err)
		}},
		{"an unknown field", unary("KV.Put", withUnknownField(put))},
		{"a message above gRPC's limit", unary("KV.Put", &pb.PutRequest{
			Key: []byte("a"), Value: []byte(strings.Repeat("v", requestBytesMax+1<<20)),
		})},
		{"gzip", unary("KV.Range", get, grpc.UseCompressor(gzip.Name))},
		{"a token without authentication", func(ctx context.Context, s *side) answer {
			ctx = metadata.AppendToOutgoingContext(ctx, "token", "nobody.1")
			return unary("KV.Range", get)(ctx, s)
		}},
		{"a leader is required", func(ctx context.Context, s *side) answer {
			ctx = metadata.AppendToOutgoingContext(ctx, "hasleader", "true")
			return unary("KV.Range", get)(ctx, s)
		}},
		{"any version of the client", func(ctx context.Context, s *side) answer {
			ctx = metadata.AppendToOutgoingContext(ctx, "client-api-version", "0.0.0-odd")
			return unary("KV.Range", get)(ctx, s)
		}},
		{"health", health("")},
		{"health of an unknown service", health("nothing")},
		{"a watch request that says nothing", saysNothing},
		{"a lease that expires", expires},
		{"progress unasked", progressUnasked},
	}
}

// result makes an answer. A response that does not matter is nil.
func result(response proto.Message, err error) answer {
	if err != nil {
		return answer{err: err}
	}
	if response == nil {
		response = &pb.PutResponse{}
	}
	return answer{message: response}
}

// withUnknownField returns a copy with a field that no version of the message has.
func withUnknownField(r *pb.PutRequest) *pb.PutRequest {
	r = proto.CloneOf(r)
	r.ProtoReflect().SetUnknown([]byte{0x98, 0x3f, 0x01}) // field 1011, a number: 1
	return r
}

// health asks gRPC's own health service.
func health(service string) func(context.Context, *side) answer {
	return func(ctx context.Context, s *side) answer {
		request := &grpc_health_v1.HealthCheckRequest{Service: service}
		response, err := grpc_health_v1.NewHealthClient(s.conn).Check(ctx, request)
		return result(response, err)
	}
}

// saysNothing sends an empty watch request, which is passed over, and then creates a watch.
func saysNothing(ctx context.Context, s *side) answer {
	stream, err := pb.NewWatchClient(s.conn).Watch(ctx)
	if err != nil {
		return answer{err: err}
	}
	_ = stream.Send(&pb.WatchRequest{})
	_ = stream.Send(createRequest(&pb.WatchCreateRequest{Key: []byte("a")}))
	return result(stream.Recv())
}

// expires waits for the end of a lease with two keys, as a watcher sees it.
func expires(ctx context.Context, s *side) answer {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	stream, err := pb.NewWatchClient(s.conn).Watch(ctx)
	if err != nil {
		return answer{err: err}
	}
	lease := pb.NewLeaseClient(s.conn)
	if _, err := lease.LeaseGrant(ctx, &pb.LeaseGrantRequest{ID: 5, TTL: 5}); err != nil {
		return answer{err: err}
	}
	for _, key := range []string{"leased 2", "leased 1"} {
		put := &pb.PutRequest{Key: []byte(key), Lease: 5}
		if _, err := pb.NewKVClient(s.conn).Put(ctx, put); err != nil {
			return answer{err: err}
		}
	}
	_ = stream.Send(createRequest(&pb.WatchCreateRequest{
		Key: []byte("leased"), RangeEnd: []byte{0}, PrevKv: true,
	}))
	if _, err := stream.Recv(); err != nil {
		return answer{err: err}
	}
	return result(stream.Recv())
}

// progressUnasked waits until a server tells of the progress of a quiet watch by itself.
func progressUnasked(ctx context.Context, s *side) answer {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	stream, err := pb.NewWatchClient(s.conn).Watch(ctx)
	if err != nil {
		return answer{err: err}
	}
	for id := range int64(2) {
		_ = stream.Send(createRequest(&pb.WatchCreateRequest{
			Key: []byte("quiet"), ProgressNotify: id == 1, WatchId: id + 1,
		}))
		if _, err := stream.Recv(); err != nil {
			return answer{err: err}
		}
	}
	return result(stream.Recv())
}

// odd does every oddity to both sides.
func odd(t *testing.T, pair *pair) {
	t.Cleanup(pair.stop)
	pair.args = []string{"--watch-progress-notify-interval=200ms"}
	if err := pair.prepare(); err != nil {
		t.Fatal(err)
	}
	for _, o := range oddities() {
		t.Run(o.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), callTimeout)
			defer cancel()
			start, answers := time.Now(), [2]answer{}
			_ = pair.both(func(s *side) error {
				if s == pair.a {
					answers[0] = o.do(ctx, s)
				} else {
					answers[1] = o.do(ctx, s)
				}
				return nil
			})
			differences := pair.compare.answers(answers[0], answers[1])
			if len(differences) > 0 {
				t.Error(strings.Join(differences, "\n"))
			}
			t.Log(fmt.Sprint(outcome(answers[0]), time.Since(start)))
		})
	}
}

func TestOddRequestsEtcdAndEtcd(t *testing.T) {
	etcd := testbed.Tool(t, "etcd")
	odd(t, newPair(etcd, etcd))
}

func TestOddRequestsEtcdAndDetcd(t *testing.T) {
	odd(t, newPair(testbed.Tool(t, "etcd"), testbed.Detcd(t)))
}
