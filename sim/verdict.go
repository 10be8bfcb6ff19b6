package sim

import (
	"bytes"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// operation judges what a client was told, as far as that can be done at once. Responses carry the
// revision of the store, so their place in history is known.
func (j *judge) operation(o *operation) {
	j.user(o)
	switch {
	case o.undecided:
		j.unknownOps++
		return
	case o.err != nil || o.response == nil:
		if o.err == rpctypes.ErrGRPCNoSpace || o.err == rpctypes.ErrGRPCCorrupt {
			j.forbid(o) // by an alarm
		}
		return
	}
	j.answeredOps++
	revision := revisionOf(o.response)
	if revision < o.least && !stale(o) {
		j.fail("client %d was answered at revision %d by %s, which began after revision %d was told",
			o.client, revision, requestText(o.request), o.least)
		return
	}
	j.highest = max(j.highest, revision)
	j.keep(o, revision)
	switch r := o.response.(type) {
	case *pb.RangeResponse:
		j.rangeResponse(o.request.(*pb.RangeRequest), r)
	case *pb.PutResponse:
		j.put(o, o.request.(*pb.PutRequest), revision)
	case *pb.DeleteRangeResponse:
		j.deleted(o, r)
	}
}

// stale says whether the request allows an answer from the past.
func stale(o *operation) bool {
	switch r := o.request.(type) {
	case *pb.RangeRequest:
		return r.Serializable
	case *pb.HashKVRequest, *pb.LeaseTimeToLiveRequest, *pb.LeaseKeepAliveRequest:
		return true
	case *pb.TxnRequest:
		return true // it may be all serializable reads; the checker looks closer
	}
	return false
}

// put: exactly this write is at exactly this revision.
func (j *judge) put(o *operation, r *pb.PutRequest, revision int64) {
	if j.history.gaps[revision] || revision >= j.history.next() {
		return
	}
	for _, e := range j.history.of(revision) {
		if bytes.Equal(e.Kv.Key, r.Key) && e.Type == mvccpb.Event_PUT &&
			(r.IgnoreValue || bytes.Equal(e.Kv.Value, r.Value)) {
			return
		}
	}
	j.fail("client %d was told that %s is revision %d, and it is not",
		o.client, requestText(r), revision)
}

// deleted: as many keys were deleted at this revision as the client was told.
func (j *judge) deleted(o *operation, r *pb.DeleteRangeResponse) {
	revision := r.Header.Revision
	if r.Deleted == 0 || j.history.gaps[revision] || revision >= j.history.next() {
		return
	}
	count := int64(0)
	for _, e := range j.history.of(revision) {
		if e.Type == mvccpb.Event_DELETE {
			count++
		}
	}
	if count != r.Deleted {
		j.fail("client %d was told that revision %d deleted %d keys: it deleted %d",
			o.client, revision, r.Deleted, count)
	}
}

// rangeResponse: what was read is what the history says those keys were.
func (j *judge) rangeResponse(request *pb.RangeRequest, r *pb.RangeResponse) {
	at := request.Revision
	if at <= 0 {
		at = r.Header.Revision
	}
	if at >= j.history.next() {
		return
	}
	for _, got := range r.Kvs {
		if got.ModRevision > at || j.history.gaps[got.ModRevision] {
			continue
		}
		found := false
		for _, e := range j.history.of(got.ModRevision) {
			if bytes.Equal(e.Kv.Key, got.Key) && e.Type == mvccpb.Event_PUT {
				found = request.KeysOnly || bytes.Equal(e.Kv.Value, got.Value)
			}
		}
		if !found {
			j.fail("a client read %s = %.20q of revision %d, which is not what that wrote",
				got.Key, got.Value, got.ModRevision)
		}
		if newer := j.changedBetween(got.Key, got.ModRevision, at); newer != 0 {
			j.fail("a client read %s of revision %d at revision %d, though revision %d changed it",
				got.Key, got.ModRevision, at, newer)
		}
	}
}

// changedBetween returns a revision in (after, upTo] that changed the key; 0 when there is none.
func (j *judge) changedBetween(key []byte, after, upTo int64) int64 {
	for e := j.history.latest[string(key)]; e != nil; e = j.history.before[e] {
		if e.Kv.ModRevision <= after {
			break
		}
		if e.Kv.ModRevision <= upTo {
			return e.Kv.ModRevision
		}
	}
	return 0
}
