package main

import (
	"encoding/hex"
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// text is a key or a value as it is printed: as it is, or each byte as \x and two digits.
func (p *page) text(raw []byte) string {
	if !p.hex {
		return string(raw)
	}
	var text strings.Builder
	for _, b := range raw {
		text.WriteString(`\x` + hex.EncodeToString([]byte{b}))
	}
	return text.String()
}

// pair writes a key and its value, each on a line.
func (p *page) pair(kv *mvccpb.KeyValue) {
	p.line(p.text(kv.GetKey()))
	p.line(p.text(kv.GetValue()))
}

// pairs writes keys and values.
func (p *page) pairs(kvs []*mvccpb.KeyValue) {
	for _, kv := range kvs {
		p.pair(kv)
	}
}

// record writes all that is known of a key, each name after a prefix.
func (p *page) record(prefix string, kv *mvccpb.KeyValue) {
	p.linef("\"%sKey\" : %q", prefix, kv.GetKey())
	p.linef("\"%sCreateRevision\" : %d", prefix, kv.GetCreateRevision())
	p.linef("\"%sModRevision\" : %d", prefix, kv.GetModRevision())
	p.linef("\"%sVersion\" : %d", prefix, kv.GetVersion())
	p.linef("\"%sValue\" : %q", prefix, kv.GetValue())
	p.lease(prefix+"Lease", clientv3.LeaseID(kv.GetLease()))
}

// lease writes the identifier of a lease.
func (p *page) lease(name string, id clientv3.LeaseID) {
	if p.hex {
		p.linef("%q : %016x", name, int64(id))
	} else {
		p.linef("%q : %d", name, int64(id))
	}
}

// put is how a response to a put looks.
func put(r *pb.PutResponse) answer {
	return answer{
		message: r,
		simple: func(p *page) {
			p.line("OK")
			if r.GetPrevKv() != nil {
				p.pair(r.GetPrevKv())
			}
		},
		fields: func(p *page) {
			if r.GetPrevKv() != nil {
				p.record("Prev", r.GetPrevKv())
			}
		},
	}
}

// found is how a response to a range looks.
func found(r *pb.RangeResponse) answer {
	return answer{
		message: r,
		simple:  func(p *page) { p.pairs(r.GetKvs()) },
		fields: func(p *page) {
			for _, kv := range r.GetKvs() {
				p.record("", kv)
			}
			p.line(`"More" :`, r.GetMore())
			p.line(`"Count" :`, r.GetCount())
		},
	}
}

// deleted is how a response to a delete looks.
func deleted(r *pb.DeleteRangeResponse) answer {
	return answer{
		message: r,
		simple: func(p *page) {
			p.line(r.GetDeleted())
			p.pairs(r.GetPrevKvs())
		},
		fields: func(p *page) {
			p.line(`"Deleted" :`, r.GetDeleted())
			for _, kv := range r.GetPrevKvs() {
				p.record("Prev", kv)
			}
		},
	}
}

// decided is how a response to a transaction looks.
func decided(r *pb.TxnResponse) answer {
	return answer{
		message: r,
		json:    txnJSON(r),
		simple: func(p *page) {
			if r.GetSucceeded() {
				p.line("SUCCESS")
			} else {
				p.line("FAILURE")
			}
			for _, part := range r.GetResponses() {
				p.line()
				within(part).simple(p)
			}
		},
		fields: func(p *page) {
			p.line(`"Succeeded" :`, r.GetSucceeded())
			for _, part := range r.GetResponses() {
				p.fields(within(part))
			}
		},
	}
}

// within is how a response inside a transaction looks.
func within(part *pb.ResponseOp) answer {
	switch r := part.GetResponse().(type) {
	case *pb.ResponseOp_ResponsePut:
		return put(r.ResponsePut)
	case *pb.ResponseOp_ResponseDeleteRange:
		return deleted(r.ResponseDeleteRange)
	case *pb.ResponseOp_ResponseTxn:
		return decided(r.ResponseTxn)
	default:
		return found(part.GetResponseRange())
	}
}

// txnResponse is the JSON of a transaction. Of the one field that a part has, it shows one only.
type txnResponse struct {
	Header    *pb.ResponseHeader `json:"header,omitempty"`
	Succeeded bool               `json:"succeeded,omitempty"`
	Responses []txnPart          `json:"responses,omitempty"`
}

// txnPart is a response inside a transaction.
type txnPart struct {
	Response struct {
		Range       *pb.RangeResponse       `json:"response_range,omitempty"`
		Put         *pb.PutResponse         `json:"response_put,omitempty"`
		DeleteRange *pb.DeleteRangeResponse `json:"response_delete_range,omitempty"`
		Txn         *txnResponse            `json:"response_txn,omitempty"`
	} `json:"Response"`
}

func txnJSON(r *pb.TxnResponse) *txnResponse {
	shown := &txnResponse{Header: r.GetHeader(), Succeeded: r.GetSucceeded()}
	for _, op := range r.GetResponses() {
		var part txnPart
		part.Response.Range = op.GetResponseRange()
		part.Response.Put = op.GetResponsePut()
		part.Response.DeleteRange = op.GetResponseDeleteRange()
		if inner := op.GetResponseTxn(); inner != nil {
			part.Response.Txn = txnJSON(inner)
		}
		shown.Responses = append(shown.Responses, part)
	}
	return shown
}

// changed is how a response to a watch looks. Its JSON is that of clientv3, not of the protocol.
func changed(r *clientv3.WatchResponse) answer {
	return answer{
		message: &pb.WatchResponse{
			Header: r.Header, Events: r.Events, CompactRevision: r.CompactRevision,
			Canceled: r.Canceled, Created: r.Created,
		},
		json: r,
		simple: func(p *page) {
			for _, event := range r.Events {
				p.line(event.Type)
				if event.PrevKv != nil {
					p.pair(event.PrevKv)
				}
				p.pair(event.Kv)
			}
		},
		fields: func(p *page) {
			for _, event := range r.Events {
				p.line(`"Type" :`, event.Type)
				if event.PrevKv != nil {
					p.record("Prev", event.PrevKv)
				}
				p.record("", event.Kv)
			}
		},
	}
}
