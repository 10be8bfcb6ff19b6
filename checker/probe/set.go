package probe

import (
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// set adds elements, each a key of its own, that nobody writes again; reads whole groups of them,
// in pages too; and removes groups.
type set struct{ client *client }

func newSet(c *client) script { return &set{c} }

// pageSize is how many elements a page has.
const pageSize = 5

func (s *set) step() {
	c := s.client
	group := fmt.Sprintf("set/%d/", c.random.IntN(c.probe.options.Keys))
	switch roll := c.random.IntN(100); {
	case roll < 60:
		c.do(put(group+c.value(), "in"))
	case roll < 75:
		request := under(group)
		request.Serializable = c.chance(30)
		request.CountOnly = c.chance(20)
		c.do(request)
	case roll < 85:
		s.pages(group)
	case roll < 90:
		c.do(under("set/"))
	default:
		c.do(&pb.DeleteRangeRequest{Key: []byte(group), RangeEnd: []byte(after(group)),
			PrevKv: c.chance(30)})
	}
}

// pages reads a group page by page, at the revision of the first one.
func (s *set) pages(group string) {
	request := under(group)
	request.Limit = pageSize
	answer := s.client.do(request)
	if answer == nil {
		return
	}
	revision := answer.Revision
	for answer != nil && answer.More && len(answer.KVs) > 0 {
		request = under(group)
		request.Key = []byte(string(answer.KVs[len(answer.KVs)-1].Key) + "\x00")
		request.Limit, request.Revision = pageSize, revision
		answer = s.client.do(request)
	}
}
