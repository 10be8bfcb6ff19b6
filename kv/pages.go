package kv

import (
	"bytes"
	"math"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"detcd/kv/mvcc"
)

// Pages is a range that is read piece by piece, so that a range of any size costs the memory of a
// piece. All pieces are of one view: what is written or compacted meanwhile changes nothing. The
// last one has the header, the count and whether there is more, as in etcd.
type Pages struct {
	view    *View
	request *pb.RangeRequest
	left    int64 // keys that may still be read
	read    int64 // keys that were
	page    int64 // keys of the next piece
	bytes   int   // of a piece, about
}

// pageFirst is how many keys the first piece has; the next ones have more or less, until a piece
// has about as many bytes as it should.
const pageFirst = 10

// CheckStream refuses a range that cannot be read piece by piece.
func CheckStream(r *pb.RangeRequest) error {
	if err := checkRange(r); err != nil {
		return err
	}
	byKey := r.SortTarget == pb.RangeRequest_KEY && r.SortOrder == pb.RangeRequest_ASCEND
	if r.SortOrder != pb.RangeRequest_NONE && !byKey {
		return status.Error(codes.Unimplemented, "RangeStream does not support custom sort orders")
	}
	if r.MinModRevision|r.MaxModRevision|r.MinCreateRevision|r.MaxCreateRevision != 0 {
		return status.Error(codes.Unimplemented, "RangeStream does not support revision filters")
	}
	return nil
}

// NewPages begins a range that CheckStream has allowed, in pieces of about so many bytes.
func NewPages(r *pb.RangeRequest, view *View, bytesMax int) *Pages {
	p := &Pages{view: view, request: proto.CloneOf(r), left: r.Limit, page: pageFirst,
		bytes: bytesMax}
	if p.left <= 0 {
		p.left = math.MaxInt64
	}
	return p
}

// Next gives the next piece, and whether it is the last.
func (p *Pages) Next() (page *pb.RangeResponse, last bool, err error) {
	r := p.request
	if r.CountOnly || r.SortTarget != pb.RangeRequest_KEY {
		return p.whole()
	}
	result, err := p.view.Range(mvcc.RangeOptions{
		Key: r.Key, End: r.RangeEnd, Revision: r.Revision, KeysOnly: r.KeysOnly,
		Limit: min(p.page, p.left), Uncounted: true, Order: mvcc.Order(r.SortOrder),
	})
	if err != nil {
		return nil, true, outward(err)
	}
	page = &pb.RangeResponse{Kvs: result.KVs}
	n := int64(len(result.KVs))
	p.read, p.left = p.read+n, p.left-n
	if result.More {
		r.Key = append(bytes.Clone(result.KVs[n-1].Key), 0)
	}
	if last = !result.More || p.left == 0; last {
		return page, true, p.finish(page, result.More)
	}
	switch size := proto.Size(page); {
	case size < p.bytes/2:
		p.page *= 2
	case size > 2*p.bytes:
		p.page = max(p.page/2, 1)
	}
	return page, false, nil
}

// whole gives all at once: a count, and what is sorted by something else than the key. etcd sorts
// each piece by itself then, and goes on behind whatever key comes out last.
func (p *Pages) whole() (page *pb.RangeResponse, last bool, err error) {
	if page, err = p.view.Read(p.request); err != nil {
		return nil, true, outward(err)
	}
	return page, true, nil
}

// finish makes a piece the last one. Where there is more it counts what is left.
func (p *Pages) finish(page *pb.RangeResponse, more bool) error {
	page.Header, page.More, page.Count = header(p.view.Revision()), more, p.read
	if !more {
		return nil
	}
	rest, err := p.view.Range(mvcc.RangeOptions{
		Key: p.request.Key, End: p.request.RangeEnd, Revision: p.request.Revision, CountOnly: true,
	})
	if err != nil {
		return outward(err)
	}
	page.Count += rest.Count
	return nil
}
