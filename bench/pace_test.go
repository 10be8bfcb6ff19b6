package bench

import (
	"bufio"
	"net"
	"testing"
	"time"
)

// A connection whose clients are all due much later waits until it is woken, or until something
// comes; what wakes it at any other time does not end its reads.
func TestAConnectionIsWokenOnlyWhileItWaits(t *testing.T) {
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	w := &wire{conn: here, in: bufio.NewReader(here)}
	st := newStage(0, 2*time.Hour, 1, 1)
	waiting := []*slot{{client: &client{}, due: time.Now().Add(time.Hour)}}
	for range 3 {
		w.wake() // nobody waits
		woken := make(chan struct{})
		go func() {
			defer close(woken)
			for ended := false; !ended; {
				time.Sleep(time.Millisecond)
				w.dozeLock.Lock()
				ended = w.dozing
				w.dozeLock.Unlock()
				w.wake()
			}
		}()
		if ready, err := w.await(st, waiting); ready || err != nil {
			t.Fatalf("woken: ready %v, %v", ready, err)
		}
		<-woken
		w.wake()
		go there.Write([]byte{7})
		if ready, err := w.await(st, waiting); !ready || err != nil {
			t.Fatalf("a byte has come: ready %v, %v", ready, err)
		}
		if _, err := w.in.Discard(1); err != nil {
			t.Fatal(err)
		}
	}
}
