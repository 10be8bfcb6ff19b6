package rpc

import (
	"context"
	"fmt"
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// The loner has no cluster to change. It gives back what it was asked for, as a member's name.
func told(what string, arguments ...any) ([]*pb.Member, error) {
	return []*pb.Member{{Name: strings.TrimSpace(fmt.Sprintln(append([]any{what}, arguments...)...))}},
		nil
}

func (n *loner) AddMember(
	ctx context.Context, peerURLs []string, learner bool,
) (*pb.Member, []*pb.Member, error) {
	all, err := told("add", peerURLs, learner)
	if failed := n.wait(ctx); failed != nil {
		return nil, nil, failed
	}
	return &pb.Member{ID: 8, PeerURLs: peerURLs, IsLearner: learner}, all, err
}

func (n *loner) RemoveMember(_ context.Context, id uint64) ([]*pb.Member, error) {
	return told("remove", id)
}

func (n *loner) UpdateMember(_ context.Context, id uint64, urls []string) ([]*pb.Member, error) {
	return told("update", id, urls)
}

func (n *loner) PromoteMember(_ context.Context, id uint64) ([]*pb.Member, error) {
	return told("promote", id)
}

func (n *loner) MoveLeader(_ context.Context, to uint64) error {
	if to != 7 {
		return rpctypes.ErrGRPCBadLeaderTransferee
	}
	return nil
}

func TestChangesOfTheCluster(t *testing.T) {
	s := serve(t, Options{})
	cluster, ctx := pb.NewClusterClient(s.conn), soon(t)
	header := &pb.ResponseHeader{ClusterId: 0xc0ffee, MemberId: 7, RaftTerm: 3}
	members := func(text string) []*pb.Member { return []*pb.Member{{Name: text}} }
	urls := []string{"http://b:2", "http://a:1"}
	for _, c := range []struct {
		do   func() (proto.Message, error)
		want proto.Message
	}{
		{func() (proto.Message, error) {
			return cluster.MemberAdd(ctx, &pb.MemberAddRequest{PeerURLs: urls, IsLearner: true})
		}, &pb.MemberAddResponse{Header: header,
			Member:  &pb.Member{ID: 8, PeerURLs: []string{"http://a:1", "http://b:2"}, IsLearner: true},
			Members: members("add [http://a:1 http://b:2] true")}},
		{func() (proto.Message, error) {
			return cluster.MemberRemove(ctx, &pb.MemberRemoveRequest{ID: 9})
		}, &pb.MemberRemoveResponse{Header: header, Members: members("remove 9")}},
		{func() (proto.Message, error) {
			return cluster.MemberUpdate(ctx, &pb.MemberUpdateRequest{ID: 9, PeerURLs: urls})
		}, &pb.MemberUpdateResponse{Header: header,
			Members: members("update 9 [http://b:2 http://a:1]")}},
		{func() (proto.Message, error) {
			return cluster.MemberPromote(ctx, &pb.MemberPromoteRequest{ID: 9})
		}, &pb.MemberPromoteResponse{Header: header, Members: members("promote 9")}},
	} {
		if got, err := c.do(); err != nil || !proto.Equal(got, c.want) {
			t.Errorf("got %v, %v, want %v", got, err, c.want)
		}
	}
}

// What is no URL is refused before anyone is asked. An error of the rules, which is none of gRPC's
// in etcd, has the code that etcd gives it.
func TestChangesThatAreRefused(t *testing.T) {
	s := serve(t, Options{})
	cluster, ctx := pb.NewClusterClient(s.conn), soon(t)
	const bad = "etcdserver: given member URLs are invalid"
	for _, urls := range [][]string{nil, {"x"}, {"http://a:1/path"}, {"ftp://a:1"}} {
		_, err := cluster.MemberAdd(ctx, &pb.MemberAddRequest{PeerURLs: urls})
		wantError(t, err, codes.InvalidArgument, bad)
	}
	s.fail(rpctypes.ErrMemberNotEnoughStarted)
	_, err := cluster.MemberAdd(ctx, &pb.MemberAddRequest{PeerURLs: []string{"http://a:1"}})
	wantError(t, err, codes.Unknown,
		"etcdserver: re-configuration failed due to not enough started members")
}
