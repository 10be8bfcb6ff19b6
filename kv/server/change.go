package server

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"detcd/consensus/node"
	"detcd/consensus/replica"
	"detcd/consensus/transport"
)

// errTransferSlow is etcd's; rpctypes has no name for it.
var errTransferSlow = errors.New("etcdserver: request timed out, leader transfer took too long")

// AddMember adds a member, which gets an ID that nobody had.
func (a *adapter) AddMember(
	ctx context.Context, peerURLs []string, learner bool,
) (*pb.Member, []*pb.Member, error) {
	seconds := strconv.FormatInt(time.Now().Unix(), 10)
	added := replica.Member{ID: memberID(peerURLs, seconds), PeerURLs: peerURLs, Learner: learner}
	h := a.health()
	if err := h.mayAdd(learner); err != nil {
		return nil, nil, a.rejected("add", added.ID, err)
	}
	change := replica.Change{Kind: replica.ChangeAdd, Member: added}
	if learner {
		change.Kind = replica.ChangeAddLearner
		change.LearnersMax = uint64(max(1, a.config.Members.LearnersMax))
	}
	all, err := a.change(ctx, change)
	return outwardMember(&added), all, err
}

// RemoveMember removes a member for good.
func (a *adapter) RemoveMember(ctx context.Context, id uint64) ([]*pb.Member, error) {
	member := replica.Member{ID: replica.MemberID(id)}
	h := a.health()
	if err := h.mayRemove(member.ID); err != nil {
		return nil, a.rejected("remove", member.ID, err)
	}
	return a.change(ctx, replica.Change{Kind: replica.ChangeRemove, Member: member})
}

// UpdateMember says where the others reach a member.
func (a *adapter) UpdateMember(
	ctx context.Context, id uint64, peerURLs []string,
) ([]*pb.Member, error) {
	member := replica.Member{ID: replica.MemberID(id), PeerURLs: peerURLs}
	return a.change(ctx, replica.Change{Kind: replica.ChangeUpdate, Member: member})
}

// PromoteMember lets a learner vote, if it has most of the leader's log.
func (a *adapter) PromoteMember(
	ctx context.Context, id uint64,
) (members []*pb.Member, err error) {
	defer func() { a.measures.promote(err) }()
	member := replica.Member{ID: replica.MemberID(id)}
	if err := a.awaitReadiness(ctx, member.ID); err != nil {
		return nil, a.rejected("promote", member.ID, err)
	}
	h := a.health()
	if err := h.mayPromote(); err != nil {
		return nil, a.rejected("promote", member.ID, err)
	}
	return a.change(ctx, replica.Change{Kind: replica.ChangePromote, Member: member})
}

// MoveLeader lets another voter lead, and waits until it does.
func (a *adapter) MoveLeader(ctx context.Context, to uint64) error {
	now, members := a.Node.Status(), a.Node.Members()
	if !now.Leading {
		return rpctypes.ErrGRPCNotLeader
	}
	member, ok := members.Find(replica.MemberID(to))
	switch {
	case !ok, member.Learner:
		return rpctypes.ErrGRPCBadLeaderTransferee
	case member.ID == now.ID:
		return nil
	}
	err := a.Node.Transfer(ctx, member.ID)
	if ctx.Err() != nil || err == nil && a.Node.Status().Leader != member.ID {
		return errTransferSlow
	}
	return outward(err)
}

// change makes a change. This member may not have heard yet of one that a client was told of by
// another; the barrier sees to it that what is refused is refused for what is true.
func (a *adapter) change(ctx context.Context, c replica.Change) ([]*pb.Member, error) {
	if _, err := a.Node.Barrier(ctx); err != nil {
		return nil, outward(err)
	}
	membership, err := a.Node.Change(ctx, []replica.Change{c})
	if err != nil {
		return nil, outward(err)
	}
	return outwardMembers(membership), nil
}

func (a *adapter) rejected(what string, id replica.MemberID, err error) error {
	a.config.Log.Warn("rejecting member "+what+" request",
		slog.String("requested-member-id", hex(uint64(id))), slog.Any("error", err))
	return err
}

// Only the leader knows how much of its log a learner has. Its answer to questionReady, behind
// which the learner's ID stands in hexadecimal, is one of these.
const (
	questionReady = "ready "

	answerReady    = "ready"
	answerBehind   = "behind"
	answerUnknown  = "unknown"
	answerNoLeader = "not the leader"
)

// awaitReadiness asks the leader whether a learner may be promoted, and asks again while there is
// none.
func (a *adapter) awaitReadiness(ctx context.Context, id replica.MemberID) error {
	for {
		switch a.askReadiness(ctx, id) {
		case answerReady:
			return nil
		case answerBehind:
			return rpctypes.ErrGRPCLearnerNotReady
		case answerUnknown:
			return rpctypes.ErrGRPCMemberNotFound
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-a.Node.Done():
			return rpctypes.ErrGRPCStopped
		case <-time.After(a.config.HeartbeatInterval):
		}
	}
}

func (a *adapter) askReadiness(ctx context.Context, id replica.MemberID) string {
	now, members := a.Node.Status(), a.Node.Members()
	if now.Leading {
		return readiness(ctx, a.Node, id)
	}
	leader, _ := members.Find(now.Leader)
	for _, url := range leader.PeerURLs {
		question := []byte(questionReady + hex(uint64(id)))
		answer, err := transport.Ask(ctx, url, a.config.PeerTLS, question)
		if err == nil {
			return string(answer)
		}
	}
	return answerNoLeader
}

// answerReadiness answers questionReady; nil: it is another question.
func answerReadiness(n *node.Node, question []byte) []byte {
	text, ok := strings.CutPrefix(string(question), questionReady)
	id, err := strconv.ParseUint(text, 16, 64)
	if !ok || err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), settleTime)
	defer cancel()
	return []byte(readiness(ctx, n, replica.MemberID(id)))
}

// readiness is a leader's word on a learner: it is ready when it has nine tenths of the log, as in
// etcd. Who votes already is ready, and refused later.
func readiness(ctx context.Context, n *node.Node, id replica.MemberID) string {
	match, own, err := n.Match(ctx, id)
	switch {
	case errors.Is(err, replica.ErrMemberUnknown):
		return answerUnknown
	case err != nil:
		return answerNoLeader
	case match*10 < own*9:
		return answerBehind
	}
	return answerReady
}
