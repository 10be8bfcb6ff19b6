package main

import (
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
)

// membership is what all responses about one member have.
type membership interface {
	proto.Message
	GetHeader() *pb.ResponseHeader
	GetMembers() []*pb.Member
}

// member is how a change of a member looks.
func member(done string, id uint64, r membership, inHex bool) answer {
	shown := answer{message: r, simple: func(p *page) {
		p.linef("Member %16x %s cluster %16x", id, done, r.GetHeader().GetClusterId())
	}}
	if inHex {
		shown.json = inHexadecimal(r.GetHeader(), nil, r.GetMembers())
	}
	return shown
}

// hexHeader is the JSON of a header with its identifiers as people know them.
type hexHeader struct {
	ClusterID string `json:"cluster_id"`
	MemberID  string `json:"member_id"`
	Revision  int64  `json:"revision,omitempty"`
	RaftTerm  uint64 `json:"raft_term,omitempty"`
}

// hexMember is the JSON of a member with its identifier as people know it.
type hexMember struct {
	ID         string   `json:"ID"`
	Name       string   `json:"name,omitempty"`
	PeerURLs   []string `json:"peerURLs,omitempty"`
	ClientURLs []string `json:"clientURLs,omitempty"`
	IsLearner  bool     `json:"isLearner,omitempty"`
}

// hexMembers is the JSON of all responses about members with --hex.
type hexMembers struct {
	Header  hexHeader   `json:"header"`
	Member  *hexMember  `json:"member,omitempty"`
	Members []hexMember `json:"members"`
}

func inHexadecimal(header *pb.ResponseHeader, one *pb.Member, all []*pb.Member) hexMembers {
	shown := hexMembers{
		Header: hexHeader{
			ClusterID: fmt.Sprintf("%x", header.GetClusterId()),
			MemberID:  fmt.Sprintf("%x", header.GetMemberId()),
			Revision:  header.GetRevision(), RaftTerm: header.GetRaftTerm(),
		},
		Members: []hexMember{},
	}
	if one != nil {
		m := memberInHexadecimal(one)
		shown.Member = &m
	}
	for _, m := range all {
		shown.Members = append(shown.Members, memberInHexadecimal(m))
	}
	return shown
}

func memberInHexadecimal(m *pb.Member) hexMember {
	return hexMember{
		ID: fmt.Sprintf("%x", m.GetID()), Name: m.GetName(), PeerURLs: m.GetPeerURLs(),
		ClientURLs: m.GetClientURLs(), IsLearner: m.GetIsLearner(),
	}
}
