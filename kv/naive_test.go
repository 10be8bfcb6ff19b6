package kv

import (
	"bytes"
	"cmp"
	"maps"
	"slices"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/protobuf/proto"
)

// state is every key at one revision. A stored KeyValue is never changed.
type state map[string]*mvccpb.KeyValue

// naive is a store written for obviousness: it copies everything at each write.
type naive struct {
	history   []state // by revision; 0 is not used
	compacted int64
	leases    map[int64]int64 // time to live
	grants    []int64         // of all leases, in their order
	alarms    map[Alarm]bool
}

func newNaive() *naive {
	return &naive{history: []state{nil, {}}, compacted: -1, leases: map[int64]int64{},
		alarms: map[Alarm]bool{}}
}

func (n *naive) revision() int64 { return int64(len(n.history) - 1) }

// naiveTxn is a transaction under way.
type naiveTxn struct {
	*naive
	now     state
	changed bool
}

func (n *naive) begin() *naiveTxn {
	return &naiveTxn{naive: n, now: maps.Clone(n.history[n.revision()])}
}

func (t *naiveTxn) current() int64 {
	if t.changed {
		return t.revision() + 1
	}
	return t.revision()
}

func (t *naiveTxn) end() {
	if t.changed {
		t.history = append(t.history, t.now)
	}
}

// in gives the keys of a range in ascending order.
func in(s state, key, end []byte) (out []*mvccpb.KeyValue) {
	for _, k := range slices.Sorted(maps.Keys(s)) {
		switch {
		case len(end) == 0 && k != string(key), k < string(key):
		case len(end) > 0 && string(end) != "\x00" && k >= string(end):
		default:
			out = append(out, s[k])
		}
	}
	return out
}

func (t *naiveTxn) read(r *pb.RangeRequest) (*pb.RangeResponse, error) {
	from := t.now
	switch {
	case r.Revision > t.current():
		return nil, rpctypes.ErrGRPCFutureRev
	case r.Revision > 0 && r.Revision < t.compacted:
		return nil, rpctypes.ErrGRPCCompacted
	case r.Revision > 0 && r.Revision <= t.revision():
		from = t.history[r.Revision]
	}
	kvs := in(from, r.Key, r.RangeEnd)
	response := &pb.RangeResponse{Header: header(t.current()), Count: int64(len(kvs))}
	if r.CountOnly {
		return response, nil
	}
	kvs = slices.DeleteFunc(kvs, func(kv *mvccpb.KeyValue) bool {
		return r.MinModRevision != 0 && kv.ModRevision < r.MinModRevision ||
			r.MaxModRevision != 0 && kv.ModRevision > r.MaxModRevision ||
			r.MinCreateRevision != 0 && kv.CreateRevision < r.MinCreateRevision ||
			r.MaxCreateRevision != 0 && kv.CreateRevision > r.MaxCreateRevision
	})
	bounds := r.MinModRevision | r.MaxModRevision | r.MinCreateRevision | r.MaxCreateRevision
	if early := r.SortOrder == pb.RangeRequest_NONE && bounds == 0; early && r.Limit > 0 &&
		int64(len(kvs)) > r.Limit {
		kvs = kvs[:r.Limit+1] // as etcd: one more than wanted is found, and only that is sorted
	}
	slices.SortStableFunc(kvs, func(a, b *mvccpb.KeyValue) int { return sorted(r, a, b) })
	if r.Limit > 0 && int64(len(kvs)) > r.Limit {
		kvs, response.More = kvs[:r.Limit], true
	}
	for _, kv := range kvs {
		copied := proto.Clone(kv).(*mvccpb.KeyValue)
		if r.KeysOnly {
			copied.Value = nil
			if r.SortTarget != pb.RangeRequest_VALUE {
				copied.Lease = 0
			}
		}
		response.Kvs = append(response.Kvs, copied)
	}
	return response, nil
}

func sorted(r *pb.RangeRequest, a, b *mvccpb.KeyValue) int {
	order := map[pb.RangeRequest_SortTarget]int{
		pb.RangeRequest_KEY:     bytes.Compare(a.Key, b.Key),
		pb.RangeRequest_VERSION: cmp.Compare(a.Version, b.Version),
		pb.RangeRequest_CREATE:  cmp.Compare(a.CreateRevision, b.CreateRevision),
		pb.RangeRequest_MOD:     cmp.Compare(a.ModRevision, b.ModRevision),
		pb.RangeRequest_VALUE:   bytes.Compare(a.Value, b.Value),
	}[r.SortTarget]
	if r.SortOrder == pb.RangeRequest_DESCEND {
		return -order
	}
	return order
}

func (t *naiveTxn) checkPut(r *pb.PutRequest) error {
	if _, found := t.leases[r.Lease]; r.Lease != 0 && !found {
		return rpctypes.ErrGRPCLeaseNotFound
	}
	if t.now[string(r.Key)] == nil && (r.IgnoreLease || r.IgnoreValue) {
		return rpctypes.ErrGRPCKeyNotFound
	}
	return nil
}

func (t *naiveTxn) put(r *pb.PutRequest) *pb.PutResponse {
	kv := &mvccpb.KeyValue{Key: r.Key, Value: r.Value, Lease: r.Lease, Version: 1,
		CreateRevision: t.revision() + 1, ModRevision: t.revision() + 1}
	before := t.now[string(r.Key)]
	response := &pb.PutResponse{Header: header(t.revision() + 1)}
	if before != nil {
		kv.Version, kv.CreateRevision = before.Version+1, before.CreateRevision
		if r.IgnoreValue {
			kv.Value = before.Value
		}
		if r.IgnoreLease {
			kv.Lease = before.Lease
		}
		if r.PrevKv {
			response.PrevKv = before
		}
	}
	t.now[string(r.Key)], t.changed = kv, true
	return response
}

func (t *naiveTxn) delete(r *pb.DeleteRangeRequest) *pb.DeleteRangeResponse {
	response := &pb.DeleteRangeResponse{}
	for _, kv := range in(t.now, r.Key, r.RangeEnd) {
		delete(t.now, string(kv.Key))
		response.Deleted, t.changed = response.Deleted+1, true
		if r.PrevKv {
			response.PrevKvs = append(response.PrevKvs, kv)
		}
	}
	response.Header = header(t.current())
	return response
}

func (t *naiveTxn) compare(c *pb.Compare) bool {
	kvs := in(t.now, c.Key, c.RangeEnd)
	if len(kvs) == 0 {
		kvs = []*mvccpb.KeyValue{{}}
		if c.Target == pb.Compare_VALUE {
			return false
		}
	}
	for _, kv := range kvs {
		order := map[pb.Compare_CompareTarget]int{
			pb.Compare_VERSION: cmp.Compare(kv.Version, c.GetVersion()),
			pb.Compare_CREATE:  cmp.Compare(kv.CreateRevision, c.GetCreateRevision()),
			pb.Compare_MOD:     cmp.Compare(kv.ModRevision, c.GetModRevision()),
			pb.Compare_VALUE:   bytes.Compare(kv.Value, c.GetValue()),
			pb.Compare_LEASE:   cmp.Compare(kv.Lease, c.GetLease()),
		}[c.Target]
		if !map[pb.Compare_CompareResult]bool{
			pb.Compare_EQUAL: order == 0, pb.Compare_NOT_EQUAL: order != 0,
			pb.Compare_GREATER: order > 0, pb.Compare_LESS: order < 0,
		}[c.Result] {
			return false
		}
	}
	return true
}

// verdicts decides all comparisons first: by transaction, whether they hold.
func (t *naiveTxn) verdicts(r *pb.TxnRequest, out map[*pb.TxnRequest]bool) {
	out[r] = !slices.ContainsFunc(r.Compare, func(c *pb.Compare) bool { return !t.compare(c) })
	for _, op := range append(slices.Clone(r.Success), r.Failure...) {
		if inner := op.GetRequestTxn(); inner != nil {
			t.verdicts(inner, out)
		}
	}
}

// walk calls each for every operation that is executed, in order.
func walk(r *pb.TxnRequest, verdicts map[*pb.TxnRequest]bool,
	each func(op *pb.RequestOp) error) error {
	ops := r.Failure
	if verdicts[r] {
		ops = r.Success
	}
	for _, op := range ops {
		if err := each(op); err != nil {
			return err
		}
	}
	return nil
}

func (t *naiveTxn) txn(r *pb.TxnRequest) (*pb.TxnResponse, error) {
	verdicts := map[*pb.TxnRequest]bool{}
	t.verdicts(r, verdicts)
	var check, execute func(op *pb.RequestOp) error
	check = func(op *pb.RequestOp) error {
		if r := op.GetRequestTxn(); r != nil {
			return walk(r, verdicts, check)
		} else if r := op.GetRequestPut(); r != nil {
			return t.checkPut(r)
		} else if revision := op.GetRequestRange().GetRevision(); revision > t.revision() {
			return rpctypes.ErrGRPCFutureRev
		} else if revision != 0 && revision < t.compacted {
			return rpctypes.ErrGRPCCompacted
		}
		return nil
	}
	if err := walk(r, verdicts, check); err != nil {
		return nil, err
	}
	response := &pb.TxnResponse{Succeeded: verdicts[r]}
	into := response
	execute = func(op *pb.RequestOp) error {
		out := &pb.ResponseOp{}
		into.Responses = append(into.Responses, out)
		switch r := op.Request.(type) {
		case *pb.RequestOp_RequestRange:
			inner, err := t.read(r.RequestRange)
			out.Response = &pb.ResponseOp_ResponseRange{ResponseRange: inner}
			return err
		case *pb.RequestOp_RequestPut:
			out.Response = &pb.ResponseOp_ResponsePut{ResponsePut: t.put(r.RequestPut)}
		case *pb.RequestOp_RequestDeleteRange:
			out.Response = &pb.ResponseOp_ResponseDeleteRange{
				ResponseDeleteRange: t.delete(r.RequestDeleteRange)}
		case *pb.RequestOp_RequestTxn:
			outer := into
			into = &pb.TxnResponse{Header: header(0), Succeeded: verdicts[r.RequestTxn]}
			out.Response = &pb.ResponseOp_ResponseTxn{ResponseTxn: into}
			defer func() { into = outer }()
			return walk(r.RequestTxn, verdicts, execute)
		}
		return nil
	}
	err := walk(r, verdicts, execute)
	response.Header = header(t.current())
	return response, err
}
