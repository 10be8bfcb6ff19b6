package rpc

import (
	"context"
	"fmt"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// What a put costs while streams watch other keys: to them it is nothing, and should cost nothing.
func BenchmarkPutBesideStreams(b *testing.B) {
	for _, streams := range []int{0, 10, 1000} {
		b.Run(fmt.Sprint(streams), func(b *testing.B) {
			s := serve(b, Options{})
			for i := range streams {
				stream, err := pb.NewWatchClient(s.conn).Watch(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				r := &pb.WatchCreateRequest{Key: fmt.Appendf(nil, "w%d", i)}
				if err := stream.Send(createWatch(r)); err != nil {
					b.Fatal(err)
				}
				if _, err := stream.Recv(); err != nil {
					b.Fatal(err)
				}
			}
			c := patient(s.loner)
			put := &pb.PutRequest{Key: []byte("a"), Value: []byte("v")}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := carry[*pb.PutResponse](context.Background(), c, put); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// What it costs to tell a thousand watches of a put, on one stream and on a thousand.
func BenchmarkFanOut(b *testing.B) {
	const watches = 1000
	for _, streams := range []int{1, 10, 1000} {
		b.Run(fmt.Sprint(streams), func(b *testing.B) {
			s := serve(b, Options{})
			heard := make(chan struct{}, watches)
			for range streams {
				stream, err := pb.NewWatchClient(s.conn).Watch(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				for range watches / streams {
					r := &pb.WatchCreateRequest{Key: []byte("a")}
					if err := stream.Send(createWatch(r)); err != nil {
						b.Fatal(err)
					}
					if _, err := stream.Recv(); err != nil {
						b.Fatal(err)
					}
				}
				go func() {
					for {
						if _, err := stream.Recv(); err != nil {
							return
						}
						heard <- struct{}{}
					}
				}()
			}
			c := patient(s.loner)
			put := &pb.PutRequest{Key: []byte("a"), Value: make([]byte, 256)}
			for b.Loop() {
				if _, err := carry[*pb.PutResponse](context.Background(), c, put); err != nil {
					b.Fatal(err)
				}
				for range watches {
					<-heard
				}
			}
		})
	}
}
