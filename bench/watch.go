package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/encoding/protowire"
)

// An audience is the watchers of a run: one stream a connection, which carries its share of them.
// Every put is seen by the same number of watchers, and its value says when it was due.
type audience struct {
	epoch     time.Time
	fan       int64 // watchers of one key
	streams   []*listener
	delivered atomic.Int64 // events since the stage began
	group     sync.WaitGroup
	broken    atomic.Pointer[error] // the first stream that ended
	closing   atomic.Bool
}

// A listener is one stream of an audience.
type listener struct {
	*stream
	all     *audience
	created int
	into    atomic.Pointer[recorder]
}

// listen makes the watchers and returns when the server has confirmed all of them.
func listen(ctx context.Context, o *Options) (*audience, error) {
	a := &audience{epoch: o.epoch, fan: int64(o.Watchers / o.Keys)}
	for i := range min(o.Connections, o.Watchers) {
		l := &listener{all: a}
		var err error
		l.stream, err = dialStream(ctx, o.Endpoints[i%len(o.Endpoints)], methodWatch, l.response)
		if err != nil {
			a.close()
			return nil, err
		}
		a.streams = append(a.streams, l)
		l.into.Store(newRecorder())
	}
	for i, l := range a.streams {
		if err := l.create(o, i, len(a.streams)); err != nil {
			a.close()
			return nil, fmt.Errorf("bench: create watchers: %w", err)
		}
	}
	for _, l := range a.streams {
		a.group.Go(func() {
			for {
				if err := l.receive(); err != nil {
					a.broken.CompareAndSwap(nil, &err)
					return
				}
			}
		})
	}
	return a, nil
}

// create asks for every n-th watcher beginning with the first, and waits for the confirmations.
func (l *listener) create(o *Options, first, step int) error {
	if err := l.w.conn.SetDeadline(time.Now().Add(stallTimeout)); err != nil {
		return err
	}
	key := make([]byte, o.KeySize)
	want := 0
	for watcher := first; watcher < o.Watchers; watcher += step {
		writeKey(key, watcher%o.Keys)
		err := l.send(&etcdserverpb.WatchRequest{
			RequestUnion: &etcdserverpb.WatchRequest_CreateRequest{
				CreateRequest: &etcdserverpb.WatchCreateRequest{Key: key},
			},
		})
		if err != nil {
			return err
		}
		want++
	}
	for l.created < want {
		if err := l.flush(); err != nil {
			return err
		}
		if err := l.receive(); err != nil {
			return err
		}
	}
	return l.w.conn.SetDeadline(time.Time{})
}

// The numbers of the fields that a listener reads: of WatchResponse, Event and KeyValue.
const (
	fieldCreated  = 3
	fieldCanceled = 4
	fieldEvents   = 11
	fieldKeyValue = 2
	fieldValue    = 5
)

var errForeign = errors.New("a response that is no watch response")

// response counts the events of a response. It reads the bytes as they are: decoding them into
// messages would cost the client more than the server spends.
func (l *listener) response(message []byte) error {
	now := time.Now()
	into := l.into.Load()
	events := int64(0)
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return errForeign
		}
		size := protowire.ConsumeFieldValue(number, kind, message[n:])
		if size < 0 {
			return errForeign
		}
		switch value := message[n : n+size]; number {
		case fieldCreated:
			l.created++
		case fieldCanceled:
			return errors.New("the server canceled a watcher")
		case fieldEvents:
			stamp := field(field(field(value, 0), fieldKeyValue), fieldValue)
			if len(stamp) < stampSize {
				return errForeign
			}
			due := l.all.epoch.Add(time.Duration(binary.BigEndian.Uint64(stamp)))
			into.ok(now.Sub(due))
			events++
		}
		message = message[n+size:]
	}
	l.all.delivered.Add(events)
	return nil
}

// field returns the bytes of a field of a message; nil when it is not there. Number 0 takes the
// length off a field's value.
func field(message []byte, number protowire.Number) []byte {
	if number == 0 {
		value, _ := protowire.ConsumeBytes(message)
		return value
	}
	for len(message) > 0 {
		found, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return nil
		}
		size := protowire.ConsumeFieldValue(found, kind, message[n:])
		if size < 0 {
			return nil
		}
		if found == number && kind == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(message[n:])
			return value
		}
		message = message[n+size:]
	}
	return nil
}

// begin makes a stage one that keeps at most as many puts as there are clients from being seen by
// all their watchers, unless a rate says when they are due.
func (a *audience) begin(st *stage) {
	a.delivered.Store(0)
	for _, l := range a.streams {
		l.into.Store(newRecorder())
	}
	st.gate = func(sent int64) bool {
		return st.period == 0 && sent*a.fan-a.delivered.Load() >= int64(st.clients)*a.fan
	}
}

// finish waits until every event of a stage has come, and returns the latencies of all.
func (a *audience) finish(ctx context.Context, st *stage) (*recorder, error) {
	want := st.sent.Load() * a.fan
	before, moved := int64(-1), time.Now()
	for a.delivered.Load() < want {
		if err := a.broken.Load(); err != nil {
			return nil, fmt.Errorf("watchers: %w", *err)
		}
		if done := a.delivered.Load(); done != before {
			before, moved = done, time.Now()
		} else if time.Since(moved) > stallTimeout {
			return nil, fmt.Errorf("%d of %d events came: %w", done, want, errStalled)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(gateInterval):
		}
	}
	all := newRecorder()
	for _, l := range a.streams {
		all.merge(l.into.Load())
	}
	return all, nil
}

// close ends the streams. What that may find wrong, the run has found before.
func (a *audience) close() {
	for _, l := range a.streams {
		_ = l.close()
	}
	a.group.Wait()
}
