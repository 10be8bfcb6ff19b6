package probe

import (
	"io"
	"sync"

	"detcd/checker"
	"detcd/checker/etcd"
)

// A Recorder writes operations to a history as they come. Its methods may be called from any
// goroutine.
type Recorder struct {
	mu     sync.Mutex // guards what follows
	writer *checker.Writer[etcd.Request, *etcd.Response]
	watch  func(*etcd.Operation)
	lines  int64
}

// NewRecorder begins a history.
func NewRecorder(out io.Writer) (*Recorder, error) {
	writer, err := checker.NewWriter[etcd.Request, *etcd.Response](out)
	return &Recorder{writer: writer}, err
}

// Watch has a function called with every operation that is recorded from now on, one at a time. It
// must keep nothing of it.
func (r *Recorder) Watch(with func(*etcd.Operation)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.watch = with
}

// Record writes an operation.
func (r *Recorder) Record(operation *etcd.Operation) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.watch != nil {
		r.watch(operation)
	}
	r.lines++
	return r.writer.Write(operation)
}

// Operations returns how many were recorded.
func (r *Recorder) Operations() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lines
}

// Flush gives everything to the underlying writer.
func (r *Recorder) Flush() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.writer.Flush()
}
