package kv

import (
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"

	"detcd/kv/mvcc"
)

// execution is a write transaction under way. It has no way back: all that can be refused was.
type execution struct {
	store *Store
	txn   *mvcc.Txn
	local bool // somebody waits for the responses
}

func (s *Store) begin(local bool) execution {
	return execution{store: s, txn: s.mvcc.Begin(), local: local}
}

func (s *Store) applyPut(r *pb.PutRequest, local bool) (proto.Message, error) {
	e := s.begin(local)
	defer e.txn.End()
	if err := (grounds{from: e.txn, leases: s.leases}).checkPut(r); err != nil {
		return nil, err
	}
	return e.put(r), nil
}

func (s *Store) applyTxn(r *pb.TxnRequest, local bool) (proto.Message, error) {
	e := s.begin(local)
	defer e.txn.End()
	b, err := decide(r, e.txn)
	must(err)
	g := grounds{from: e.txn, compacted: s.mvcc.Compacted(), leases: s.leases}
	if err := g.check(b); err != nil {
		return nil, err
	}
	if b.size() > 1 {
		s.tally.txns.Add(1)
	}
	responses := e.run(b)
	return &pb.TxnResponse{Header: header(e.txn.Revision()), Succeeded: b.succeeded,
		Responses: responses}, nil
}

// run executes a branch; without somebody who waits there are no responses.
func (e execution) run(b branch) (responses []*pb.ResponseOp) {
	nested := b.nested
	for _, op := range b.ops {
		var response *pb.ResponseOp
		switch op := op.Request.(type) {
		case *pb.RequestOp_RequestRange:
			response = e.read(op.RequestRange)
		case *pb.RequestOp_RequestPut:
			response = &pb.ResponseOp{Response: &pb.ResponseOp_ResponsePut{
				ResponsePut: e.put(op.RequestPut)}}
		case *pb.RequestOp_RequestDeleteRange:
			response = &pb.ResponseOp{Response: &pb.ResponseOp_ResponseDeleteRange{
				ResponseDeleteRange: e.delete(op.RequestDeleteRange)}}
		case *pb.RequestOp_RequestTxn:
			inner := &pb.TxnResponse{Header: header(0), Succeeded: nested[0].succeeded,
				Responses: e.run(nested[0])}
			nested = nested[1:]
			response = &pb.ResponseOp{Response: &pb.ResponseOp_ResponseTxn{ResponseTxn: inner}}
		}
		if e.local {
			responses = append(responses, response)
		}
	}
	return responses
}

func (e execution) read(r *pb.RangeRequest) *pb.ResponseOp {
	e.store.tally.ranges.Add(1)
	if !e.local {
		return nil
	}
	response, err := read(e.txn, r)
	must(err)
	return rangeOp(response)
}

// put writes one key. Its lease exists, and the key too, if the request takes something over.
func (e execution) put(r *pb.PutRequest) *pb.PutResponse {
	value, owner := r.Value, r.Lease
	var previous *mvccpb.KeyValue
	if r.IgnoreValue || r.PrevKv && e.local {
		previous = e.get(r.Key)
	}
	if r.IgnoreValue {
		value = previous.Value
	}
	if r.IgnoreLease {
		owner = e.txn.Meta(r.Key).Lease
	}
	was := e.txn.Put(r.Key, value, owner)
	e.store.tally.puts.Add(1)
	e.store.tally.putBytes.Add(uint64(len(r.Key) + len(value)))
	if was.Lease != owner {
		e.store.attach(r.Key, was.Lease, owner)
	}
	d := &e.store.digest
	d.bytes(r.Key)
	d.bytes(value)
	d.word(uint64(owner))
	d.word(uint64(was.ModRevision))
	if !e.local {
		return nil
	}
	response := &pb.PutResponse{Header: header(e.txn.Revision())}
	if r.PrevKv {
		response.PrevKv = previous
	}
	return response
}

// get reads one key that may be absent.
func (e execution) get(key []byte) *mvccpb.KeyValue {
	result, err := e.txn.Range(mvcc.RangeOptions{Key: key})
	must(err)
	if len(result.KVs) == 0 {
		return nil
	}
	return result.KVs[0]
}

func (e execution) delete(r *pb.DeleteRangeRequest) *pb.DeleteRangeResponse {
	response := &pb.DeleteRangeResponse{}
	if r.PrevKv && e.local {
		result, err := e.txn.Range(mvcc.RangeOptions{Key: r.Key, End: r.RangeEnd})
		must(err)
		response.PrevKvs = result.KVs
	}
	deleted := e.txn.DeleteRange(r.Key, r.RangeEnd)
	e.store.tally.deletes.Add(1)
	d := &e.store.digest
	for _, was := range deleted {
		if was.Lease != 0 {
			e.store.attach(was.Key, was.Lease, 0)
		}
		d.bytes(was.Key)
		d.word(uint64(was.ModRevision))
	}
	if !e.local {
		return nil
	}
	response.Deleted, response.Header = int64(len(deleted)), header(e.txn.Revision())
	return response
}

// must ends the member: what the archive holds could not be read, or was damaged. To go on would be
// to apply something else than the others.
func must(err error) {
	if err != nil {
		panic(fmt.Errorf("kv: a command cannot be applied: %w", err))
	}
}
