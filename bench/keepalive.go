package bench

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// renewals is a connection with one stream of keep-alives. Its clients share the stream: answers
// come in the order of requests.
type renewals struct {
	*stream
	underWay []renewal // in the order in which they were sent
	st       *stage
	into     *recorder
}

// A renewal is a keep-alive that was sent.
type renewal struct {
	of   *client
	sent time.Time
}

// fieldTTL is the number of LeaseKeepAliveResponse's TTL, which is absent when the lease is gone.
const fieldTTL = 3

func dialKeepAlive(ctx context.Context, endpoint string) (*renewals, error) {
	r := &renewals{}
	var err error
	r.stream, err = dialStream(ctx, endpoint, methodKeepAlive, r.answer)
	return r, err
}

// run renews leases until the stage is over and every answer is there.
func (r *renewals) run(st *stage, clients []*client, into *recorder) error {
	r.st, r.into = st, into
	for _, c := range clients {
		if err := r.renew(c); err != nil {
			return err
		}
	}
	for len(r.underWay) > 0 {
		if err := r.flush(); err != nil {
			return err
		}
		if err := r.receive(); err != nil {
			return err
		}
	}
	return nil
}

func (r *renewals) renew(c *client) error {
	now := time.Now()
	if !r.st.take(now) {
		return nil
	}
	r.underWay = append(r.underWay, renewal{c, now})
	return r.send(c.source.next(now))
}

// answer takes one answer, which is the first one's of those that are under way.
func (r *renewals) answer(message []byte) error {
	if len(r.underWay) == 0 {
		return errors.New("an answer that nobody asked for")
	}
	first := r.underWay[0]
	r.underWay = r.underWay[1:]
	if hasField(message, fieldTTL) {
		r.into.ok(time.Since(first.sent))
	} else {
		r.into.failed("the lease is gone")
	}
	return r.renew(first.of)
}

// hasField says whether a message has a field.
func hasField(message []byte, number protowire.Number) bool {
	for len(message) > 0 {
		found, _, size := protowire.ConsumeField(message)
		if size < 0 || found == number {
			return size >= 0
		}
		message = message[size:]
	}
	return false
}
