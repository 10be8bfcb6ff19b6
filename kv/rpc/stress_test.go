package rpc

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"golang.org/x/sync/errgroup"
)

// A listener is a watch of one key, and what it heard.
type listener struct {
	key       int
	from      int64 // it must hear of this revision and those above
	revisions []int64
}

// A chronicle is what happened to each key, and who listens.
type chronicle struct {
	mutex     sync.Mutex
	history   map[int][]int64
	listeners []*listener
}

// Many streams watch this and that while others write. Each watch hears all that happened to its
// key from where it began, once and in order, although its stream sleeps until it is called.
func TestManyStreamsHearEverything(t *testing.T) {
	const streams, watches, keys, writers, writes = 30, 4, 9, 4, 150
	s := serve(t, Options{})
	c := &chronicle{history: make(map[int][]int64)}
	ctx := soon(t)
	var work errgroup.Group
	for range writers {
		work.Go(func() error {
			for range writes {
				key := rand.N(keys)
				r, err := pb.NewKVClient(s.conn).Put(ctx, &pb.PutRequest{Key: fmt.Append(nil, key)})
				if err != nil {
					return err
				}
				c.mutex.Lock()
				c.history[key] = append(c.history[key], r.Header.Revision)
				c.mutex.Unlock()
			}
			return nil
		})
	}
	for range streams {
		stream, err := pb.NewWatchClient(s.conn).Watch(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var mine [watches]*listener
		for i := range mine {
			mine[i] = &listener{key: rand.N(keys)}
			if rand.N(2) == 0 {
				mine[i].from = 1 + rand.Int64N(writers*writes)
			}
		}
		c.listeners = append(c.listeners, mine[:]...)
		go c.hear(stream, mine[:])
		work.Go(func() error {
			for i, l := range mine {
				time.Sleep(rand.N(20 * time.Millisecond))
				r := &pb.WatchCreateRequest{
					Key: fmt.Append(nil, l.key), StartRevision: l.from, WatchId: int64(i + 1),
				}
				if err := stream.Send(createWatch(r)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := work.Wait(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		missing := c.missing()
		if missing == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(missing)
		}
	}
}

// hear notes what the watches of a stream hear.
func (c *chronicle) hear(stream pb.Watch_WatchClient, mine []*listener) {
	for {
		r, err := stream.Recv()
		if err != nil {
			return
		}
		l := mine[r.WatchId-1]
		c.mutex.Lock()
		if r.Created && l.from == 0 {
			l.from = r.Header.Revision + 1
		}
		for _, e := range r.Events {
			l.revisions = append(l.revisions, e.Kv.ModRevision)
		}
		c.mutex.Unlock()
	}
}

// missing tells of a watch that did not hear exactly what it must.
func (c *chronicle) missing() string {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for i, l := range c.listeners {
		all := slices.Sorted(slices.Values(c.history[l.key]))
		first, _ := slices.BinarySearch(all, l.from)
		if l.from == 0 || !slices.Equal(all[first:], l.revisions) {
			return fmt.Sprintf("watch %d of key %d, from %d: heard %v of %v",
				i, l.key, l.from, l.revisions, all[first:])
		}
	}
	return ""
}
