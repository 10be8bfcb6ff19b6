package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"go.etcd.io/etcd/api/v3/etcdserverpb/gw"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
)

// services translates between JSON and gRPC, as etcd does: names with underscores out, either
// spelling in, unknown fields ignored, zeros left out. A websocket carries a stream line by line.
func (g *Gateway) services() (http.Handler, error) {
	mux := runtime.NewServeMux(runtime.WithErrorHandler(refuse),
		runtime.WithMarshalerOption(runtime.MIMEWildcard,
			&runtime.HTTPBodyMarshaler{Marshaler: &runtime.JSONPb{
				MarshalOptions:   protojson.MarshalOptions{UseProtoNames: true},
				UnmarshalOptions: protojson.UnmarshalOptions{DiscardUnknown: true},
			}}))
	for _, register := range []func(context.Context, *runtime.ServeMux, *grpc.ClientConn) error{
		gw.RegisterKVHandler, gw.RegisterWatchHandler, gw.RegisterLeaseHandler,
		gw.RegisterClusterHandler, gw.RegisterMaintenanceHandler, gw.RegisterAuthHandler,
	} {
		if err := register(context.Background(), mux, g.options.Services); err != nil {
			return nil, err
		}
	}
	for i := range g.options.Recipes {
		if err := g.recipe(mux, &g.options.Recipes[i]); err != nil {
			return nil, err
		}
	}
	return g.sockets(g.bounded(mux)), nil
}

const (
	streamBytesMax = 64 << 20 // of all requests of one stream
	slackBytes     = 1 << 20  // of a body, for all that is not keys and values
)

// A body remembers that it was longer than it may be.
type body struct {
	io.ReadCloser
	limit    int64
	exceeded bool
}

// Read notes the error of http.MaxBytesReader.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	var tooLarge *http.MaxBytesError
	b.exceeded = b.exceeded || errors.As(err, &tooLarge)
	return n, err
}

// refuse answers with an error. What did not fit into the bound of a body would not have fit into
// that of gRPC: the answer is the one that gRPC gives to what fits into the former only.
func refuse(ctx context.Context, mux *runtime.ServeMux, marshaler runtime.Marshaler,
	w http.ResponseWriter, r *http.Request, err error) {
	if b, ok := r.Body.(*body); ok && b.exceeded {
		err = status.Errorf(codes.ResourceExhausted, "grpc: received message larger than max "+
			"(%d vs. %d)", max(r.ContentLength, b.limit+1), b.limit)
	}
	runtime.DefaultHTTPErrorHandler(ctx, mux, marshaler, w, r, err)
}

// bodyBytesMax bounds one request of JSON.
func (g *Gateway) bodyBytesMax() int64 { return int64(2*g.options.RequestBytesMax + slackBytes) }

// bounded bounds what a client may send: a request of JSON is at most twice its size as gRPC, which
// refuses what is too large. The requests of a stream share one body.
func (g *Gateway) bounded(next http.Handler) http.Handler {
	most := g.bodyBytesMax()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		limit := most
		switch r.URL.Path {
		case "/v3/watch", "/v3/lease/keepalive":
			limit = max(limit, streamBytesMax)
		}
		r.Body = &body{ReadCloser: http.MaxBytesReader(w, r.Body, limit), limit: limit}
		next.ServeHTTP(w, r)
	})
}
