package rpc

import (
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"
)

// recipes serves Lock and Election of a member, and finds their methods by name.
func recipes(t *testing.T) (*served, map[string]*Recipe) {
	t.Helper()
	s := serve(t, Options{})
	made, err := NewRecipes(s.conn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { made.Close() })
	other := serve(t, Options{Recipes: made})
	all := map[string]*Recipe{}
	for i := range made.List() {
		r := &made.List()[i]
		all[r.Name] = r
	}
	return other, all
}

// call asks a method.
func (r *Recipe) call(t *testing.T, conn grpc.ClientConnInterface, in fields) (message, error) {
	t.Helper()
	out := dynamicpb.NewMessage(r.Output)
	err := conn.Invoke(soon(t), r.FullName(), in.message(r.Input), out)
	return message{out}, err
}

// Whoever comes second waits until the first has let go.
func TestALockIsHeldByOne(t *testing.T) {
	s, all := recipes(t)
	first, err := all["Lock"].call(t, s.conn, fields{"name": "l"})
	if err != nil || first.text("key") == "" {
		t.Fatalf("got %v, %v", first, err)
	}
	second := make(chan error, 1)
	go func() {
		_, err := all["Lock"].call(t, s.conn, fields{"name": "l"})
		second <- err
	}()
	select {
	case err := <-second:
		t.Fatalf("two hold the lock: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	if _, err := all["Unlock"].call(t, s.conn, fields{"key": first.text("key")}); err != nil {
		t.Fatal(err)
	}
	if err := <-second; err != nil {
		t.Fatal(err)
	}
	_, err = all["Lock"].call(t, s.conn, fields{"name": "l", "lease": int64(77)})
	wantError(t, err, codes.Unknown, "etcdserver: requested lease not found")
}

func TestAnElection(t *testing.T) {
	s, all := recipes(t)
	_, err := all["Leader"].call(t, s.conn, fields{"name": "e"})
	wantError(t, err, codes.Unknown, "election: no leader")
	_, err = all["Proclaim"].call(t, s.conn, fields{"value": "v"})
	wantError(t, err, codes.Unknown, `"leader" field must be provided`)
	won, err := all["Campaign"].call(t, s.conn, fields{"name": "e", "value": "1"})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := s.conn.NewStream(soon(t), &grpc.StreamDesc{ServerStreams: true},
		all["Observe"].FullName())
	if err != nil {
		t.Fatal(err)
	}
	asked := fields{"name": "e"}.message(all["Observe"].Input)
	if err := stream.SendMsg(asked); err != nil {
		t.Fatal(err)
	}
	observed := func(want string) {
		t.Helper()
		out := message{dynamicpb.NewMessage(all["Observe"].Output)}
		if err := stream.RecvMsg(out.Message); err != nil || out.inner("kv").text("value") != want {
			t.Fatalf("got %v, %v, want %s", out, err, want)
		}
	}
	observed("1")
	leader := won.inner("leader").Message
	if _, err := all["Proclaim"].call(t, s.conn, fields{"leader": leader, "value": "2"}); err != nil {
		t.Fatal(err)
	}
	observed("2")
	if _, err := all["Resign"].call(t, s.conn, fields{"leader": leader}); err != nil {
		t.Fatal(err)
	}
	_, err = all["Leader"].call(t, s.conn, fields{"name": "e"})
	wantError(t, err, codes.Unknown, "election: no leader")
}

// Bytes that are no request are refused by gRPC, and end nothing.
func FuzzRecipe(f *testing.F) {
	made, err := NewRecipes(nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("\x0a\x01l\x10\x05"))
	f.Add([]byte("\x0a\x04\x0a\x00\x12\x00\x12\x01v"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for i := range made.List() {
			r := &made.List()[i]
			in := message{dynamicpb.NewMessage(r.Input)}
			if proto.Unmarshal(data, in.Message) != nil {
				continue
			}
			for _, name := range []string{"name", "key", "value"} {
				if in.field(name) != nil {
					_ = in.text(name)
				}
			}
			if in.field("leader") == nil {
				continue
			}
			if leader := in.inner("leader"); leader != nil {
				_, _ = leader.text("key"), leader.number("rev")
			}
		}
	})
}
