package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"detcd/consensus/node"
	"detcd/consensus/replica"
	"detcd/consensus/transport"
	"detcd/kv"
	"detcd/kv/rpc"
	"detcd/storage/vfs"
)

// Members that have applied the same commands have the same history. Where one has not, by a fault
// of its disk, its memory or its program, nobody would notice until two clients are told two
// things. So members compare the hashes of their histories, as etcd's do:
//
//	when a member starts     with those who run; if they differ it does not serve
//	--corrupt-check-time     the leader, of the present
//	compact-hash-check-time  the leader, of the last compactions: those hashes are known already
//
// The majority is right. Who differs from it has an alarm raised, and from then on nothing is
// written until somebody has looked. Without a majority nobody knows who is right, and the alarm
// names nobody.

// questionHash, with a revision in decimal behind it, asks a member for a hash. 0 is its present.
const questionHash = "hash "

// hashAnswer is the answer to questionHash, as JSON.
type hashAnswer struct {
	Hash      uint32
	Compacted int64 // before the revision
	Revision  int64 // of the hash
	Present   int64 // revision of the member
	Problem   string
	Damaged   bool // the problem is that what is stored cannot be read
}

// hashAt is what this member says of a revision. The log is told of damage that it meets.
func hashAt(view *kv.View, revision int64, incidents *rpc.Incidents) hashAnswer {
	a := hashAnswer{Present: view.Revision()}
	var err error
	if a.Hash, a.Compacted, a.Revision, err = view.Hash(revision); err != nil {
		a.Problem = err.Error()
		incidents.Damage(err)
		a.Damaged = errors.As(err, new(*vfs.CorruptionError))
	}
	return a
}

// answerHash answers questionHash; nil: it is another question.
func answerHash(n *node.Node, question []byte, incidents *rpc.Incidents) []byte {
	text, ok := strings.CutPrefix(string(question), questionHash)
	revision, err := strconv.ParseInt(text, 10, 64)
	if !ok || err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), settleTime)
	defer cancel()
	view, err := n.View(ctx)
	if err != nil {
		return nil
	}
	encoded, err := json.Marshal(hashAt(view.(*kv.View), revision, incidents))
	if err != nil {
		return nil
	}
	return encoded
}

// askHashes asks all other members, one after the other. Who does not answer is not in the answers.
func (a *adapter) askHashes(revision int64) (answers map[uint64]hashAnswer, asked int) {
	answers = make(map[uint64]hashAnswer)
	for _, member := range a.Node.Members().Members {
		if member.ID == a.Node.Status().ID || len(member.PeerURLs) == 0 {
			continue
		}
		asked++
		if answer, err := a.askHash(&member, revision); err != nil {
			a.config.Log.Warn("failed hash kv request", slog.Int64("requested-revision", revision),
				slog.String("remote-peer-id", hex(uint64(member.ID))), slog.Any("error", err))
		} else {
			answers[uint64(member.ID)] = answer
		}
	}
	return answers, asked
}

func (a *adapter) askHash(member *replica.Member, revision int64) (answer hashAnswer, err error) {
	question := fmt.Appendf(nil, "%s%d", questionHash, revision)
	for _, url := range member.PeerURLs {
		ctx, cancel := context.WithTimeout(context.Background(), a.config.requestTime())
		var encoded []byte
		encoded, err = transport.AskPatiently(ctx, url, a.config.PeerTLS, question)
		cancel()
		if err == nil {
			err = json.Unmarshal(encoded, &answer)
		}
		if err == nil {
			return answer, nil
		}
	}
	return answer, err
}

// blame says who differs: own is the hash of this member. Answers for another stretch of history
// say nothing. A member that cannot read what it has stored is to blame whatever the others say.
func blame(self uint64, own hashAnswer, answers map[uint64]hashAnswer) (blamed []uint64) {
	byHash := make(map[uint32][]uint64)
	count := func(id uint64, answer hashAnswer) {
		switch {
		case answer.Damaged:
			blamed = append(blamed, id)
		case answer.Problem == "" && answer.Compacted == own.Compacted &&
			answer.Revision == own.Revision:
			byHash[answer.Hash] = append(byHash[answer.Hash], id)
		}
	}
	count(self, own)
	// order-free: sorted below
	for id, answer := range answers {
		count(id, answer)
	}
	if len(byHash) > 1 {
		blamed = append(blamed, minority(byHash, len(answers)+1)...)
	}
	slices.Sort(blamed)
	return blamed
}

// minority are those without a majority; just 0 when nobody has one.
func minority(byHash map[uint32][]uint64, members int) (all []uint64) {
	found := false
	// order-free: sorted by the caller
	for _, ids := range byHash {
		if len(ids) >= majority(members) {
			found = true
			continue
		}
		all = append(all, ids...)
	}
	if !found {
		return []uint64{0}
	}
	return all
}

// errInconsistent is etcd's error for a member that does not start because it differs.
var errInconsistent = errors.New("found data inconsistency with peers")

// checkInitially compares this member with those who run, before it serves.
func (a *adapter) checkInitially(ctx context.Context) error {
	log := a.config.Log
	log.Info("starting initial corruption check")
	view, err := a.View(ctx)
	if err != nil {
		return err
	}
	own := hashAt(view.(*kv.View), 0, a.incidents)
	if own.Problem != "" {
		return fmt.Errorf("%s failed to fetch hash (%s)", hex(a.Status().MemberID), own.Problem)
	}
	answers, _ := a.askHashes(own.Revision)
	// order-free: one is enough
	for id, answer := range answers {
		if answer.Problem == "" && answer.Compacted == own.Compacted && answer.Hash != own.Hash {
			return fmt.Errorf("%s %w: %s has hash %d at revision %d, here it is %d",
				hex(a.Status().MemberID), errInconsistent, hex(id), answer.Hash, own.Revision, own.Hash)
		}
	}
	log.Info("initial corruption checking passed; no corruption")
	return nil
}

// checkPresent compares the present of all members.
func (a *adapter) checkPresent() error {
	own, err := a.ownHash(0)
	if err != nil {
		return err
	}
	answers, _ := a.askHashes(own.Revision)
	a.alarm(blame(a.Status().MemberID, own, answers))
	return nil
}

// ownHash is this member's, as of everything that any member has answered.
func (a *adapter) ownHash(revision int64) (hashAnswer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), a.config.requestTime())
	defer cancel()
	view, err := a.Barrier(ctx)
	if err != nil {
		return hashAnswer{}, err
	}
	return hashAt(view.(*kv.View), revision, a.incidents), nil
}

// checkCompactions compares the hashes of the newest compaction that all members know, and returns
// its revision: those up to it need not be looked at again.
func (a *adapter) checkCompactions(checked int64) (reached int64, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), a.config.requestTime())
	defer cancel()
	view, err := a.Barrier(ctx)
	if err != nil {
		return checked, err
	}
	for _, revision := range slices.Backward(view.(*kv.View).HashedCompactions()) {
		if revision <= checked {
			break
		}
		own := hashAt(view.(*kv.View), revision, a.incidents)
		answers, asked := a.askHashes(revision)
		blamed := blame(a.Status().MemberID, own, answers)
		a.alarm(blamed)
		if len(blamed) > 0 || comparable(own, answers) == asked {
			a.config.Log.Info("finished compaction hash check", slog.Int64("compact-revision", revision),
				slog.Int("members", 1+len(answers)))
			return revision, nil
		}
	}
	return checked, nil
}

// comparable counts the answers for the same stretch of history.
func comparable(own hashAnswer, answers map[uint64]hashAnswer) (n int) {
	// order-free: a count
	for _, answer := range answers {
		if answer.Problem == "" && answer.Compacted == own.Compacted {
			n++
		}
	}
	return n
}

// alarm says that members are corrupt, unless that is known.
func (a *adapter) alarm(members []uint64) {
	for _, id := range members {
		one := kv.Alarm{Kind: pb.AlarmType_CORRUPT, Member: id}
		if slices.Contains(a.machine.Alarms(), one) {
			continue
		}
		a.config.Log.Error("detected corruption: the history of a member differs",
			slog.String("member-id", hex(id)), slog.Bool("known-which", id != 0))
		ctx, cancel := context.WithTimeout(context.Background(), a.config.requestTime())
		_, err := a.Submit(ctx, kv.Internal(&pb.AlarmRequest{
			MemberID: id, Action: pb.AlarmRequest_ACTIVATE, Alarm: pb.AlarmType_CORRUPT,
		}))
		cancel()
		if err != nil {
			a.config.Log.Warn("the alarm could not be raised", slog.Any("error", err))
		}
	}
}

// comparer compares, while this member leads, as often as it is told to.
func (s *Server) comparer(every time.Duration, compare func() error) {
	if every <= 0 {
		return
	}
	for s.sleep(every) {
		if !s.node.Load().Status().Leading {
			continue
		}
		if err := compare(); err != nil {
			s.config.Log.Warn("failed to check hash KV", slog.Any("error", err))
		}
	}
}
