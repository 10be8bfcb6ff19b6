package nemesis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// Options says which cluster to make.
type Options struct {
	// Binary is the path of a server that takes etcd's flags.
	Binary string
	// Members is the size of the cluster; 0 means 1.
	Members int
	// Dir holds data directories and logs. It is made when missing and never removed.
	Dir string
	// Args are further flags for every member, after those that the cluster itself sets.
	Args []string
	// Env are further NAME=value settings for every member, after those of this process.
	Env []string
	// Network says how the members are connected. Only a Direct one cannot be broken.
	Network Network
	// Distance is how far the members of a Relayed network are from each other.
	Distance Distance
	// DiskBytes gives each member a disk of its own of this size, in memory, which can be filled. It
	// needs root. 0: none.
	DiskBytes int64
}

// A Network is a way in which members are connected.
type Network int

// The networks.
const (
	Direct  Network = iota // they talk to each other without anything between
	Relayed                // through a relay in this process, which needs Linux
	Spaced                 // in network namespaces, which needs an enclosed process and iproute2
)

// A Distance is what lies between any two members. The zero value is nothing.
type Distance struct {
	OneWay time.Duration // that a byte takes
	Rate   int64         // bytes a second in each direction, of all connections together; 0: no limit
}

// Cluster is a set of members that know each other. Its methods may be called from any goroutine.
type Cluster struct {
	members []*Member
	wires   *wires // nil: the network cannot be broken
	relay   *relay // nil: there is none
	disks   []string
	ports   io.Closer // a claim on them; nil: there is none
}

// New chooses ports and names, makes the directory and the network. It starts no member.
func New(options Options) (*Cluster, error) {
	count := max(options.Members, 1)
	binary, err := filepath.Abs(options.Binary)
	if err != nil {
		return nil, fmt.Errorf("nemesis: binary: %w", err)
	}
	if info, err := os.Stat(binary); err != nil {
		return nil, fmt.Errorf("nemesis: binary: %w", err)
	} else if info.IsDir() || info.Mode()&0o111 == 0 {
		return nil, fmt.Errorf("nemesis: binary %s is not an executable file", options.Binary)
	}
	if err := os.MkdirAll(options.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("nemesis: directory: %w", err)
	}
	ports, hold, err := freePorts(3 * count)
	if err != nil {
		return nil, err
	}
	var peers []string
	cluster := &Cluster{ports: hold}
	for i := range count {
		m := &Member{
			name:     fmt.Sprintf("m%d", i+1),
			binary:   binary,
			endpoint: fmt.Sprintf("127.0.0.1:%d", ports[3*i]),
			peer:     fmt.Sprintf("127.0.0.1:%d", ports[3*i+1]),
			env:      options.Env,
		}
		m.advertised = m.peer
		switch options.Network {
		case Relayed:
			m.advertised = fmt.Sprintf("127.0.0.1:%d", ports[3*i+2])
		case Spaced:
			m.spaced = true
			m.endpoint = fmt.Sprintf("%s:%d", address(i), clientPort)
			m.peer = fmt.Sprintf("%s:%d", address(i), peerPort)
			m.advertised = m.peer
		}
		m.dataDir = filepath.Join(options.Dir, m.name+".etcd")
		if options.DiskBytes > 0 {
			m.disk = filepath.Join(options.Dir, m.name+".disk")
			m.dataDir = filepath.Join(m.disk, m.name+".etcd")
		}
		m.logPath = filepath.Join(options.Dir, m.name+".log")
		peers = append(peers, m.name+"="+m.PeerURL())
		cluster.members = append(cluster.members, m)
	}
	for _, m := range cluster.members {
		m.args = append(m.flags(strings.Join(peers, ",")), options.Args...)
	}
	if err := cluster.furnish(options); err != nil {
		return nil, errors.Join(err, cluster.Close())
	}
	return cluster, nil
}

// furnish makes network and disks.
func (c *Cluster) furnish(options Options) error {
	for _, m := range c.members {
		if m.disk == "" {
			continue
		}
		if err := mountDisk(m.disk, options.DiskBytes); err != nil {
			return err
		}
		c.disks = append(c.disks, m.disk)
	}
	return c.connect(options)
}

// connect makes the network.
func (c *Cluster) connect(options Options) (err error) {
	network := options.Network
	switch {
	case network != Relayed && options.Distance != Distance{}:
		return errors.New("nemesis: only a relayed network has a distance")
	case network == Direct:
		return nil
	case network == Relayed && !knowsOwners:
		return errors.New("nemesis: a relayed network needs Linux")
	}
	c.wires = newWires(len(c.members), options.Distance)
	if network == Spaced {
		c.wires.apply = func(from, to int, w wire) error { return direct(c.members, from, to, w) }
		return makeSpaces(c.members)
	}
	c.relay, err = newRelay(c.members, c.wires)
	return err
}

// Launch makes a cluster, starts every member and waits until all of them serve. On an error
// nothing is left running.
func Launch(ctx context.Context, options Options) (*Cluster, error) {
	cluster, err := New(options)
	if err != nil {
		return nil, err
	}
	for _, m := range cluster.members {
		if err := m.Start(); err != nil {
			return nil, errors.Join(err, cluster.Close())
		}
	}
	if err := cluster.WaitReady(ctx); err != nil {
		return nil, errors.Join(err, cluster.Close())
	}
	return cluster, nil
}

// Members returns the members in the order of their names. The slice is the caller's.
func (c *Cluster) Members() []*Member {
	return append([]*Member(nil), c.members...)
}

// Endpoints returns the host:port at which each member serves clients, in the order of Members.
func (c *Cluster) Endpoints() []string {
	var all []string
	for _, m := range c.members {
		all = append(all, m.endpoint)
	}
	return all
}

// SetAdmin says how to ask the members for what not everybody may do, once they know users.
func (c *Cluster) SetAdmin(admin Admin) {
	for _, m := range c.members {
		m.mu.Lock()
		m.admin = admin
		m.mu.Unlock()
	}
}

// WaitReady waits until every member answers a linearizable read. It fails when ctx ends or when a
// member exits by itself.
func (c *Cluster) WaitReady(ctx context.Context) error {
	var group errgroup.Group
	for _, m := range c.members {
		group.Go(func() error { return m.WaitReady(ctx) })
	}
	return group.Wait()
}

// Exited returns the error of the first member whose process ended without having been asked to,
// nil when there is none.
func (c *Cluster) Exited() error {
	for _, m := range c.members {
		if err := m.Exited(); err != nil {
			return err
		}
	}
	return nil
}

// Leader returns the member that says it leads, in the highest term that any reachable member
// knows. It asks until there is one or ctx ends.
func (c *Cluster) Leader(ctx context.Context) (*Member, error) {
	for {
		var leader *Member
		var term uint64
		for _, m := range c.members {
			status, err := m.Status(ctx)
			if err != nil {
				continue
			}
			if status.RaftTerm > term {
				term, leader = status.RaftTerm, nil
			}
			if status.RaftTerm == term && status.Leader == status.Header.MemberId {
				leader = m
			}
		}
		if leader != nil && ctx.Err() == nil { // else some were not asked
			return leader, nil
		}
		if err := sleep(ctx, pollInterval); err != nil {
			return nil, fmt.Errorf("nemesis: no leader: %w", err)
		}
	}
}

// Close kills what still runs, closes the connections and takes disks away. It is idempotent and
// removes no other files.
func (c *Cluster) Close() error {
	var all []error
	for _, m := range c.members {
		all = append(all, m.close())
	}
	if c.relay != nil {
		all = append(all, c.relay.Close())
	}
	for _, disk := range c.disks {
		all = append(all, unmountDisk(disk))
	}
	c.disks = nil
	if c.ports != nil {
		all = append(all, c.ports.Close())
		c.ports = nil
	}
	return errors.Join(all...)
}

// pollInterval is how often a wait asks again.
const pollInterval = 25 * time.Millisecond

// sleep waits for d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
