package bench

import (
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// The bounds of the histogram: it tells latencies of 100 ns to two minutes apart to one part in a
// thousand; longer ones are counted as two minutes.
const (
	latencyMin = 100
	latencyMax = int64(2 * time.Minute)
)

// A recorder collects the outcomes of the clients of one connection. Only their goroutine writes to
// it; done may be read from any.
type recorder struct {
	latencies *hdrhistogram.Histogram
	done      atomic.Int64
	errors    map[string]int64
}

func newRecorder() *recorder {
	return &recorder{
		latencies: hdrhistogram.New(latencyMin, latencyMax, 3),
		errors:    map[string]int64{},
	}
}

// ok counts an operation that succeeded.
func (r *recorder) ok(latency time.Duration) {
	// The value is inside the bounds, which is the only thing that RecordValue refuses.
	_ = r.latencies.RecordValue(min(max(int64(latency), latencyMin), latencyMax))
	r.done.Add(1)
}

// failed counts an operation that did not. The messages are few: they are codes and the texts of
// the server, and those of errorsMax+1 and more are counted as one.
func (r *recorder) failed(message string) {
	if _, known := r.errors[message]; !known && len(r.errors) >= errorsMax {
		message = "other errors"
	}
	r.errors[message]++
	r.done.Add(1)
}

// merge adds what the other has.
func (r *recorder) merge(other *recorder) {
	r.latencies.Merge(other.latencies)
	r.done.Add(other.done.Load())
	for message, count := range other.errors {
		r.errors[message] += count
	}
}

// errorsMax bounds the number of different messages that are kept.
const errorsMax = 20
