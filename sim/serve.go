package sim

import (
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"detcd/consensus/replica"
	"detcd/kv"
)

// limits are those of a server that nobody configured.
func (m *member) limits() kv.Limits {
	return kv.Limits{RequestBytesMax: 1536 << 10, TxnOpsMax: txnOpsMax, Space: m.space(),
		LeaseTTLMin: m.world.options.World.leaseTTLMin()}
}

// txnOpsMax is etcd's bound of the operations in a transaction.
const txnOpsMax = 128

// serve works on a request of a client, as kv/rpc does: it does what the Call needs, until it is
// done. Where the member crashes, reply is never called.
func (m *member) serve(
	user string, request proto.Message, reply func(proto.Message, error),
) {
	m.awake(func() {
		m.sawRequest(request)
		m.drive(kv.NewCall(request, m.limits(), m.random.Uint64, credentials{m, user}), reply)
	})
}

// sign fills in the term of a response, as kv/rpc does.
func (m *member) sign(response proto.Message) {
	if r, ok := response.(interface{ GetHeader() *pb.ResponseHeader }); ok {
		if header := r.GetHeader(); header != nil {
			header.RaftTerm = uint64(m.replica.Status().Term)
		}
	}
}

func (m *member) drive(call *kv.Call, reply func(proto.Message, error)) {
	given := func(a replica.Answer) {
		if a.Err != nil {
			reply(nil, a.Err)
			return
		}
		call.Give(a.Value)
		m.drive(call, reply)
	}
	for m.up() {
		switch call.Next() {
		case kv.Done:
			response, err := call.Response()
			m.sign(response)
			reply(response, err)
			return
		case kv.NeedView:
			call.Give(m.store.View())
		case kv.NeedBarrier:
			if m.world.options.Bug == DeposedRead && m.replica.Status().Leading {
				call.Give(m.store.View())
				continue
			}
			m.request(replica.Input{Kind: replica.InputRead}, given)
			return
		case kv.NeedCommand:
			m.request(replica.Input{Kind: replica.InputSubmit, Data: call.Command()}, given)
			return
		case kv.NeedAnswer:
			m.request(replica.Input{Kind: replica.InputQuery, Data: call.Question()}, given)
			return
		case kv.NeedPause:
			m.pauseCall(call, reply)
			return
		}
	}
}

func (m *member) pauseCall(call *kv.Call, reply func(proto.Message, error)) {
	life := m.life
	m.world.after(10*time.Millisecond, func() {
		if m.life == life && m.up() {
			m.awake(func() {
				call.Give(m.store.View())
				m.drive(call, reply)
			})
		}
	})
}

// request tells the replica of a request and has done called with its answer.
func (m *member) request(in replica.Input, done func(replica.Answer)) {
	m.next++
	in.ID = m.next
	m.waiting[in.ID] = done
	m.tell(in)
}
