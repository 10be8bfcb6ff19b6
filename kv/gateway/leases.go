package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"detcd/kv"
)

// What members of etcd ask their leader about leases, in protobuf. Members of detcd have another
// way; these are for tools that know etcd's. As there, whoever reaches the address is a member.

const (
	leaseTime     = time.Second // that an answer may take
	leaseBytesMax = 64 << 10    // of a request, which is an ID
	leasePause    = 10 * time.Millisecond
)

// Errors of etcd's.
var (
	errLeaseLate    = errors.New("waiting for node to catch up its applied index has timed out")
	errLeaseUnknown = errors.New("lease not found")
	errNotPrimary   = errors.New("not a primary lessor")
)

// renewal keeps a lease alive.
func (p *peer) renewal(w http.ResponseWriter, r *http.Request) {
	request := &pb.LeaseKeepAliveRequest{}
	if !readLease(w, r, func(body []byte) error { return proto.Unmarshal(body, request) }) {
		return
	}
	answer, err := p.lease(r.Context(), request)
	renewed, _ := answer.(*pb.LeaseKeepAliveResponse)
	if err == nil && renewed.TTL <= 0 {
		err = errLeaseUnknown
	}
	if err != nil {
		refuseLease(w, err, http.StatusBadRequest)
		return
	}
	writeLease(w, &pb.LeaseKeepAliveResponse{ID: renewed.ID, TTL: renewed.TTL}, nil)
}

// remaining tells how long a lease has to live. Request and response are the only field of a
// message around them.
func (p *peer) remaining(w http.ResponseWriter, r *http.Request) {
	request := &pb.LeaseTimeToLiveRequest{}
	if !readLease(w, r, func(body []byte) error { return unwrap(body, request) }) {
		return
	}
	answer, err := p.lease(r.Context(), request)
	lease, _ := answer.(*pb.LeaseTimeToLiveResponse)
	if err == nil && lease.GrantedTTL == 0 {
		err = errLeaseUnknown
	}
	if err != nil {
		refuseLease(w, err, http.StatusInternalServerError)
		return
	}
	lease.Header = &pb.ResponseHeader{}
	writeLease(w, lease, protowire.AppendTag(nil, 1, protowire.BytesType))
}

// unwrap reads the first field of a message.
func unwrap(body []byte, inner proto.Message) error {
	for len(body) > 0 {
		number, kind, n := protowire.ConsumeTag(body)
		if n < 0 {
			return protowire.ParseError(n)
		}
		value := body[n:]
		size := protowire.ConsumeFieldValue(number, kind, value)
		if size < 0 {
			return protowire.ParseError(size)
		}
		if number == 1 && kind == protowire.BytesType {
			bytes, _ := protowire.ConsumeBytes(value)
			merge := proto.UnmarshalOptions{Merge: true}
			if err := merge.Unmarshal(bytes, inner); err != nil {
				return err
			}
		}
		body = value[size:]
	}
	return nil
}

// readLease reads a request; false: it was refused.
func readLease(w http.ResponseWriter, r *http.Request, read func([]byte) error) bool {
	if r.Method != http.MethodPost {
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
		return false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, leaseBytesMax))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		http.Error(w, "request body too large", http.StatusRequestEntityTooLarge)
	case err != nil:
		http.Error(w, "error reading body", http.StatusBadRequest)
	case read(body) != nil:
		http.Error(w, "error unmarshalling request", http.StatusBadRequest)
	default:
		return true
	}
	return false
}

// lease takes a question about a lease through its Call, if this member leads.
func (p *peer) lease(ctx context.Context, request proto.Message) (proto.Message, error) {
	if now := p.node.Status(); now.Leader != now.MemberID {
		return nil, errNotPrimary
	}
	ctx, cancel := context.WithTimeout(ctx, leaseTime)
	defer cancel()
	call := kv.NewCall(request, kv.Limits{}, nil, kv.Itself{})
	for need := call.Next(); need != kv.Done; need = call.Next() {
		var value any
		var err error
		switch need {
		case kv.NeedAnswer:
			value, err = p.node.Ask(ctx, call.Question())
		case kv.NeedPause: // it is being revoked
			time.Sleep(leasePause)
			fallthrough
		default:
			value, err = p.node.View(ctx)
		}
		if err != nil {
			return nil, err
		}
		call.Give(value)
	}
	return call.Response()
}

// refuseLease answers with an error; other is the status of one that has none of its own.
func refuseLease(w http.ResponseWriter, err error, other int) {
	switch {
	case errors.Is(err, errLeaseUnknown), errors.Is(rpctypes.Error(err), rpctypes.ErrLeaseNotFound):
		err, other = errLeaseUnknown, http.StatusNotFound
	case errors.Is(err, context.DeadlineExceeded):
		err, other = errLeaseLate, http.StatusRequestTimeout
	}
	http.Error(w, readable(err).Error(), other)
}

// writeLease answers with a message, or, if there is a tag, with one whose field it is.
func writeLease(w http.ResponseWriter, answer proto.Message, tag []byte) {
	body, err := proto.Marshal(answer)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if tag != nil {
		body = protowire.AppendBytes(tag, body)
	}
	w.Header().Set("Content-Type", "application/protobuf")
	w.Write(body)
}
