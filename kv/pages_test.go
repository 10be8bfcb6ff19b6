package kv

import (
	"fmt"
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

// collect reads all pages. What they add up to is one answer.
func collect(t fataler, p *Pages) (sum *pb.RangeResponse, pages int, err error) {
	sum = &pb.RangeResponse{}
	for {
		page, last, err := p.Next()
		if err != nil {
			return nil, pages, err
		}
		if pages++; pages > 1000 {
			t.Fatal("the pages have no end")
		}
		if !last && (page.Header != nil || page.Count != 0 || page.More) {
			t.Fatalf("page %d is not the last and has %v", pages, page)
		}
		proto.Merge(sum, page)
		if last {
			return sum, pages, nil
		}
	}
}

// Pages add up to the range, whatever is asked and however small they are.
func TestPagesAddUpToTheRange(t *testing.T) {
	m := newMember(t)
	for i := range 100 {
		m.want(put(fmt.Sprintf("k%02d", i%60), strings.Repeat("v", i)), nil)
	}
	m.want(del("k10", "k15"), nil)
	view := m.store.View().(*View)
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.StringMatching("k[0-6][0-9]?|\x00")
		r := &pb.RangeRequest{
			Key: []byte(key.Draw(t, "key")), RangeEnd: []byte(key.Draw(t, "end")),
			Limit: rapid.Int64Range(-1, 70).Draw(t, "limit"), KeysOnly: rapid.Bool().Draw(t, "keys"),
			Revision:  rapid.Int64Range(-1, 103).Draw(t, "revision"),
			CountOnly: rapid.IntRange(0, 9).Draw(t, "count only") == 0,
			SortOrder: pb.RangeRequest_SortOrder(rapid.IntRange(0, 1).Draw(t, "order")),
		}
		if CheckStream(r) != nil {
			return
		}
		want, wantErr := view.Read(r)
		size := rapid.IntRange(1, 2000).Draw(t, "bytes")
		got, _, err := collect(t, NewPages(r, view, size))
		if (err != nil) != (wantErr != nil) || err == nil && !proto.Equal(got, want) {
			t.Fatalf("%v\ngives %v, %v\nwant  %v, %v", r, got, err, want, wantErr)
		}
	})
}

// A piece has about as many bytes as it should, and what happens meanwhile does not matter.
func TestPagesAreBoundedAndOfOneMoment(t *testing.T) {
	m := newMember(t)
	const count, size = 300, 1000
	for i := range count {
		m.want(put(fmt.Sprintf("k%03d", i), strings.Repeat("v", size)), nil)
	}
	pages := NewPages(get("k", "l"), m.store.View().(*View), 20*size)
	read := 0
	for last := false; !last; {
		page, done, err := pages.Next()
		if err != nil {
			t.Fatal(err)
		}
		if bytes := proto.Size(page); bytes > 45*size {
			t.Fatalf("a page has %d bytes", bytes)
		}
		read, last = read+len(page.Kvs), done
		m.want(del("k", "l"), nil)
		_, _ = m.do(compact(m.store.Revision()))
		for m.bulk() {
		}
		if last && (page.Count != count || page.Header.Revision != count+1) {
			t.Errorf("the last page says %d, %v", page.Count, page.Header)
		}
	}
	if read != count {
		t.Errorf("%d keys were read", read)
	}
}

func TestWhatCannotBeStreamed(t *testing.T) {
	for _, r := range []*pb.RangeRequest{
		{Key: []byte("a"), SortOrder: pb.RangeRequest_DESCEND},
		{Key: []byte("a"), SortOrder: pb.RangeRequest_ASCEND, SortTarget: pb.RangeRequest_MOD},
		{Key: []byte("a"), MinModRevision: 1}, {Key: []byte("a"), MaxCreateRevision: -1},
	} {
		if err := CheckStream(r); status.Code(err) != codes.Unimplemented {
			t.Errorf("%v: %v", r, err)
		}
	}
	if err := CheckStream(&pb.RangeRequest{}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("no key: %v", err)
	}
}
