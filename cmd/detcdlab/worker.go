package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A worker is one client of the load: it sends one request after the other, to one member until
// that fails and then to the next, and tells the ledger.
type worker struct {
	drill  *drill
	number int
	random *rand.Rand
	at     int              // the member it talks to
	known  map[string]int64 // modification revision of shared keys, as last seen
}

// The load of a worker: how many keys are its own, how many all workers fight over, and how long it
// waits for an answer.
const (
	ownKeys       = 100
	sharedKeys    = 4
	answerTimeout = 3 * time.Second
	errorPause    = 10 * time.Millisecond
)

// run sends requests until ctx ends. A request that is under way then is still waited for.
func (w *worker) run(ctx context.Context) {
	period := time.Duration(float64(w.drill.workers) / w.drill.rate * float64(time.Second))
	for due := time.Now(); ctx.Err() == nil; due = due.Add(period) {
		behind := time.Since(due)
		if behind < 0 {
			time.Sleep(-behind)
		} else if behind > time.Second {
			due = time.Now() // an outage is not made up for
		}
		if err := w.one(); err != nil {
			w.at = (w.at + 1) % len(w.drill.members)
			w.drill.refused(err)
			time.Sleep(errorPause)
		}
	}
}

// one sends one request of a random kind.
func (w *worker) one() error {
	ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
	defer cancel()
	switch roll := w.random.IntN(100); {
	case roll < 45:
		return w.put(ctx)
	case roll < 60:
		return w.several(ctx)
	case roll < 70:
		return w.remove(ctx)
	case roll < 80:
		return w.compareAndSwap(ctx)
	case roll < 95:
		return w.get(ctx, w.anyKey(), false)
	}
	return w.get(ctx, w.anyKey(), true)
}

func (w *worker) ownKey() string {
	return fmt.Sprintf("client%02d/key%02d", w.number, w.random.IntN(ownKeys))
}

func (w *worker) sharedKey() string {
	return fmt.Sprintf("shared/key%02d", w.random.IntN(sharedKeys))
}

func (w *worker) anyKey() string {
	if w.random.IntN(4) == 0 {
		return w.sharedKey()
	}
	return w.ownKey()
}

func (w *worker) put(ctx context.Context) error {
	return w.drill.put(ctx, w.at, &write{what: "put", puts: []string{w.ownKey()}})
}

// several puts a few of its keys in one transaction.
func (w *worker) several(ctx context.Context) error {
	var keys []string
	for len(keys) < 2+w.random.IntN(4) {
		if key := w.ownKey(); !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	one := &write{what: "txn", puts: keys}
	_, err := w.drill.txn(ctx, w.at, one, func(value []byte) *etcdserverpb.TxnRequest {
		request := &etcdserverpb.TxnRequest{}
		for _, key := range keys {
			request.Success = append(request.Success, opPut(key, value))
		}
		return request
	})
	return err
}

// remove deletes one of its keys, if it is there, and leaves a mark in the same transaction: a
// deletion has no value by which it could be known again.
func (w *worker) remove(ctx context.Context) error {
	key, mark := w.ownKey(), fmt.Sprintf("client%02d/mark", w.number)
	one := &write{what: "delete", puts: []string{mark}, deletes: []string{key}}
	_, err := w.drill.txn(ctx, w.at, one, func(value []byte) *etcdserverpb.TxnRequest {
		return &etcdserverpb.TxnRequest{
			Compare: []*etcdserverpb.Compare{{
				Key: []byte(key), Target: etcdserverpb.Compare_VERSION,
				Result:      etcdserverpb.Compare_GREATER,
				TargetUnion: &etcdserverpb.Compare_Version{Version: 0},
			}},
			Success: []*etcdserverpb.RequestOp{opDelete(key), opPut(mark, value)},
		}
	})
	return err
}

// compareAndSwap puts a shared key if nobody has since it was last looked at; the answer tells its
// revision either way.
func (w *worker) compareAndSwap(ctx context.Context) error {
	key := w.sharedKey()
	one := &write{what: "compare and swap", puts: []string{key}}
	floor := w.drill.ledger.seen.Load()
	answer, err := w.drill.txn(ctx, w.at, one, func(value []byte) *etcdserverpb.TxnRequest {
		return &etcdserverpb.TxnRequest{
			Compare: []*etcdserverpb.Compare{{
				Key: []byte(key), Target: etcdserverpb.Compare_MOD,
				Result:      etcdserverpb.Compare_EQUAL,
				TargetUnion: &etcdserverpb.Compare_ModRevision{ModRevision: w.known[key]},
			}},
			Success: []*etcdserverpb.RequestOp{opPut(key, value)},
			Failure: []*etcdserverpb.RequestOp{{Request: &etcdserverpb.RequestOp_RequestRange{
				RequestRange: &etcdserverpb.RangeRequest{Key: []byte(key)},
			}}},
		}
	})
	if err != nil {
		return err
	}
	if answer.Succeeded {
		w.known[key] = answer.Header.Revision
		return nil
	}
	found := only(answer.Responses[0].GetResponseRange().GetKvs())
	who := w.drill.members[w.at].Name()
	w.drill.ledger.readAnswered(key, found, answer.Header.Revision, floor, who)
	if w.known[key] = 0; found != nil {
		w.known[key] = found.revision
	}
	return nil
}

func (w *worker) get(ctx context.Context, key string, serializable bool) error {
	kv, err := w.drill.kv(w.at)
	if err != nil {
		return err
	}
	floor := w.drill.ledger.seen.Load()
	request := &etcdserverpb.RangeRequest{Key: []byte(key), Serializable: serializable}
	answer, err := kv.Range(ctx, request)
	if err != nil {
		return err
	}
	found, who := only(answer.Kvs), w.drill.members[w.at].Name()
	if serializable {
		w.drill.ledger.serializableRead(key, found, answer.Header.Revision, who)
	} else {
		w.drill.ledger.readAnswered(key, found, answer.Header.Revision, floor, who)
	}
	return nil
}

func opPut(key string, value []byte) *etcdserverpb.RequestOp {
	return &etcdserverpb.RequestOp{Request: &etcdserverpb.RequestOp_RequestPut{
		RequestPut: &etcdserverpb.PutRequest{Key: []byte(key), Value: value},
	}}
}

func opDelete(key string) *etcdserverpb.RequestOp {
	return &etcdserverpb.RequestOp{Request: &etcdserverpb.RequestOp_RequestDeleteRange{
		RequestDeleteRange: &etcdserverpb.DeleteRangeRequest{Key: []byte(key)},
	}}
}

// only returns the one key of an answer to a read of one key; nil when it is empty.
func only(kvs []*mvccpb.KeyValue) *version {
	if len(kvs) == 0 {
		return nil
	}
	v := versionOf(kvs[0])
	return &v
}

// versionOf takes over what a server tells of a key.
func versionOf(kv *mvccpb.KeyValue) version {
	return version{kv.ModRevision, change{
		key: string(kv.Key), value: string(kv.Value), create: kv.CreateRevision,
		version: kv.Version, lease: leaseID(kv.Lease),
	}}
}

// transient tells whether an error is one that a client may see while members die and come back.
// Every other one is a finding.
func transient(err error) bool {
	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled, codes.ResourceExhausted:
		return true
	}
	return false
}
