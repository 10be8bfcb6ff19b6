package kv

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"detcd/kv/auth"
	"detcd/kv/lease"
)

// Lead says that this member began or ceased to lead.
func (s *Store) Lead(now int64, leading bool) {
	if leading {
		s.leases.Promote(lease.Instant(now), s.options.ElectionTimeout)
	} else {
		s.leases.Demote()
	}
	s.tree.Lead()
}

// Due gives the commands that revoke the leases whose time is over, and remove what has ended in
// the tree of v2, each once in a leadership. While the cluster is corrupt there are none, for keys
// would go.
func (s *Store) Due(now int64) (commands [][]byte) {
	if s.alarms.Load().have(pb.AlarmType_CORRUPT) {
		return nil
	}
	for _, grant := range s.leases.Due(lease.Instant(now)) {
		commands = append(commands, appendExpire(nil, grant))
	}
	if command := s.dueTree(); command != nil {
		commands = append(commands, command)
	}
	return commands
}

func (s *Store) grant(r *pb.LeaseGrantRequest) (proto.Message, error) {
	grant, err := s.leases.Grant(lease.ID(r.ID), lease.Seconds(r.TTL))
	if err != nil {
		return nil, err
	}
	s.tally.grant(r.TTL)
	s.digest.word(uint64(grant.ID))
	s.digest.word(uint64(grant.Serial))
	s.digest.word(uint64(r.TTL))
	return &pb.LeaseGrantResponse{Header: header(s.mvcc.Revision()), ID: r.ID, TTL: r.TTL}, nil
}

// expire revokes a lease whose time was over when the leader looked; unless it is gone by now, or
// another one has its ID.
func (s *Store) expire(grant lease.Grant) {
	if now, found := s.leases.Find(grant.ID); found && now == grant {
		s.revoke(grant.ID)
		s.tally.expired.Add(1)
	}
}

// revoke removes a lease, and its keys in one revision.
func (s *Store) revoke(id lease.ID) (found bool) {
	keys, found := s.leases.Revoke(id)
	if !found {
		return false
	}
	s.tally.revoked.Add(1)
	s.digest.word(uint64(id))
	e := s.begin(false)
	for _, key := range keys {
		e.delete(&pb.DeleteRangeRequest{Key: []byte(key)})
	}
	e.txn.End()
	return true
}

// attach moves a key from one lease to another; 0 is none.
func (s *Store) attach(key []byte, from, to int64) {
	if from != 0 {
		s.leases.Detach(lease.ID(from), key)
	}
	if to != 0 {
		s.leases.Attach(lease.ID(to), key)
	}
}

// The first byte of a question to the leader: what the request behind it is.
const (
	askKeepAlive  = 1 // pb.LeaseKeepAliveRequest
	askTimeToLive = 2 // pb.LeaseTimeToLiveRequest
	askLeases     = 3 // pb.LeaseLeasesRequest
	askSeveral    = 4 // several questions, each behind its length
)

// JoinQuestions makes one question of several, so that they share the way to the leader and its
// barrier.
func JoinQuestions(questions [][]byte) []byte {
	if len(questions) == 1 {
		return questions[0]
	}
	return join([]byte{askSeveral}, questions)
}

// SplitAnswer gives the answers to so many questions that were joined, in their order; nil is what
// an unreadable one is.
func SplitAnswer(answer []byte, count int) [][]byte {
	if count == 1 {
		return [][]byte{answer}
	}
	return append(unjoin(answer), make([][]byte, count)...)[:count]
}

// join appends parts, each behind its length.
func join(out []byte, all [][]byte) []byte {
	for _, part := range all {
		out = append(binary.AppendUvarint(out, uint64(len(part))), part...)
	}
	return out
}

// unjoin is the reverse of join. It ends where the bytes are no part.
func unjoin(in []byte) (all [][]byte) {
	for len(in) > 0 {
		size, n := binary.Uvarint(in)
		if n <= 0 || size > uint64(len(in)-n) {
			break
		}
		all, in = append(all, in[n:n+int(size)]), in[n+int(size):]
	}
	return all
}

// refused begins an answer, in place of the fate of a lease, whose second byte tells in which way
// the caller was refused.
const refused = 255

// refusals are the ways in which a question may be refused; their places are in answers to other
// members.
func refusals() []error {
	return []error{auth.ErrDenied, auth.ErrUserEmpty, auth.ErrOldRevision}
}

func refusal(err error) []byte {
	return []byte{refused, byte(max(0, slices.Index(refusals(), err)))}
}

// cutRefusal tells why an answer is a refusal, if it is one.
func cutRefusal(answer []byte) (err error, refusing bool) {
	if len(answer) != 2 || answer[0] != refused || int(answer[1]) >= len(refusals()) {
		return nil, false
	}
	return refusals()[answer[1]], true
}

// Query answers a question that only the leader can answer, after a barrier that was begun at
// since: how a lease is, or that it may live on. The answer is the lease's fate in a byte, and
// behind it the response of the Lease service, without a header; or a refusal. There is none to
// what is no question. Several questions are answered one by one.
func (s *Store) Query(since int64, question []byte) (answer []byte) {
	if len(question) == 0 || question[0] != askSeveral {
		return s.queryOne(since, question)
	}
	all := unjoin(question[1:])
	for i := range all {
		all[i] = s.queryOne(since, all[i])
	}
	return join(nil, all)
}

func (s *Store) queryOne(since int64, question []byte) (answer []byte) {
	caller, question, err := cutCaller(question)
	if err != nil || len(question) == 0 {
		return nil
	}
	a := access{View: s.auth.View(), caller: caller, keys: s.leases.Keys}
	switch question[0] {
	case askKeepAlive:
		var r pb.LeaseKeepAliveRequest
		if proto.Unmarshal(question[1:], &r) == nil {
			return s.keepAlive(a, lease.Instant(since), &r)
		}
	case askTimeToLive:
		var r pb.LeaseTimeToLiveRequest
		if proto.Unmarshal(question[1:], &r) == nil {
			return s.timeToLive(a, lease.Instant(since), &r)
		}
	case askLeases:
		return s.list(a, lease.Instant(since))
	}
	return nil
}

// list tells who may read the keys of all leases when each of them ends, behind the revision at
// which they are there. It leaves the sorting to the member that asks: here it would hold up the
// cluster.
func (s *Store) list(a access, since lease.Instant) (answer []byte) {
	err := a.Somebody(a.caller)
	answer = binary.AppendVarint([]byte{byte(lease.Alive)}, s.mvcc.Revision())
	leads := s.leases.Schedule(since, func(grant lease.Grant, deadline lease.Instant) {
		if err == nil {
			err = a.lease(grant.ID, auth.Read)
		}
		answer = binary.AppendVarint(answer, int64(grant.ID))
		answer = binary.AppendUvarint(answer, uint64(grant.Serial))
		answer = binary.AppendVarint(answer, int64(deadline))
	})
	switch {
	case !leads:
		return []byte{byte(lease.Undecided)}
	case err != nil:
		return refusal(err)
	}
	return answer
}

// listOf lists the leases of what list gave as etcd's leader does: the one that ends first comes
// first. Of those that end together it is the one that was granted first.
func listOf(body []byte) (*pb.LeaseLeasesResponse, error) {
	type entry struct {
		lease.Grant
		deadline int64
	}
	revision, n := binary.Varint(body)
	if n <= 0 {
		return nil, errUnreadable
	}
	var all []entry
	for rest := body[n:]; len(rest) > 0; {
		id, n := binary.Varint(rest)
		serial, m := binary.Uvarint(rest[max(n, 0):])
		deadline, k := binary.Varint(rest[max(n, 0)+max(m, 0):])
		if n <= 0 || m <= 0 || k <= 0 {
			return nil, errUnreadable
		}
		all = append(all, entry{lease.Grant{ID: lease.ID(id), Serial: lease.Serial(serial)}, deadline})
		rest = rest[n+m+k:]
	}
	slices.SortFunc(all, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.deadline, b.deadline), cmp.Compare(a.Serial, b.Serial))
	})
	response := &pb.LeaseLeasesResponse{Header: header(revision)}
	for _, one := range all {
		response.Leases = append(response.Leases, &pb.LeaseStatus{ID: int64(one.ID)})
	}
	return response, nil
}

func (s *Store) keepAlive(
	a access, since lease.Instant, r *pb.LeaseKeepAliveRequest,
) (answer []byte) {
	err := a.Somebody(a.caller)
	if err == nil {
		err = a.lease(lease.ID(r.ID), auth.Write)
	}
	if err != nil {
		return refusal(err)
	}
	ttl, fate := s.leases.Renew(lease.ID(r.ID), since)
	if fate == lease.Alive {
		s.tally.renewed.Add(1)
	}
	return encodeAs(byte(fate), &pb.LeaseKeepAliveResponse{ID: r.ID, TTL: int64(ttl)})
}

func (s *Store) timeToLive(
	a access, since lease.Instant, r *pb.LeaseTimeToLiveRequest,
) (answer []byte) {
	err := a.Somebody(a.caller)
	if err == nil && r.Keys {
		err = a.lease(lease.ID(r.ID), auth.Read)
	}
	if err != nil {
		return refusal(err)
	}
	status, fate := s.leases.Status(lease.ID(r.ID), since, r.Keys)
	response := &pb.LeaseTimeToLiveResponse{ID: r.ID, TTL: -1}
	if fate == lease.Alive {
		response.TTL, response.GrantedTTL = int64(status.Remaining), int64(status.TTL)
	}
	for _, key := range status.Keys {
		response.Keys = append(response.Keys, []byte(key))
	}
	return encodeAs(byte(fate), response)
}

// question gives what to ask the leader for a request.
func question(request proto.Message) []byte {
	switch request.(type) {
	case *pb.LeaseKeepAliveRequest:
		return encodeAs(askKeepAlive, request)
	case *pb.LeaseTimeToLiveRequest:
		return encodeAs(askTimeToLive, request)
	case *pb.LeaseLeasesRequest:
		return encodeAs(askLeases, request)
	}
	panic(fmt.Sprintf("kv: %T is no question", request))
}
