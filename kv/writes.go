package kv

import (
	"github.com/tidwall/btree"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// writes are the keys that a branch of a transaction may put, and the ranges that it may delete.
type writes struct {
	puts    map[string]*pb.PutRequest
	deletes ranges
}

// writesOf collects what a branch may write, and refuses it when it might put a key twice, or put
// one that it deletes. Its own deletions are known before any put is looked at, those of nested
// transactions one by one, in order: so a nested transaction may delete what an earlier one put.
// That is etcd's rule.
func writesOf(ops []*pb.RequestOp) (writes, error) {
	all := writes{puts: make(map[string]*pb.PutRequest)}
	for _, op := range ops {
		if r := op.GetRequestDeleteRange(); r != nil {
			all.deletes.add(string(r.Key), string(r.RangeEnd))
		}
	}
	for _, op := range ops {
		if r := op.GetRequestTxn(); r != nil {
			if err := all.nest(r); err != nil {
				return writes{}, err
			}
		}
	}
	for _, op := range ops {
		if r := op.GetRequestPut(); r != nil {
			if all.conflict(r) {
				return writes{}, rpctypes.ErrGRPCDuplicateKey
			}
			all.puts[string(r.Key)] = r
		}
	}
	return all, nil
}

// nest adds what a nested transaction may write. Only one of its two branches is executed, so they
// may write the same keys; of two such puts the one that may fail beside a deletion is kept.
func (w *writes) nest(r *pb.TxnRequest) error {
	success, err := writesOf(r.Success)
	if err != nil {
		return err
	}
	failure, err := writesOf(r.Failure)
	if err != nil {
		return err
	}
	branches := [...]*writes{&success, &failure}
	for _, branch := range branches {
		// order-free: one conflict is as good as another.
		for _, put := range branch.puts {
			if w.conflict(put) {
				return rpctypes.ErrGRPCDuplicateKey
			}
		}
	}
	for _, branch := range branches {
		// order-free: they go into a map.
		for key, put := range branch.puts {
			if other := w.puts[key]; other == nil || !takesOver(other) {
				w.puts[key] = put
			}
		}
		w.deletes.addAll(&branch.deletes)
	}
	return nil
}

// conflict tells whether a put touches what is written already.
//
// etcd does not see that a deletion of all keys from some key on (its range end is a zero byte)
// touches a put, and takes both. That is kept, for a put that brings all it needs. But:
//
//  1. Ann's transaction deletes every key from "a" on, and puts "b" with ignore_value, meaning the
//     value that it has.
//  2. When it is checked, "b" is there. All is well, and the transaction begins.
//  3. "b" is deleted, and now the put looks for its value. There is none, half of the transaction
//     is done, and there is no way back.
//
// etcd 3.7.3 panics at that point, on every member, and again whenever it starts. Such a put is
// refused here, as it would be beside the deletion of any other range. (Of a put that etcd does
// take, it loses the key when just that revision is compacted, and dies when it is read. Here it
// stays.)
func (w *writes) conflict(put *pb.PutRequest) bool {
	key := string(put.Key)
	if _, twice := w.puts[key]; twice || w.deletes.has(key) {
		return true
	}
	return takesOver(put) && w.deletes.hasTail(key)
}

// takesOver tells whether a put needs that its key is there.
func takesOver(put *pb.PutRequest) bool { return put.IgnoreValue || put.IgnoreLease }

// ranges is a set of keys, made of ranges: disjoint ones with an end, from their first key to the
// key behind their last; and of those without an end only the one that begins first.
type ranges struct {
	ends btree.Map[string, string]
	tail string // "": there is none
}

// add adds the keys that a request with this key and range end means.
func (s *ranges) add(key, end string) {
	switch end {
	case "":
		s.join(key, key+"\x00")
	case "\x00":
		if s.tail == "" || key < s.tail {
			s.tail = key
		}
	default:
		s.join(key, end)
	}
}

func (s *ranges) addAll(other *ranges) {
	other.ends.Scan(func(start, end string) bool {
		s.join(start, end)
		return true
	})
	if other.tail != "" {
		s.add(other.tail, "\x00")
	}
}

// join adds [start, end), and makes one of it and all ranges that it touches.
func (s *ranges) join(start, end string) {
	if start >= end {
		return
	}
	s.ends.Descend(start, func(before, itsEnd string) bool {
		if itsEnd >= start {
			start, end = before, max(end, itsEnd)
		}
		return false
	})
	var touched []string
	s.ends.Ascend(start, func(next, itsEnd string) bool {
		if next > end {
			return false
		}
		touched, end = append(touched, next), max(end, itsEnd)
		return true
	})
	for _, next := range touched {
		s.ends.Delete(next)
	}
	s.ends.Set(start, end)
}

// has tells whether the key is in a range that has an end.
func (s *ranges) has(key string) (found bool) {
	s.ends.Descend(key, func(_, end string) bool {
		found = key < end
		return false
	})
	return found
}

// hasTail tells whether the key is in the range without an end.
func (s *ranges) hasTail(key string) bool { return s.tail != "" && s.tail <= key }
