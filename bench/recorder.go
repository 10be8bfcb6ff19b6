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

// latency sums up the operations that succeeded; all zero when there are none.
func (r *recorder) latency() Latency {
	h := r.latencies
	if h.TotalCount() == 0 {
		return Latency{}
	}
	at := func(q float64) float64 { return float64(h.ValueAtQuantile(q)) / 1e6 }
	return Latency{
		Min: float64(h.Min()) / 1e6, Mean: h.Mean() / 1e6,
		P50: at(50), P90: at(90), P95: at(95), P99: at(99), P999: at(99.9),
		Max: float64(h.Max()) / 1e6,
	}
}

// errorsMax bounds the number of different messages that are kept.
const errorsMax = 20
