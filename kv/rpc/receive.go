package rpc

import "context"

// requestsMax is how many requests of a stream wait for those before them; the client of one more
// is made to wait by gRPC's flow control.
const requestsMax = 16

// A received is a request of a stream, or why there are no more: io.EOF when the client has sent
// its last.
type received[R any] struct {
	message R
	err     error
}

// receive reads the requests of a stream in a goroutine, until one cannot be read or ctx ends.
func receive[R any](ctx context.Context, next func() (R, error)) <-chan received[R] {
	requests := make(chan received[R], requestsMax)
	go func() {
		for {
			message, err := next()
			select {
			case requests <- received[R]{message, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return requests
}
