package node

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"

	"detcd/consensus/replica"
)

func TestTheInboxKeepsOrderAndGivesEveryRequestAnIDOfItsOwn(t *testing.T) {
	b := newInbox()
	for range 3 {
		if err := b.request(replica.Input{Kind: replica.InputRead}, waiterNew().(*waiter)); err != nil {
			t.Fatal(err)
		}
	}
	b.enqueueNoReply(replica.Input{Kind: replica.InputForget, ID: 2})
	arrived := b.take(batch{})
	if len(arrived.Requests) != 4 || arrived.Requests[3].Kind != replica.InputForget {
		t.Fatalf("%+v", arrived.Requests)
	}
	for i, in := range arrived.Requests[:3] {
		if w := arrived.waiters[i]; in.ID != replica.RequestID(i+1) || w.id != in.ID {
			t.Errorf("input %d has ID %d, its waiter %d", i, in.ID, w.id)
		}
	}
	if next := b.take(arrived.emptied()); len(next.Requests) != 0 {
		t.Errorf("inputs came twice: %+v", next.Requests)
	}
}

func TestTheInboxIsBounded(t *testing.T) {
	b := newInbox()
	w := waiterNew().(*waiter)
	for i := range inputsMax {
		if err := b.request(replica.Input{}, w); err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
	}
	if err := b.request(replica.Input{}, w); !errors.Is(err, ErrTooMany) {
		t.Errorf("a request beyond the bound: %v", err)
	}
	b.take(batch{})
	half := make([]byte, inputBytesMax/2+1)
	if err := b.request(replica.Input{Data: half}, w); err != nil {
		t.Error(err)
	}
	if err := b.request(replica.Input{Data: half}, w); !errors.Is(err, ErrTooMany) {
		t.Errorf("bytes beyond the bound: %v", err)
	}
	taken := 0
	for b.message(replica.Message{}, messageBytesMax/8) {
		taken++
	}
	if taken != 8 {
		t.Errorf("%d messages of an eighth of the bound were taken", taken)
	}
	b.close(ErrStopped)
	if err := b.request(replica.Input{}, w); !errors.Is(err, ErrStopped) {
		t.Errorf("a closed inbox took a request: %v", err)
	}
}

// The two benchmarks compare what decision 0502 chose with the usual way: a hundred goroutines ask,
// one answers.
const benchmarkClients = 100

func BenchmarkRequestsByInbox(b *testing.B) {
	box, done := newInbox(), make(chan struct{})
	go func() {
		spare := batch{}
		for {
			select {
			case <-box.wake:
			case <-done:
				return
			}
			arrived := box.take(spare)
			for _, w := range arrived.waiters {
				w.answer(nil, nil)
			}
			spare = arrived.emptied()
		}
	}()
	waiters := sync.Pool{New: waiterNew}
	ask(b, func() {
		w := waiters.Get().(*waiter)
		w.state.Store(waiting)
		if err := box.request(replica.Input{}, w); err != nil {
			b.Error(err)
		}
		<-w.ready
		waiters.Put(w)
	})
	close(done)
}

func BenchmarkRequestsByChannel(b *testing.B) {
	inputs, done := make(chan *waiter, 1024), make(chan struct{})
	go func() {
		for {
			select {
			case w := <-inputs:
				w.answer(nil, nil)
			case <-done:
				return
			}
		}
	}()
	ask(b, func() {
		w := waiterNew().(*waiter)
		inputs <- w
		<-w.ready
	})
	close(done)
}

func ask(b *testing.B, once func()) {
	b.ReportAllocs()
	b.SetParallelism(max(1, benchmarkClients/runtime.GOMAXPROCS(0)))
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			once()
		}
	})
}

func TestAWaiterWaitsForAnAnswerOrItsContext(t *testing.T) {
	ended, end := context.WithCancel(context.Background())
	end()
	for _, c := range []struct {
		name     string
		ctx      context.Context
		answered bool
		want     error
	}{
		{"answered", context.Background(), true, nil},
		{"the client left", ended, false, context.Canceled},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := waiterNew().(*waiter)
			for range 3 { // a waiter is used again
				w.state.Store(waiting)
				if c.answered {
					w.answer("a", nil)
				}
				if err := w.wait(c.ctx); !errors.Is(err, c.want) {
					t.Errorf("%v, want %v", err, c.want)
				}
				if w.state.Load() == waiting {
					t.Error("nobody decided how the request ends")
				}
			}
		})
	}
}
