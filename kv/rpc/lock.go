package rpc

import (
	"context"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	"google.golang.org/protobuf/types/descriptorpb"
)

func lockFile() *descriptorpb.FileDescriptorProto {
	return describe("v3lock.proto", "v3lockpb", "Lock",
		[]string{"Lock LockRequest LockResponse", "Unlock UnlockRequest UnlockResponse"},
		[]string{
			"LockRequest name lease:int64",
			"LockResponse header:etcdserverpb.ResponseHeader key",
			"UnlockRequest key",
			"UnlockResponse header:etcdserverpb.ResponseHeader",
		})
}

func (s *Recipes) lockRecipes() []Recipe {
	const service, path = "v3lockpb.Lock", "/v3/lock/"
	return []Recipe{
		{Service: service, Name: "Lock", HTTPPath: path + "lock", answer: s.lock},
		{Service: service, Name: "Unlock", HTTPPath: path + "unlock", answer: s.unlock},
	}
}

// session is that of a lease; of a new one, which lives a minute, when the lease is 0. Nobody keeps
// it alive but the client.
func (s *Recipes) session(ctx context.Context, lease int64) (*concurrency.Session, error) {
	session, err := concurrency.NewSession(s.client,
		concurrency.WithLease(clientv3.LeaseID(lease)), concurrency.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	session.Orphan()
	return session, nil
}

// lock waits until the lease of the request holds the lock.
func (s *Recipes) lock(ctx context.Context, r message) (fields, error) {
	session, err := s.session(ctx, r.number("lease"))
	if err != nil {
		return nil, err
	}
	mutex := concurrency.NewMutex(session, r.text("name"))
	if err := mutex.Lock(ctx); err != nil {
		return nil, err
	}
	return fields{"header": mutex.Header(), "key": mutex.Key()}, nil
}

// unlock lets the next one have the lock. A key that is not there is no error.
func (s *Recipes) unlock(ctx context.Context, r message) (fields, error) {
	deleted, err := s.client.Delete(ctx, r.text("key"))
	if err != nil {
		return nil, err
	}
	return fields{"header": deleted.Header}, nil
}
