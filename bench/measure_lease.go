package bench

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/grpc"
)

// An expiry is one storm of leases that end.
type expiry struct {
	keys int
	due  []time.Time // when the lease of each key ends; written before the key is put
	late *recorder
}

// Limits of a storm of leases that end.
const (
	expiryTTL   = 4 // seconds; so long that all leases are granted before the first ends
	expiryLimit = 2 * time.Minute
)

// Expire grants a lease for each key, puts the key with it, and lets all of them end. The latency
// is the time from the end of a lease to the deletion of its key, as a watcher is told of it.
func Expire(ctx context.Context, _ Running, o Options) (*Report, error) {
	if err := o.normalize(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, expiryLimit)
	defer cancel()
	conn, err := dialOnce(o.Endpoints[0])
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	e := &expiry{keys: o.Keys, due: make([]time.Time, o.Keys), late: newRecorder()}
	watch, err := etcdserverpb.NewWatchClient(conn).Watch(ctx)
	if err != nil {
		return nil, err
	}
	err = watch.Send(&etcdserverpb.WatchRequest{RequestUnion: &etcdserverpb.WatchRequest_CreateRequest{
		CreateRequest: &etcdserverpb.WatchCreateRequest{
			Key: []byte{0}, RangeEnd: []byte{0},
			Filters: []etcdserverpb.WatchCreateRequest_FilterType{etcdserverpb.WatchCreateRequest_NOPUT},
		},
	}})
	if err != nil {
		return nil, err
	}
	if _, err := watch.Recv(); err != nil { // created
		return nil, err
	}
	if err := e.grant(ctx, conn, &o); err != nil {
		return nil, fmt.Errorf("bench: grant of the leases: %w", err)
	}
	before, err := readUse(ctx, &o)
	if err != nil {
		return nil, err
	}
	begin := e.due[0]
	for _, due := range e.due {
		if due.Before(begin) {
			begin = due
		}
	}
	for gone := 0; gone < e.keys; {
		answer, err := watch.Recv()
		if err != nil {
			return nil, fmt.Errorf("bench: %d of %d leases ended: %w", gone, e.keys, err)
		}
		gone += e.deleted(answer.Events)
	}
	elapsed := time.Since(begin)
	after, err := readUse(ctx, &o)
	if err != nil {
		return nil, err
	}
	return newReport(&o, e.late, elapsed, 0, before, after), nil
}

// grant makes all leases with their keys.
func (e *expiry) grant(ctx context.Context, conn *grpc.ClientConn, o *Options) error {
	leases, kv := etcdserverpb.NewLeaseClient(conn), etcdserverpb.NewKVClient(conn)
	numbers := make(chan int, e.keys)
	for number := range e.keys {
		numbers <- number
	}
	close(numbers)
	var first sync.Once
	var problem error
	var group sync.WaitGroup
	for range o.Clients {
		group.Go(func() {
			for number := range numbers {
				err := e.one(ctx, leases, kv, number)
				if err != nil {
					first.Do(func() { problem = err })
					return
				}
			}
		})
	}
	group.Wait()
	return problem
}

func (e *expiry) one(
	ctx context.Context, leases etcdserverpb.LeaseClient, kv etcdserverpb.KVClient, number int,
) error {
	id := int64(number) + 1
	grant := &etcdserverpb.LeaseGrantRequest{ID: id, TTL: expiryTTL}
	if _, err := leases.LeaseGrant(ctx, grant); err != nil {
		return err
	}
	e.due[number] = time.Now().Add(expiryTTL * time.Second)
	_, err := kv.Put(ctx, &etcdserverpb.PutRequest{
		Key: strconv.AppendInt(nil, id, 10), Lease: id,
	})
	return err
}

// deleted counts the keys that are gone.
func (e *expiry) deleted(events []*mvccpb.Event) int {
	now, count := time.Now(), 0
	for _, event := range events {
		number, err := strconv.Atoi(string(event.Kv.Key))
		if err == nil && event.Type == mvccpb.Event_DELETE && number >= 1 && number <= e.keys {
			e.late.ok(now.Sub(e.due[number-1]))
			count++
		}
	}
	return count
}
