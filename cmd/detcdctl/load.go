package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"
)

// A load is puts of new keys by many clients at once.
type load struct {
	clients            int
	rate               int           // puts a second; 0: as many as are answered
	duration           time.Duration // ends it; 0: nothing does
	count              int           // ends it, too; 0: nothing does
	keyBytes, valBytes int
	prefix             string
}

// An outcome is how the puts of a load were answered.
type outcome struct {
	mu      sync.Mutex // guards what follows
	count   int        // that were answered well
	errors  map[string]int
	elapsed time.Duration
	slowest float64 // seconds, as the next two
	sum     float64
	squares float64
}

// add counts one put.
func (o *outcome) add(took time.Duration, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil {
		o.errors[err.Error()]++
		return
	}
	seconds := took.Seconds()
	o.count++
	o.slowest = max(o.slowest, seconds)
	o.sum += seconds
	o.squares += seconds * seconds
}

// deviation is the standard deviation of the time that a put took, in seconds.
func (o *outcome) deviation() float64 {
	n := float64(max(1, o.count))
	return math.Sqrt(max(0, o.squares/n-(o.sum/n)*(o.sum/n)))
}

// perSecond is how many puts were answered in a second.
func (o *outcome) perSecond() float64 {
	return float64(o.count) / max(o.elapsed.Seconds(), 1e-9)
}

// run puts the load on the server; done is told after each put. It ends early with the context.
func (l load) run(ctx context.Context, s *session, done func(count int)) (*outcome, error) {
	clients := make([]*clientv3.Client, l.clients)
	for i := range clients {
		client, err := s.dial(s.spec)
		if err != nil {
			return nil, err
		}
		defer client.Close()
		clients[i] = client
	}
	o := &outcome{errors: map[string]int{}}
	keys := make(chan string)
	start := time.Now()
	var group errgroup.Group
	for _, client := range clients {
		group.Go(func() error {
			value := strings.Repeat("\x00", l.valBytes)
			for key := range keys {
				sent := time.Now()
				limited, cancel := context.WithTimeout(s.context, 30*time.Second)
				_, err := client.Put(limited, key, value)
				cancel()
				o.add(time.Since(sent), err)
				done(o.answered())
			}
			return nil
		})
	}
	l.feed(ctx, keys)
	err := group.Wait()
	o.elapsed = time.Since(start)
	return o, err
}

// answered is how many puts are over.
func (o *outcome) answered() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	failed := 0
	for _, n := range o.errors {
		failed += n
	}
	return o.count + failed
}

// feed gives out keys at the rate until the load is at its end.
func (l load) feed(ctx context.Context, keys chan<- string) {
	defer close(keys)
	if l.duration > 0 {
		limited, cancel := context.WithTimeout(ctx, l.duration)
		defer cancel()
		ctx = limited
	}
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	start := time.Now()
	for fed := 0; l.count == 0 || fed < l.count; {
		due := math.MaxInt
		if l.rate > 0 {
			due = int(time.Since(start).Seconds() * float64(l.rate))
		}
		for ; fed < due && (l.count == 0 || fed < l.count); fed++ {
			select {
			case keys <- fmt.Sprintf("%s%0*x", l.prefix, l.keyBytes, rand.Uint64()):
			case <-ctx.Done():
				return
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}
