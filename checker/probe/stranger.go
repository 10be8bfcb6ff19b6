package probe

import (
	"context"
	"fmt"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// stranger does what he may not, at any member.
type stranger struct{ client *client }

// strangerRate is how many requests a second the stranger makes at most.
const strangerRate = 50

// secrets are the prefixes of the keys of all workloads.
func secrets() []string {
	return []string{"append", "bank", "election", "guarded/lock", "lease", "lock", "register",
		"set", "visitor", "watch"}
}

func (s *stranger) step() {
	c := s.client
	if !c.pace() {
		return
	}
	c.at = c.random.IntN(len(c.probe.options.Connections))
	ctx, cancel := c.patience()
	defer cancel()
	all := secrets()
	prefix := all[c.random.IntN(len(all))] + "/"
	key := fmt.Sprintf("%s%d", prefix, c.random.IntN(c.probe.options.Keys))
	write := put(key, "of a stranger "+c.value())
	switch c.random.IntN(8) {
	case 0:
		s.ask(ctx, get(key))
	case 1:
		request := under(prefix)
		request.Serializable = true
		s.ask(ctx, request)
	case 2:
		s.ask(ctx, write)
	case 3:
		s.ask(ctx, remove(key))
	case 4:
		s.ask(ctx, &pb.DeleteRangeRequest{Key: []byte(prefix), RangeEnd: []byte(after(prefix))})
	case 5:
		s.ask(ctx, &pb.TxnRequest{Success: ops(get("stranger/"), write)})
	case 6:
		s.ask(ctx, &pb.TxnRequest{Compare: []*pb.Compare{created(key, 0)}, // tells of the key
			Success: ops(get("stranger/")), Failure: ops(get("stranger/"))})
	default:
		s.watch(ctx, prefix)
	}
}

// ask makes a request, which must be refused. A serializable read is served by what a member knows:
// one that has just joined may not know of any users yet, nor of any keys.
func (s *stranger) ask(ctx context.Context, request any) {
	c := s.client
	call := c.probe.now()
	answer, err := c.send(ctx, request)
	if err != nil {
		s.refused(message(err))
		return
	}
	if read, ok := answer.(*pb.RangeResponse); ok && read.Count == 0 &&
		request.(*pb.RangeRequest).Serializable {
		return
	}
	s.breach(call, fmt.Sprintf("served: %T %v", request, request))
}

// watch watches, and must not be shown anything.
func (s *stranger) watch(ctx context.Context, prefix string) {
	c := s.client
	call := c.probe.now()
	stream, err := pb.NewWatchClient(c.connection()).Watch(ctx)
	if err == nil {
		err = stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{
			CreateRequest: &pb.WatchCreateRequest{Key: []byte(prefix), RangeEnd: []byte(after(prefix))}}})
	}
	for err == nil {
		var message *pb.WatchResponse
		if message, err = stream.Recv(); err != nil {
			break
		}
		if len(message.Events) > 0 {
			s.breach(call, fmt.Sprintf("shown by a watch: %v", message.Events[0]))
			return
		}
		if message.Canceled {
			s.refused(message.CancelReason)
			return
		}
	}
}

// refused counts what was refused because it is not permitted.
func (s *stranger) refused(reason string) {
	if reason == message(rpctypes.ErrGRPCPermissionDenied) ||
		reason == rpctypes.ErrGRPCPermissionDenied.Error() {
		s.client.probe.people.count(func(n *Visits) { n.Strange++ })
	}
}

// breach notes that the stranger had success.
func (s *stranger) breach(call int64, what string) {
	c := s.client
	c.probe.people.accuse(fmt.Sprintf("the stranger, between %v and %v, at member %d: %s",
		time.Duration(call), time.Duration(c.probe.now()), c.at+1, what))
}
