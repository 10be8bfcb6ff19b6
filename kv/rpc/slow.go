package rpc

import (
	"context"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/proto"

	"detcd/kv"
)

// Slow tells the log of what takes long, in etcd's words: of requests, and of what is executed. It
// costs two looks at the clock for each.
type Slow struct {
	Log     *slog.Logger
	Request time.Duration // a request that takes longer is told of; --warning-unary-request-duration
	Apply   time.Duration // and a read or a command; --warning-apply-duration

	ranges  [2]Clock // that failed, that did not
	applies atomic.Uint64
}

// Ranges are how long ranges took that failed, and those that did not, on the ApplyScale.
func (s *Slow) Ranges() (failed, done *Clock) { return &s.ranges[0], &s.ranges[1] }

// Applies is how many reads and commands took too long.
func (s *Slow) Applies() uint64 { return s.applies.Load() }

// unary looks at the clock around an interceptor.
func (s *Slow) unary(next grpc.UnaryServerInterceptor) grpc.UnaryServerInterceptor {
	if s == nil {
		return next
	}
	return func(
		ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler,
	) (any, error) {
		begun := time.Now()
		response, err := next(ctx, request, info, handle)
		took := time.Since(begun)
		if _, ok := request.(*pb.RangeRequest); ok {
			s.ranges[success(err)].Add(ApplyScale, took)
		}
		if took > s.Apply {
			s.read(request, response, took, err)
		}
		level := slog.LevelDebug
		if took > s.Request {
			level = slog.LevelWarn
		}
		if s.Log.Enabled(ctx, level) {
			s.request(ctx, level, info.FullMethod, request, response, begun, took)
		}
		return response, err
	}
}

func success(err error) int {
	if err != nil {
		return 0
	}
	return 1
}

// read tells of a slow read, which no command is.
func (s *Slow) read(request, response any, took time.Duration, err error) {
	switch r := request.(type) {
	case *pb.RangeRequest:
		s.Applied(took, "read-only range ", r.String(), response, err)
	case *pb.TxnRequest:
		if kv.ReadOnly(r) {
			s.Applied(took, "read-only txn ", pb.NewLoggableTxnRequest(r).String(), response, err)
		}
	}
}

// Applied tells that something took too long. The response is a message, an error or nil.
func (s *Slow) Applied(took time.Duration, prefix, request string, response any, err error) {
	s.applies.Add(1)
	attributes := []any{
		slog.Duration("took", took), slog.Duration("expected-duration", s.Apply),
		slog.String("prefix", prefix), slog.String("request", request),
		slog.String("response", sizeOf(response)),
	}
	if err != nil {
		attributes = append(attributes, slog.Any("error", err))
	}
	s.Log.Warn("apply request took too long", attributes...)
}

// sizeOf is what there is to say of a response.
func sizeOf(response any) string {
	switch r := response.(type) {
	case *pb.RangeResponse:
		if r != nil {
			return "range_response_count:" + strconv.Itoa(len(r.Kvs)) +
				" size:" + strconv.Itoa(proto.Size(r))
		}
	case proto.Message:
		return "size:" + strconv.Itoa(proto.Size(r))
	}
	return ""
}

// request tells what a request was and what came of it. Only what concerns keys is told with its
// content, without values.
func (s *Slow) request(
	ctx context.Context, level slog.Level, method string, request, response any,
	begun time.Time, took time.Duration,
) {
	remote := "No remote client info."
	if client, ok := peer.FromContext(ctx); ok {
		remote = client.Addr.String()
	}
	requests, responses, content := counted(request, response)
	size := func(message any) int {
		if m, ok := message.(proto.Message); ok && requests >= 0 {
			return proto.Size(m)
		}
		return -1
	}
	s.Log.Log(ctx, level, "request stats",
		slog.Time("start time", begun), slog.Duration("time spent", took),
		slog.String("remote", remote), slog.String("response type", method),
		slog.Int64("request count", requests), slog.Int("request size", size(request)),
		slog.Int64("response count", responses), slog.Int("response size", size(response)),
		slog.String("request content", content))
}

// counted says how many operations a request has, how many keys its response is about, and what it
// is; -1 of what does not concern keys.
func counted(request, response any) (requests, responses int64, content string) {
	switch r := request.(type) {
	case *pb.RangeRequest:
		answer, _ := response.(*pb.RangeResponse)
		return 0, answer.GetCount(), r.String()
	case *pb.PutRequest:
		return 1, 0, pb.NewLoggablePutRequest(r).String()
	case *pb.DeleteRangeRequest:
		answer, _ := response.(*pb.DeleteRangeResponse)
		return 0, answer.GetDeleted(), r.String()
	case *pb.TxnRequest:
		operations := len(r.Failure)
		if answer, _ := response.(*pb.TxnResponse); answer.GetSucceeded() {
			operations = len(r.Success)
		}
		return int64(operations), 0, pb.NewLoggableTxnRequest(r).String()
	}
	return -1, -1, ""
}
