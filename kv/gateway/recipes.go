package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"detcd/kv/rpc"
)

// recipe translates a method whose messages were described at run time, as the code does that is
// generated for the others.
func (g *Gateway) recipe(mux *runtime.ServeMux, r *rpc.Recipe) error {
	return mux.HandlePath(http.MethodPost, r.HTTPPath,
		func(w http.ResponseWriter, request *http.Request, _ map[string]string) {
			ctx, cancel := context.WithCancel(request.Context())
			defer cancel()
			in, out := runtime.MarshalerForRequest(mux, request)
			fail := func(err error) { runtime.HTTPError(ctx, mux, out, w, request, err) }
			ctx, err := runtime.AnnotateContext(ctx, mux, request, r.FullName(),
				runtime.WithHTTPPathPattern(r.HTTPPath))
			if err != nil {
				fail(err)
				return
			}
			asked := dynamicpb.NewMessage(r.Input)
			err = in.NewDecoder(request.Body).Decode(asked)
			if err != nil && !errors.Is(err, io.EOF) {
				fail(status.Error(codes.InvalidArgument, err.Error()))
				return
			}
			var said runtime.ServerMetadata
			if r.Streams {
				receive, header, err := g.stream(ctx, r, asked)
				if err != nil {
					fail(err)
					return
				}
				said.HeaderMD = header
				ctx = runtime.NewServerMetadataContext(ctx, said)
				runtime.ForwardResponseStream(ctx, mux, out, w, request, receive)
				return
			}
			answer := dynamicpb.NewMessage(r.Output)
			err = g.options.Services.Invoke(ctx, r.FullName(), asked, answer,
				grpc.Header(&said.HeaderMD), grpc.Trailer(&said.TrailerMD))
			ctx = runtime.NewServerMetadataContext(ctx, said)
			if err != nil {
				fail(err)
				return
			}
			runtime.ForwardResponseMessage(ctx, mux, out, w, request, answer)
		})
}

// stream begins a stream of answers.
func (g *Gateway) stream(
	ctx context.Context, r *rpc.Recipe, asked proto.Message,
) (receive func() (proto.Message, error), header metadata.MD, err error) {
	stream, err := g.options.Services.NewStream(
		ctx, &grpc.StreamDesc{StreamName: r.Name, ServerStreams: true}, r.FullName())
	if err != nil {
		return nil, nil, err
	}
	if err := errors.Join(stream.SendMsg(asked), stream.CloseSend()); err != nil {
		return nil, nil, err
	}
	if header, err = stream.Header(); err != nil {
		return nil, nil, err
	}
	return func() (proto.Message, error) {
		answer := dynamicpb.NewMessage(r.Output)
		return answer, stream.RecvMsg(answer)
	}, header, nil
}
