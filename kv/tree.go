package kv

import (
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"detcd/kv/v2"
)

// The tree of v2 is beside the keys: neither sees the other. This file and the lines that name
// kindTree or the field tree are all that this package knows of it (decision 1401).

// TreeCommand is the command that changes the tree of v2. Apply answers it with a *v2.Event or a
// *v2.Error.
func TreeCommand(c *v2.Command) []byte { return c.Append([]byte{byte(kindTree)}) }

// Tree is the tree of v2.
func (v *View) Tree() *v2.View { return v.tree }

// applyTree executes a command on the tree. While users are enabled a client's is refused: they and
// their roles are of v3, and say nothing of the tree.
func (s *Store) applyTree(command []byte) (answer any) {
	c, err := v2.DecodeCommand(command[1:])
	must(err)
	s.digest.bytes(command)
	defer func() { s.digest.word(uint64(s.tree.Index())) }()
	if c.Action != v2.Expire {
		if refusal := s.refuseTree(); refusal != nil {
			s.digest.word(uint64(refusal.Code))
			return refusal
		}
	}
	event, refusal := s.tree.Apply(&c)
	switch {
	case refusal != nil:
		s.digest.word(uint64(refusal.Code))
		return refusal
	case event != nil:
		return event
	}
	return nil
}

func (s *Store) refuseTree() *v2.Error {
	switch {
	case s.auth.View().Enabled():
		return TreeClosed()
	case s.alarms.Load().have(etcdserverpb.AlarmType_CORRUPT):
		return &v2.Error{Code: v2.RaftInternal, Cause: rpctypes.ErrCorrupt.Error()}
	}
	return nil
}

// TreeClosed is what a client of v2 is told while users are enabled.
func TreeClosed() *v2.Error {
	return &v2.Error{Code: v2.Unauthorized, Cause: "Insufficient credentials"}
}

// dueTree gives the command that removes nodes of the tree whose time is over; nil: there is none.
func (s *Store) dueTree() []byte {
	if s.options.Wall == nil {
		return nil
	}
	if c := s.tree.Due(v2.Time(s.options.Wall())); c != nil {
		return TreeCommand(c)
	}
	return nil
}

// treeState is what a checkpoint says of the tree: nothing as long as it was not used.
func (s *Store) treeState() []byte {
	if s.tree.Unused() {
		return nil
	}
	return s.tree.Checkpoint()
}
