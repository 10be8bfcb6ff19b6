//go:build !race

package alloctest

import (
	"context"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"

	"detcd/consensus/replica"
	"detcd/kv"
	"detcd/kv/auth"
	"detcd/kv/rpc"
	"detcd/storage/vfs"
)

// A member is a cluster of one in one goroutine, with a disk in memory.
type member struct {
	rpc.Node // nil: what no path here asks for
	t        testing.TB
	store    *kv.Store
	replica  *replica.Replica
	disk     *replica.Disk
	now      replica.Time
	id       replica.RequestID
	answer   replica.Answer // the last one
	services map[string]service
}

// A service is an implementation with its description, as it would be given to a gRPC server.
type service struct {
	description *grpc.ServiceDesc
	server      any
}

func newMember(t testing.TB) *member {
	t.Helper()
	m := &member{t: t, store: kv.New(kv.Options{}), services: map[string]service{}}
	fs := vfs.NewMemory()
	var err error
	m.replica, m.disk, err = replica.Open(replica.Options{
		ID: 1, Cluster: 7, Incarnation: 1, SessionID: 1, Self: replica.Member{Name: "m1"},
		Members: []replica.Member{{ID: 1, PeerURLs: []string{"http://m1"}}},
		Machine: m.store, FS: fs,
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 100 { // until it has elected itself, and told the others of itself
		m.now += replica.Time(100 * time.Millisecond)
		m.replica.Tick(m.now)
		m.turn()
	}
	rpc.Register(m, m, rpc.Options{})
	return m
}

// RegisterService keeps a service instead of serving it.
func (m *member) RegisterService(description *grpc.ServiceDesc, server any) {
	m.services[description.ServiceName] = service{description, server}
}

// GetServiceInfo is what reflection would ask for.
func (m *member) GetServiceInfo() map[string]grpc.ServiceInfo { return nil }

// turn does everything that the replica wants.
func (m *member) turn() {
	for {
		effects := m.replica.Take()
		for _, answer := range effects.Answers {
			m.answer = answer
		}
		if effects.Write != nil {
			if err := m.disk.Do(effects.Write); err != nil {
				m.t.Fatal(err)
			}
			m.replica.Done(effects.Write)
		}
		if effects.Background != nil {
			if err := m.disk.DoBackground(effects.Background); err != nil {
				m.t.Fatal(err)
			}
			m.replica.BackgroundDone(effects.Background)
		}
		if effects.Write == nil && effects.Background == nil && !effects.More {
			return
		}
	}
}

func (m *member) Submit(_ context.Context, command []byte) (any, error) {
	m.id++
	m.replica.Submit(m.id, command)
	m.turn()
	if m.answer.ID != m.id || m.answer.Err != nil {
		m.t.Fatalf("no answer: %+v", m.answer)
	}
	return m.answer.Value, nil
}

func (m *member) Barrier(context.Context) (any, error) { return m.store.View(), nil }
func (m *member) View(context.Context) (any, error)    { return m.store.View(), nil }
func (m *member) Auth() *auth.View                     { return m.store.Auth() }

func (m *member) Status() rpc.Status { return rpc.Status{MemberID: 1, DBSizeQuota: -1} }

// method returns a gRPC method, called as gRPC calls it, with fill in place of decoding.
func (m *member) method(serviceName, name string, fill func(request any) error) func() any {
	s := m.services[serviceName]
	for _, method := range s.description.Methods {
		if method.MethodName == name {
			return func() any {
				answer, err := method.Handler(s.server, context.Background(), fill, nil)
				if err != nil {
					m.t.Fatal(err)
				}
				return answer
			}
		}
	}
	m.t.Fatalf("no method %s of %s", name, serviceName)
	return nil
}

// putCommand is the command of a put, as the log holds it.
func putCommand(r *pb.PutRequest) []byte {
	call := kv.NewCall(r, kv.Limits{RequestBytesMax: 1 << 20}, nil, nil)
	return append([]byte(nil), call.Command()...)
}
