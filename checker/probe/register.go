package probe

import (
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// register reads, writes, deletes and compares single keys, with every field of a request that
// changes what the answer says.
type register struct {
	client *client
	known  map[string]string // the value that this client saw last
	past   int64             // a revision that it saw a while ago
}

func newRegister(c *client) script { return &register{client: c, known: map[string]string{}} }

func (r *register) step() {
	c := r.client
	key := fmt.Sprintf("register/%d", c.random.IntN(c.probe.options.Keys))
	switch roll := c.random.IntN(100); {
	case roll < 40:
		r.read(key)
	case roll < 65:
		request := put(key, c.value())
		request.PrevKv = c.chance(30)
		request.IgnoreLease = c.chance(5) // refused if the key is not there
		if c.do(request) != nil {
			r.known[key] = string(request.Value)
		}
	case roll < 90:
		r.swap(key)
	default:
		request := remove(key)
		request.PrevKv = c.chance(50)
		c.do(request)
	}
}

// read asks for the present, mostly; sometimes for whatever the member has, or for the past.
func (r *register) read(key string) {
	c := r.client
	request := get(key)
	switch roll := c.random.IntN(10); {
	case roll < 3:
		request.Serializable = true
	case roll < 5:
		request.Revision = r.past
	case roll < 6:
		request = under("register/")
		request.Limit = c.random.Int64N(5)
		request.SortTarget = pb.RangeRequest_SortTarget(c.random.IntN(5))
		request.SortOrder = pb.RangeRequest_SortOrder(c.random.IntN(3))
		request.KeysOnly, request.CountOnly = c.chance(20), c.chance(20)
	}
	answer := c.do(request)
	if answer == nil {
		r.past = 0 // it may have been compacted
		return
	}
	if kv := first(answer); string(kv.Key) == key && kv.Value != "" {
		r.known[key] = string(kv.Value)
	}
	if c.chance(20) {
		r.past = answer.Revision
	}
}

// swap writes if the key has the value that was seen last, and reads if not.
func (r *register) swap(key string) {
	c := r.client
	next := c.value()
	request := &pb.TxnRequest{Success: ops(put(key, next)), Failure: ops(get(key))}
	if known, ok := r.known[key]; ok {
		request.Compare = []*pb.Compare{holding(key, known)}
	} else {
		request.Compare = []*pb.Compare{created(key, 0)}
	}
	switch answer := c.do(request); {
	case answer == nil:
	case answer.Succeeded:
		r.known[key] = next
	case len(answer.Responses) == 1:
		delete(r.known, key)
		if kv := first(&answer.Responses[0]); kv.Value != "" {
			r.known[key] = string(kv.Value)
		}
	}
}
