package kv

import (
	"bytes"
	"slices"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"detcd/kv/auth"
	"detcd/kv/lease"
)

// decodeAny gives the request of any command, or what an expiry names.
func decodeAny(command []byte) (request proto.Message, grant lease.Grant, err error) {
	put := &pb.PutRequest{}
	if decodePut(command, put) == nil {
		return put, grant, nil
	}
	if grant, err = decodeExpire(command); err == nil {
		return nil, grant, nil
	}
	request, err = decode(command)
	return request, grant, err
}

func TestACommandIsTheRequest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var request proto.Message = anyRequest(t)
		alarm, _ := request.(*pb.AlarmRequest)
		_, isRange := request.(*pb.RangeRequest)
		if isRange || alarm != nil && alarm.Action == pb.AlarmRequest_GET {
			return
		}
		got, _, err := decodeAny(encode(request))
		if err != nil || !proto.Equal(got, request) {
			t.Fatalf("%v became %v, %v", request, got, err)
		}
	})
}

func TestAnExpiryIsTheGrant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := lease.Grant{ID: lease.ID(rapid.Int64().Draw(t, "id")),
			Serial: lease.Serial(rapid.Uint64().Draw(t, "serial"))}
		if got, err := decodeExpire(appendExpire(nil, want)); err != nil || got != want {
			t.Fatalf("%v became %v, %v", want, got, err)
		}
	})
}

// FuzzCommand looks for bytes that break a decoder, or that it reads as something that it would
// not write.
func FuzzCommand(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{99})
	f.Add(appendExpire(nil, lease.Grant{ID: -4, Serial: 1 << 63}))
	f.Add(encode(&pb.PutRequest{Key: []byte("k"), Value: []byte("v"), Lease: -1, PrevKv: true}))
	f.Add(encode(&pb.DeleteRangeRequest{Key: []byte("a"), RangeEnd: []byte{0}}))
	f.Add(encode(&pb.TxnRequest{Success: []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{
		RequestPut: &pb.PutRequest{Key: []byte("k"), IgnoreLease: true}}}}}))
	f.Add(encode(&pb.LeaseGrantRequest{ID: 7, TTL: 60}))
	ann := auth.Caller{User: "ann", Revision: 300}
	f.Add(encodeFor(ann, &pb.AuthUserGrantRoleRequest{User: "bob", Role: "writer"}))
	f.Add(encodeFor(ann, &pb.InternalAuthenticateRequest{SimpleToken: "abc"}))
	f.Fuzz(func(t *testing.T, command []byte) {
		caller, command, err := cutCaller(command)
		if err != nil {
			return
		}
		request, grant, err := decodeAny(command)
		if err != nil {
			return
		}
		again := appendExpire(nil, grant)
		if request != nil {
			again = encode(request)
		}
		caller2, again, err := cutCaller(append(appendCaller(nil, caller), again...))
		if err != nil || caller2 != caller {
			t.Fatalf("%x is of %v, and again of %v, %v", command, caller, caller2, err)
		}
		request2, grant2, err := decodeAny(again)
		if err != nil || grant2 != grant || request != nil && !proto.Equal(request2, request) {
			t.Fatalf("%x is %v %v, and again %v %v, %v", command, request, grant, request2, grant2, err)
		}
	})
}

func FuzzCheckpoint(f *testing.F) {
	f.Add([]byte{})
	p := parts{digest: 7, leases: []byte("leases"), mvcc: []byte("history"), auth: []byte("users")}
	f.Add(p.encode())
	p.alarms = alarms{{pb.AlarmType_NOSPACE, 1 << 63}, {pb.AlarmType_CORRUPT, 0}}.encode()
	f.Add(p.encode())
	f.Add([]byte("\x0112345678\x00\x00"))
	f.Add([]byte("\x0212345678\x01l\x01m\x00"))
	f.Fuzz(func(t *testing.T, state []byte) {
		p, err := decodeParts(state)
		if err != nil {
			return
		}
		again, err := decodeParts(p.encode())
		if err != nil || again.digest != p.digest || !bytes.Equal(again.leases, p.leases) ||
			!bytes.Equal(again.mvcc, p.mvcc) || !bytes.Equal(again.alarms, p.alarms) ||
			!bytes.Equal(again.auth, p.auth) {
			t.Fatalf("%x: %v is not %v, %v", state, again, p, err)
		}
		if all, err := decodeAlarms(p.alarms); err == nil {
			again, err := decodeAlarms(all.encode())
			if err != nil || !slices.Equal(again, all) {
				t.Fatalf("%x: %v is not %v, %v", p.alarms, again, all, err)
			}
		}
	})
}

func TestTheDigestSeesWhatAndWhere(t *testing.T) {
	seen := make(map[digest]string)
	for _, strings := range [][]string{
		{}, {""}, {"", ""}, {"a"}, {"a\x00"}, {"a", ""}, {"", "a"}, {"ab"}, {"a", "b"}, {"b", "a"},
		{"\x00"}, {"\x00\x00"}, {"12345678"}, {"123456789"}, {"12345678", "9"}, {"00000000"},
	} {
		var d digest
		for _, s := range strings {
			d.bytes([]byte(s))
		}
		name := string(bytes.Join(split(strings), []byte("|")))
		if other, twice := seen[d]; twice {
			t.Errorf("%q and %q have one digest", name, other)
		}
		seen[d] = name
	}
	var stuck digest
	for range 1000 {
		before := stuck
		if stuck.word(0); stuck == before {
			t.Fatalf("zeros do not change %x", before)
		}
	}
}

func split(strings []string) (out [][]byte) {
	for _, s := range strings {
		out = append(out, []byte(s))
	}
	return out
}

func BenchmarkPutCommand(b *testing.B) {
	request := &pb.PutRequest{Key: []byte("registry/services/0001"), Value: make([]byte, 256)}
	var got pb.PutRequest
	b.ReportAllocs()
	for b.Loop() {
		if err := decodePut(encode(request), &got); err != nil {
			b.Fatal(err)
		}
	}
}
