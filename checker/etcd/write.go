package etcd

// allows returns why an operation on keys fails in this state, or nothing.
func (s *State) allows(ask any) string {
	switch ask := ask.(type) {
	case *Range:
		switch {
		case ask.Revision > s.revision:
			return ErrFuture
		case ask.Revision > 0 && ask.Revision < s.compacted:
			return ErrCompacted
		}
	case *Put:
		switch {
		case ask.Lease != 0 && s.leases[ask.Lease] == nil:
			return ErrLeaseNotFound
		case !s.hasWhatItKeeps(ask):
			return ErrKeyNotFound
		}
	}
	return ""
}

// hasWhatItKeeps tells whether the key is there, if a put keeps a part of it.
func (s *State) hasWhatItKeeps(p *Put) bool {
	return !p.IgnoreValue && !p.IgnoreLease || s.get(p.Key) != nil
}

// allowsInTxn is allows for a part of a transaction. There etcd takes a negative revision at its
// word, and has compacted it.
func (s *State) allowsInTxn(ask any) string {
	if r, ok := ask.(*Range); ok && r.Revision < 0 && r.Revision < s.compacted {
		return ErrCompacted
	}
	return s.allows(ask)
}

// do does an operation on keys that is allowed.
func (s *State) do(ask any, out *Response) {
	switch ask := ask.(type) {
	case *Range:
		s.inRange(ask, out)
	case *Put:
		s.put(ask, out)
	case *Delete:
		s.remove(ask, out)
	}
	out.Revision = s.now()
}

// put writes one key.
func (s *State) put(p *Put, out *Response) {
	kv := KeyValue{Key: p.Key, Value: p.Value, Lease: p.Lease, Mod: s.revision + 1}
	kv.Create, kv.Version = kv.Mod, 1
	if previous := s.get(p.Key); previous != nil {
		kv.Create, kv.Version = previous.Create, previous.Version+1
		if p.IgnoreValue {
			kv.Value = previous.Value
		}
		if p.IgnoreLease {
			kv.Lease = previous.Lease
		}
		if p.PrevKV {
			out.KVs = append(out.KVs, *previous)
		}
	}
	s.add(kv)
}

// remove deletes the keys in a range. Deleting nothing makes no revision.
func (s *State) remove(d *Delete, out *Response) {
	var found []Bytes
	s.each(d.Key, d.End, s.now(), func(kv *KeyValue) bool {
		found = append(found, kv.Key)
		if d.PrevKV {
			out.KVs = append(out.KVs, *kv)
		}
		return true
	})
	out.Count = int64(len(found))
	s.bury(found)
}

// bury deletes keys that are there.
func (s *State) bury(keys []Bytes) {
	for _, key := range keys {
		s.add(KeyValue{Key: key, Mod: s.revision + 1})
	}
}

// txn evaluates all compares at all depths, then checks all operations of the branches that were
// chosen, and then does them. So it fails before it has done anything.
func (s *State) txn(t *Txn, out *Response) string {
	s.choose(t, out)
	if failure := s.allowsAll(t, out); failure != "" {
		return failure
	}
	s.run(t, out)
	return ""
}

// choose decides which branch runs, of a transaction and of those nested in that branch.
func (s *State) choose(t *Txn, out *Response) {
	out.Succeeded = true
	for i := range t.Compare {
		out.Succeeded = out.Succeeded && s.holds(&t.Compare[i])
	}
	for _, part := range t.Branch(out.Succeeded) {
		inner := out.grow()
		if nested, ok := part.Ask.(*Txn); ok {
			s.choose(nested, inner)
		}
	}
}

// Branch returns the operations that run.
func (t *Txn) Branch(succeeded bool) []Request {
	if succeeded {
		return t.Success
	}
	return t.Failure
}

// grow appends an empty response, and uses the memory of an old one if it can.
func (r *Response) grow() *Response {
	n := len(r.Responses)
	if n < cap(r.Responses) {
		r.Responses = r.Responses[:n+1]
		r.Responses[n].Clear()
	} else {
		r.Responses = append(r.Responses, Response{})
	}
	return &r.Responses[n]
}

// Clear empties a response and keeps its memory.
func (r *Response) Clear() {
	*r = Response{KVs: r.KVs[:0], Responses: r.Responses[:0]}
}

// allowsAll checks the branches that were chosen.
func (s *State) allowsAll(t *Txn, out *Response) string {
	for i, part := range t.Branch(out.Succeeded) {
		failure := ""
		if nested, ok := part.Ask.(*Txn); ok {
			failure = s.allowsAll(nested, &out.Responses[i])
		} else {
			failure = s.allowsInTxn(part.Ask)
		}
		if failure != "" {
			return failure
		}
	}
	return ""
}

// run does the branches that were chosen. A nested transaction has a response without a revision.
func (s *State) run(t *Txn, out *Response) {
	for i, part := range t.Branch(out.Succeeded) {
		if nested, ok := part.Ask.(*Txn); ok {
			s.run(nested, &out.Responses[i])
		} else {
			s.do(part.Ask, &out.Responses[i])
		}
	}
}

// Failure returns why a request fails in this state, and changes nothing.
func (s *State) Failure(ask any) string {
	if failure := refuse(ask); failure != "" {
		return failure
	}
	switch ask := ask.(type) {
	case *Range, *Put, *Delete:
		return s.allows(ask)
	case *Txn:
		out := &Response{}
		s.choose(ask, out)
		return s.allowsAll(ask, out)
	case *Compact:
		switch {
		case ask.Revision <= s.compacted:
			return ErrCompacted
		case ask.Revision > s.revision:
			return ErrFuture
		}
	case *Grant:
		if s.leases[ask.ID] != nil {
			return ErrLeaseExists
		}
	case *Revoke:
		if s.leases[ask.ID] == nil {
			return ErrLeaseNotFound
		}
	}
	return ""
}
