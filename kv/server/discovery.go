package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/srv"
	"go.etcd.io/etcd/client/pkg/v3/types"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// Discovery says how the first members of a cluster find each other when nobody knows them all
// beforehand: by a running cluster where they register under a token, or by the name service. Not
// both may be set; used data directories need neither.
//
//	/_etcd/registry/<token>/_config/size      how many there are to be, put there beforehand
//	/_etcd/registry/<token>/members/<ID>      name=URL,name=URL: what a member registers
//
// The first to register, as many as the size says, are the members.
type Discovery struct {
	Token  string
	Client clientv3.ConfigSpec // of the cluster where members register

	Domain  string // whose SRV records _etcd-server._tcp and _etcd-server-ssl._tcp are the members
	Service string // is added to the names of the services, after a dash
}

// etcd's errors.
var (
	errSizeBad     = errors.New("discovery: size key is bad")
	errSizeMissing = errors.New("discovery: size key not found")
	errFull        = errors.New("discovery: cluster is full")
)

// discover finds the initial cluster, if it is to be found.
func (c *Config) discover(ctx context.Context) error {
	d := &c.Discovery
	switch {
	case len(d.Client.Endpoints) > 0:
		return c.register(ctx)
	case d.Domain != "":
		return c.lookUp()
	}
	return nil
}

// lookUp asks the name service. It is enough that one of the two services is known.
func (c *Config) lookUp() error {
	var all []string
	var problems []error
	for _, kind := range []struct{ scheme, service string }{
		{"https", "etcd-server-ssl"}, {"http", "etcd-server"},
	} {
		service := kind.service
		if c.Discovery.Service != "" {
			service += "-" + c.Discovery.Service
		}
		found, err := srv.GetCluster(
			kind.scheme, service, c.Name, c.Discovery.Domain, c.AdvertisePeerURLs)
		c.Log.Info("looked for the cluster in the name service", slog.String("service", service),
			slog.Any("found", found), slog.Any("error", err))
		all, problems = append(all, found...), append(problems, err)
	}
	if len(all) == 0 {
		return errors.Join(problems...)
	}
	cluster, err := types.NewURLsMap(strings.Join(all, ","))
	if err != nil {
		return err
	}
	if _, ok := cluster[c.Name]; !ok {
		return fmt.Errorf("cannot find local etcd member %q in SRV records", c.Name)
	}
	c.InitialCluster = cluster
	return nil
}

// register registers this member and waits until there are enough.
func (c *Config) register(ctx context.Context) error {
	config, err := clientv3.NewClientConfig(&c.Discovery.Client, zap.NewNop())
	if err != nil {
		return err
	}
	config.Logger = zap.NewNop()
	client, err := clientv3.New(*config)
	if err != nil {
		return err
	}
	defer client.Close()
	r := registry{config: c, client: client, prefix: "/_etcd/registry/" + c.Discovery.Token}
	c.InitialClusterToken = c.Discovery.Token
	mine := types.URLsMap{c.Name: c.AdvertisePeerURLs}
	id := memberID(c.AdvertisePeerURLs.StringSlice(), c.Discovery.Token)
	r.key = r.prefix + "/members/" + hex(uint64(id))
	cluster, err := r.join(ctx, mine.String())
	if err != nil {
		return err
	}
	c.Log.Info("discovery joined cluster successfully", slog.String("cluster", cluster))
	c.InitialCluster, err = types.NewURLsMap(cluster)
	return err
}

// A registry is where members register.
type registry struct {
	config *Config
	client *clientv3.Client
	prefix string
	key    string // of this member
}

// join returns the initial cluster, once it is whole.
func (r *registry) join(ctx context.Context, mine string) (string, error) {
	size, err := r.size(ctx)
	if err != nil {
		return "", err
	}
	members, revision, err := r.members(ctx)
	if err != nil {
		return "", err
	}
	if !r.isRegistered(members) {
		if len(members) >= size {
			return "", errFull
		}
		err := r.retry(ctx, func(ctx context.Context) error {
			_, err := r.client.Put(ctx, r.key, mine)
			return err
		})
		if err != nil {
			return "", err
		}
	}
	for {
		changed := r.client.Watch(ctx, r.prefix+"/members/", clientv3.WithPrefix(),
			clientv3.WithRev(revision+1))
		if members, revision, err = r.members(ctx); err != nil {
			return "", err
		}
		if len(members) >= size {
			break
		}
		r.config.Log.Info("waiting for peers from discovery service",
			slog.Int("cluster-size", size), slog.Int("found-peers", len(members)))
		select {
		case <-changed:
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
	if members = members[:size]; !r.isRegistered(members) {
		return "", errFull // others came in between
	}
	var all []string
	for _, m := range members {
		all = append(all, m.cluster)
	}
	return strings.Join(all, ","), nil
}

// A registered member; which came first decides.
type registered struct {
	key, cluster string
	revision     int64
}

func (r *registry) isRegistered(members []registered) bool {
	return slices.ContainsFunc(members, func(m registered) bool { return m.key == r.key })
}

func (r *registry) size(ctx context.Context) (size int, err error) {
	var got *clientv3.GetResponse
	err = r.retry(ctx, func(ctx context.Context) (err error) {
		got, err = r.client.Get(ctx, r.prefix+"/_config/size")
		return err
	})
	switch {
	case err != nil:
		return 0, err
	case len(got.Kvs) == 0:
		return 0, errSizeMissing
	}
	if size, err = strconv.Atoi(string(got.Kvs[0].Value)); err != nil || size <= 0 {
		return 0, errSizeBad
	}
	return size, nil
}

// members lists those that are registered, in the order in which they came. What is no member is
// passed over.
func (r *registry) members(ctx context.Context) (all []registered, revision int64, err error) {
	var got *clientv3.GetResponse
	err = r.retry(ctx, func(ctx context.Context) (err error) {
		got, err = r.client.Get(ctx, r.prefix+"/members/", clientv3.WithPrefix())
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	for _, kv := range got.Kvs {
		text := strings.TrimSpace(string(kv.Value))
		if named, err := types.NewURLsMap(text); err != nil || len(named) != 1 {
			r.config.Log.Warn("the discovery service lists what is no member",
				slog.String("key", string(kv.Key)), slog.String("value", text))
			continue
		}
		all = append(all, registered{string(kv.Key), text, kv.CreateRevision})
	}
	slices.SortFunc(all, func(a, b registered) int { return cmp.Compare(a.revision, b.revision) })
	return all, got.Header.Revision, nil
}

// retry asks again and again, with etcd's pauses, until there is an answer.
func (r *registry) retry(ctx context.Context, ask func(context.Context) error) error {
	const pauseMax = 256 * time.Second
	for pause := 2 * time.Second; ; pause = min(2*pause, pauseMax) {
		limited, cancel := context.WithTimeout(ctx, r.config.Discovery.Client.RequestTimeout)
		err := ask(limited)
		cancel()
		if err == nil {
			return nil
		}
		r.config.Log.Warn("the discovery service does not answer; trying again",
			slog.Duration("after", pause), slog.Any("error", err))
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
