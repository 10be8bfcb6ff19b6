package probe

import (
	"fmt"
	"slices"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"detcd/checker/etcd"
)

// appender adds elements to lists, one or several in a transaction. A list is the value of a key:
// it tells the whole order of its changes, and a lost one leaves a hole.
type appender struct{ client *client }

func newAppend(c *client) script { return &appender{c} }

// listMax is the length of a list, in bytes, after which it is begun anew.
const listMax = 400

func (a *appender) step() {
	c := a.client
	keys := c.some("append/", 1+c.random.IntN(3))
	read := &pb.TxnRequest{}
	for _, key := range keys {
		read.Success = append(read.Success, ops(get(key))...)
	}
	if len(keys) == 1 && c.chance(50) {
		answer := c.do(get(keys[0]))
		if answer == nil {
			return
		}
		a.write(keys, []etcd.Response{*answer}, read)
		return
	}
	if answer := c.do(read); answer != nil {
		a.write(keys, answer.Responses, read)
	}
}

// write appends to what was read, if it is still there.
func (a *appender) write(keys []string, were []etcd.Response, otherwise *pb.TxnRequest) {
	c := a.client
	if len(were) != len(keys) || c.chance(25) {
		return
	}
	request := &pb.TxnRequest{Failure: otherwise.Success}
	for i, key := range keys {
		kv := first(&were[i])
		request.Compare = append(request.Compare, unchanged(key, kv.Mod))
		list := string(kv.Value) + " " + c.value()
		if len(list) > listMax {
			list = c.value()
		}
		request.Success = append(request.Success, ops(put(key, list))...)
	}
	c.do(request)
}

// some returns different keys of those with a prefix, in order.
func (c *client) some(prefix string, count int) []string {
	var keys []string
	for _, n := range c.random.Perm(c.probe.options.Keys)[:min(count, c.probe.options.Keys)] {
		keys = append(keys, fmt.Sprintf("%s%d", prefix, n))
	}
	slices.Sort(keys)
	return keys
}
