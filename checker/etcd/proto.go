package etcd

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
)

// FromRequest translates a request of etcd's API. Of other messages nothing is known: nil.
func FromRequest(message any) any {
	switch m := message.(type) {
	case *pb.RangeRequest:
		return fromRange(m)
	case *pb.PutRequest:
		return &Put{Bytes(m.Key), Bytes(m.Value), m.Lease, m.PrevKv, m.IgnoreValue, m.IgnoreLease}
	case *pb.DeleteRangeRequest:
		return &Delete{Bytes(m.Key), Bytes(m.RangeEnd), m.PrevKv}
	case *pb.TxnRequest:
		t := &Txn{Success: fromOps(m.Success), Failure: fromOps(m.Failure)}
		for _, c := range m.Compare {
			t.Compare = append(t.Compare, fromCompare(c))
		}
		return t
	case *pb.CompactionRequest:
		return &Compact{m.Revision}
	case *pb.LeaseGrantRequest:
		return &Grant{m.ID, m.TTL}
	case *pb.LeaseRevokeRequest:
		return &Revoke{m.ID}
	case *pb.LeaseKeepAliveRequest:
		return &KeepAlive{m.ID}
	case *pb.LeaseTimeToLiveRequest:
		return &TimeToLive{m.ID, m.Keys}
	case *pb.LeaseLeasesRequest:
		return &Leases{}
	}
	return nil
}

// fromRange translates every field.
func fromRange(m *pb.RangeRequest) *Range {
	return &Range{
		Key: Bytes(m.Key), End: Bytes(m.RangeEnd), Revision: m.Revision, Limit: m.Limit,
		Order: int32(m.SortOrder), Target: int32(m.SortTarget), Serializable: m.Serializable,
		KeysOnly: m.KeysOnly, CountOnly: m.CountOnly,
		MinMod: m.MinModRevision, MaxMod: m.MaxModRevision,
		MinCreate: m.MinCreateRevision, MaxCreate: m.MaxCreateRevision,
	}
}

// fromOps translates the operations of a branch.
func fromOps(ops []*pb.RequestOp) []Request {
	var requests []Request
	for _, op := range ops {
		var ask any
		switch op := op.GetRequest().(type) {
		case *pb.RequestOp_RequestRange:
			ask = FromRequest(op.RequestRange)
		case *pb.RequestOp_RequestPut:
			ask = FromRequest(op.RequestPut)
		case *pb.RequestOp_RequestDeleteRange:
			ask = FromRequest(op.RequestDeleteRange)
		case *pb.RequestOp_RequestTxn:
			ask = FromRequest(op.RequestTxn)
		}
		requests = append(requests, Request{ask})
	}
	return requests
}

// fromCompare translates a compare. A value that belongs to another target counts as none.
func fromCompare(c *pb.Compare) Compare {
	translated := Compare{Key: Bytes(c.Key), End: Bytes(c.RangeEnd), Target: int32(c.Target),
		Result: int32(c.Result)}
	switch c.Target {
	case pb.Compare_VERSION:
		translated.Number = c.GetVersion()
	case pb.Compare_CREATE:
		translated.Number = c.GetCreateRevision()
	case pb.Compare_MOD:
		translated.Number = c.GetModRevision()
	case pb.Compare_VALUE:
		translated.Value = Bytes(c.GetValue())
	case pb.Compare_LEASE:
		translated.Number = c.GetLease()
	}
	return translated
}

// FromResponse translates a response of etcd's API. Of other messages nothing is known: nil.
func FromResponse(message any) *Response {
	r := fromKeys(message)
	if answer, ok := message.(interface{ GetHeader() *pb.ResponseHeader }); ok && r != nil {
		r.Term = int64(answer.GetHeader().GetRaftTerm())
	}
	return r
}

// fromKeys translates the responses about keys.
func fromKeys(message any) *Response {
	switch m := message.(type) {
	case *pb.RangeResponse:
		return &Response{Revision: m.GetHeader().GetRevision(), KVs: fromKVs(m.Kvs),
			Count: m.Count, More: m.More}
	case *pb.PutResponse:
		r := &Response{Revision: m.GetHeader().GetRevision()}
		if m.PrevKv != nil {
			r.KVs = []KeyValue{fromKV(m.PrevKv)}
		}
		return r
	case *pb.DeleteRangeResponse:
		return &Response{Revision: m.GetHeader().GetRevision(), KVs: fromKVs(m.PrevKvs),
			Count: m.Deleted}
	case *pb.TxnResponse:
		r := &Response{Revision: m.GetHeader().GetRevision(), Succeeded: m.Succeeded}
		for _, op := range m.Responses {
			r.Responses = append(r.Responses, *FromResponse(responseIn(op)))
		}
		return r
	case *pb.CompactionResponse:
		return &Response{Revision: m.GetHeader().GetRevision()}
	}
	return fromLease(message)
}

// responseIn returns the response of an operation in a transaction.
func responseIn(op *pb.ResponseOp) any {
	switch op := op.GetResponse().(type) {
	case *pb.ResponseOp_ResponseRange:
		return op.ResponseRange
	case *pb.ResponseOp_ResponsePut:
		return op.ResponsePut
	case *pb.ResponseOp_ResponseDeleteRange:
		return op.ResponseDeleteRange
	case *pb.ResponseOp_ResponseTxn:
		return op.ResponseTxn
	}
	return &pb.RangeResponse{}
}

// fromLease translates the responses about leases.
func fromLease(message any) *Response {
	switch m := message.(type) {
	case *pb.LeaseGrantResponse:
		return &Response{Revision: m.GetHeader().GetRevision(),
			Lease: &LeaseReply{ID: m.ID, TTL: m.TTL}}
	case *pb.LeaseRevokeResponse:
		return &Response{Revision: m.GetHeader().GetRevision()}
	case *pb.LeaseKeepAliveResponse:
		return &Response{Revision: m.GetHeader().GetRevision(),
			Lease: &LeaseReply{ID: m.ID, TTL: m.TTL}}
	case *pb.LeaseTimeToLiveResponse:
		l := &LeaseReply{ID: m.ID, TTL: m.TTL, Granted: m.GrantedTTL}
		for _, key := range m.Keys {
			l.Keys = append(l.Keys, Bytes(key))
		}
		return &Response{Revision: m.GetHeader().GetRevision(), Lease: l}
	case *pb.LeaseLeasesResponse:
		l := &LeaseReply{}
		for _, status := range m.Leases {
			l.Leases = append(l.Leases, status.ID)
		}
		return &Response{Revision: m.GetHeader().GetRevision(), Lease: l}
	}
	return nil
}

// FromWatch translates one message of a watch.
func FromWatch(m *pb.WatchResponse) *Response {
	w := &WatchReply{Created: m.Created, Canceled: m.Canceled, Compacted: m.CompactRevision,
		Fragment: m.Fragment}
	for _, e := range m.Events {
		event := Event{Delete: e.Type == mvccpb.Event_DELETE, KV: fromKV(e.Kv)}
		if e.PrevKv != nil {
			previous := fromKV(e.PrevKv)
			event.Prev = &previous
		}
		w.Events = append(w.Events, event)
	}
	return &Response{Revision: m.GetHeader().GetRevision(), Watch: w}
}

// fromKV translates a key with its value.
func fromKV(kv *mvccpb.KeyValue) KeyValue {
	return KeyValue{Bytes(kv.GetKey()), Bytes(kv.GetValue()), kv.GetCreateRevision(),
		kv.GetModRevision(), kv.GetVersion(), kv.GetLease()}
}

func fromKVs(kvs []*mvccpb.KeyValue) []KeyValue {
	var translated []KeyValue
	for _, kv := range kvs {
		translated = append(translated, fromKV(kv))
	}
	return translated
}
