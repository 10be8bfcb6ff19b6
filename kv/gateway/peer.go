package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/metadata"

	"detcd/kv"
	"detcd/kv/rpc"
)

// PeerNode is what is asked at the address of the members.
type PeerNode interface {
	Node
	// Members lists the cluster.
	Members(ctx context.Context, linearizable bool) ([]*pb.Member, error)
	// Ask puts a question that only the leader may answer.
	Ask(ctx context.Context, question []byte) ([]byte, error)
}

// A peer serves what the members of etcd, and tools that know them, ask over HTTP. The members
// of detcd have a protocol of their own at the same address.
type peer struct {
	node     PeerNode
	cluster  pb.ClusterClient
	timeout  time.Duration
	stranger func(address, id string)
}

// Peer serves /members, /members/promote/, /members/hashkv, /leases, /leases/internal,
// /downgrade/enabled and /version.
// Requests that need the other members are given up after the time-out. What changes the cluster
// goes by way of the member's own service, which asks who may. A member of etcd that wants to
// replicate is refused, and the stranger's address and ID (as it says) are told.
func Peer(node PeerNode, cluster pb.ClusterClient, timeout time.Duration,
	stranger func(address, id string)) http.Handler {
	p := &peer{node, cluster, timeout, stranger}
	mux := http.NewServeMux()
	mux.HandleFunc("/raft", p.refuse)
	mux.HandleFunc("/raft/", p.refuse)
	mux.HandleFunc("/members", p.signed(http.MethodGet, p.members))
	mux.HandleFunc("/members/promote/{id...}", p.signed(http.MethodPost, p.promote))
	hashes := rpc.NewBound(hashesMax, "hashes")
	mux.HandleFunc("/members/hashkv", onlyGet(bounded(hashes, p.hash)))
	mux.HandleFunc("/leases", p.renewal)
	mux.HandleFunc("/leases/internal", p.remaining)
	mux.HandleFunc("/downgrade/enabled", p.signed(http.MethodGet, p.downgrade))
	mux.HandleFunc("/version", onlyGet((&Gateway{options: Options{Node: node}}).version))
	return mux
}

// refuse answers what members of etcd say to each other. Their logs tell of the status, not of the
// text, which is for who asks by hand.
func (p *peer) refuse(w http.ResponseWriter, r *http.Request) {
	p.stranger(r.RemoteAddr, r.Header.Get("X-Server-From"))
	http.Error(w, "this is a member of detcd, which cannot share a cluster with members of etcd",
		http.StatusPreconditionFailed)
}

// headerCluster says whose member answers.
const headerCluster = "X-Etcd-Cluster-ID"

func (p *peer) clusterID() string { return strconv.FormatUint(p.node.Status().ClusterID, 16) }

// signed serves one method, and says of which cluster the answer is.
func (p *peer) signed(method string, serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != method {
			w.Header().Set("Allow", method)
			http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set(headerCluster, p.clusterID())
		serve(w, r)
	}
}

// A listed member is one as etcd writes it.
type listed struct {
	ID         uint64   `json:"id"`
	PeerURLs   []string `json:"peerURLs"`
	IsLearner  bool     `json:"isLearner,omitempty"`
	Name       string   `json:"name,omitempty"`
	ClientURLs []string `json:"clientURLs,omitempty"`
}

func writeMembers(w http.ResponseWriter, members []*pb.Member) {
	all := []listed{}
	for _, m := range members {
		all = append(all, listed{m.ID, m.PeerURLs, m.IsLearner, m.Name, m.ClientURLs})
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(all)
}

// members lists the cluster as this member knows it.
func (p *peer) members(w http.ResponseWriter, r *http.Request) {
	members, err := p.node.Members(r.Context(), false)
	if err != nil {
		http.Error(w, readable(err).Error(), http.StatusInternalServerError)
		return
	}
	writeMembers(w, members)
}

// promote lets a learner vote; its ID is decimal.
func (p *peer) promote(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	if err != nil {
		http.Error(w, "member "+r.PathValue("id")+" not found in cluster", http.StatusNotFound)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), p.timeout)
	defer cancel()
	if token := r.Header.Get("Authorization"); token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, rpctypes.TokenFieldNameGRPC, token)
	}
	promoted, err := p.cluster.MemberPromote(ctx, &pb.MemberPromoteRequest{ID: id})
	if err == nil {
		writeMembers(w, promoted.Members)
		return
	}
	err = rpctypes.Error(err)
	status, text := http.StatusInternalServerError, err.Error()
	switch {
	case errors.Is(err, rpctypes.ErrMemberNotFound):
		status, text = http.StatusNotFound, "membership: ID not found"
	case errors.Is(err, rpctypes.ErrMemberNotLearner):
		status, text = http.StatusPreconditionFailed, "membership: can only promote a learner member"
	case errors.Is(err, rpctypes.ErrMemberLearnerNotReady):
		status = http.StatusPreconditionFailed
	}
	http.Error(w, text, status)
}

// hashBytesMax bounds a request for a hash, which is a line.
const hashBytesMax = 64 << 10

// hash is the hash of a revision; the request says which in its body.
func (p *peer) hash(w http.ResponseWriter, r *http.Request) {
	if want := r.Header.Get(headerCluster); want != "" && want != p.clusterID() {
		http.Error(w, "cluster ID mismatch", http.StatusPreconditionFailed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, hashBytesMax))
	if err != nil {
		http.Error(w, "error reading body", http.StatusBadRequest)
		return
	}
	asked := &pb.HashKVRequest{}
	if json.Unmarshal(body, asked) != nil {
		http.Error(w, "error unmarshalling request", http.StatusBadRequest)
		return
	}
	answer, err := p.hashOf(r.Context(), asked.Revision)
	if err != nil {
		http.Error(w, readable(err).Error(), http.StatusBadRequest)
		return
	}
	text, err := json.Marshal(answer)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set(headerCluster, p.clusterID())
	w.Header().Set("Content-Type", "application/json")
	w.Write(text)
}

func (p *peer) hashOf(ctx context.Context, revision int64) (*pb.HashKVResponse, error) {
	view, err := p.node.View(ctx)
	if err != nil {
		return nil, err
	}
	keys := view.(*kv.View)
	answer := &pb.HashKVResponse{Header: &pb.ResponseHeader{Revision: keys.Revision()}}
	answer.Hash, answer.CompactRevision, answer.HashRevision, err = keys.Hash(revision)
	return answer, err
}

// downgrade says whether one is under way.
func (p *peer) downgrade(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), p.timeout)
	defer cancel()
	if _, err := p.node.Barrier(ctx); err != nil {
		http.Error(w, "failed linearized read: "+readable(err).Error(),
			http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	io.WriteString(w, strconv.FormatBool(p.node.Status().Downgrade != ""))
}
