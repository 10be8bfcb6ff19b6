package kv

import (
	"sync/atomic"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/protobuf/proto"

	"detcd/kv/auth"
	"detcd/kv/lease"
	"detcd/kv/mvcc"
	"detcd/kv/v2"
	"detcd/storage/archive"
)

// Options configure a Store. The zero value serves, but for a time-out.
type Options struct {
	ElectionTimeout time.Duration // what every lease gets besides when this member begins to lead
	Archive         archive.Options
	Tokens          Tokens        // by which this member knows users; nil: it has none
	Tell            func(n *News) // is told what was changed besides keys and leases; nil: nobody is
	Wall            func() int64  // nanoseconds since 1970; nil: nothing ends in the tree of v2
}

// News is a change of users, roles or alarms, or of a downgrade, that was executed.
type News struct {
	Change        proto.Message // the request
	Before, After *auth.View
	Downgrade     Downgrade // before
}

// Store is the replicated state of one member. It does nothing before Restore was called. All its
// methods are called from one goroutine; readers use its views.
type Store struct {
	options   Options
	mvcc      *mvcc.Store
	leases    *lease.Book
	auth      *auth.Book
	tree      *v2.Tree
	tokens    Tokens
	digest    digest
	tally     tally
	trimmed   int64 // as in View
	alarms    atomic.Pointer[alarms]
	downgrade atomic.Pointer[Downgrade]
	view      *View
	put       pb.PutRequest // the one being applied

	published atomic.Pointer[auth.View] // of auth, for all goroutines
}

// New gives a store that waits for Restore.
func New(options Options) *Store {
	s := &Store{options: options, auth: auth.New(), tree: v2.New(), tokens: options.Tokens,
		mvcc: mvcc.New(mvcc.Options{Archive: options.Archive})}
	if s.options.Tell == nil {
		s.options.Tell = func(*News) {}
	}
	if s.tokens == nil {
		s.tokens = noTokens{}
	}
	s.alarms.Store(new(alarms))
	s.downgrade.Store(new(Downgrade))
	s.published.Store(s.auth.View())
	return s
}

// noTokens are none.
type noTokens struct{}

func (noTokens) Assign(uint64, string, string) {}
func (noTokens) Revoke(string)                 {}
func (noTokens) Clear()                        {}

// Hash is a running hash of all that was done to the store: equal on all members that have applied
// the same commands, whether one by one or by way of a checkpoint.
func (s *Store) Hash() uint64 { return uint64(s.digest) }

// Compacted returns the revision of the last compaction, -1 when there was none.
func (s *Store) Compacted() int64 { return s.mvcc.Compacted() }

// Released is how many records compactions have let go of since Restore.
func (s *Store) Released() uint64 { return s.mvcc.Released() }

// Revision is that of the last write that was applied.
func (s *Store) Revision() int64 { return s.mvcc.Revision() }

// Stats are the sizes of the archive.
func (s *Store) Stats() archive.Stats { return s.mvcc.Stats() }

// Finished returns the last compaction that has let go of everything, and its hash; -1 if there is
// none, or if the last one goes on.
func (s *Store) Finished() (revision int64, hash uint32) { return s.mvcc.Finished() }

// Defragment has StorageStep rewrite all files of which a part is dead. What a compaction lets go
// of is dead when its work in memory is done; Defragment waits for that.
func (s *Store) Defragment() { s.mvcc.Defragment() }

// Defragmenting says what is left to be done of a defragmentation.
func (s *Store) Defragmenting() archive.Progress { return s.mvcc.Defragmenting() }

// Used is how much of a quota is used: the bytes of all revisions that were not compacted, and
// something for each lease. What is dead is not counted, for it goes by itself.
func (s *Store) Used() int64 {
	return s.mvcc.Live() + leaseOverhead*int64(s.leases.Count())
}

// View gives an immutable view (a *View) of the applied state. It is the same one as long as
// nothing changes.
func (s *Store) View() any {
	const look = 0
	if compacted := s.mvcc.Compacted(); s.trimmed < compacted && !s.mvcc.Work(look) {
		s.trimmed = compacted
	}
	next := View{View: s.mvcc.View(), leases: s.leases.Listing(), trimmed: s.trimmed,
		used: s.Used(), alarms: s.alarms.Load(), auth: s.auth.View(), downgrade: s.Downgrade(),
		tree: s.tree.View()}
	if s.view == nil || *s.view != next {
		s.view = &next
	}
	return s.view
}

// Apply executes a command. The answer is a response (a proto.Message) or an error for the client;
// Call.Give understands it; TreeCommand says what that of its commands is. The index matters only
// in the names of tokens. A command that cannot be read, and a value that cannot be read from the
// archive, end the member: Apply panics.
func (s *Store) Apply(index uint64, command []byte, local bool) (answer any) {
	if len(command) > 0 && kind(command[0]) == kindTree {
		return s.applyTree(command)
	}
	response, err := s.execute(index, command, local)
	s.digest.word(uint64(s.mvcc.Revision()))
	switch {
	case err != nil:
		s.digest.bytes([]byte(err.Error()))
		return outward(err)
	case !local || response == nil:
		return nil
	}
	return response
}

func (s *Store) execute(index uint64, command []byte, local bool) (proto.Message, error) {
	caller, command, err := cutCaller(command)
	must(err)
	if len(command) == 0 {
		panic("kv: an empty command")
	}
	s.digest.word(uint64(command[0]))
	switch kind(command[0]) {
	case kindPut:
		must(decodePut(command, &s.put))
		if err := s.admit(caller, &s.put); err != nil {
			return nil, err
		}
		return s.applyPut(&s.put, local)
	case kindExpire:
		grant, err := decodeExpire(command)
		must(err)
		s.expire(grant)
		return nil, nil
	}
	request, err := decode(command)
	must(err)
	if err := s.admit(caller, request); err != nil {
		return nil, err
	}
	switch r := request.(type) {
	case *pb.DeleteRangeRequest:
		e := s.begin(local)
		defer e.txn.End()
		return e.delete(r), nil
	case *pb.TxnRequest:
		return s.applyTxn(r, local)
	case *pb.CompactionRequest:
		return s.compact(r.Revision)
	case *pb.AlarmRequest:
		return s.alarm(r), nil
	case *pb.DowngradeRequest:
		return s.changeDowngrade(r)
	case *pb.LeaseGrantRequest:
		return s.grant(r)
	case *pb.LeaseRevokeRequest:
		if !s.revoke(lease.ID(r.ID)) {
			return nil, rpctypes.ErrGRPCLeaseNotFound
		}
		return &pb.LeaseRevokeResponse{Header: s.header()}, nil
	case *pb.InternalAuthenticateRequest:
		return s.authenticate(index, caller, r)
	}
	s.digest.bytes(command)
	before := s.auth.View()
	response, err := s.applyAuth(request)
	if after := s.auth.View(); after != before {
		s.options.Tell(&News{Change: request, Before: before, After: after})
	}
	return response, err
}

// admit refuses what an alarm forbids, and what the caller may not do: in etcd's order, where some
// is found out when a request arrives.
func (s *Store) admit(caller auth.Caller, request proto.Message) (err error) {
	a := access{View: s.auth.View(), caller: caller, keys: s.leases.Keys}
	if a.Enabled() {
		err = a.arrive(request)
	}
	if err == nil {
		err = s.alarms.Load().refuse(request)
	}
	if err == nil && a.Enabled() {
		err = a.check(request)
	}
	return err
}

func (s *Store) compact(revision int64) (proto.Message, error) {
	if err := s.mvcc.Compact(revision); err != nil {
		return nil, err
	}
	s.digest.word(uint64(revision))
	return &pb.CompactionResponse{Header: header(s.mvcc.Revision())}, nil
}
