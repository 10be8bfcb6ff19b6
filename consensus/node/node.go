package node

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"detcd/consensus/replica"
	"detcd/consensus/transport"
)

// Options configure a Node.
type Options struct {
	// Replica is the member. Its SessionID is chosen by Start when it is 0.
	Replica replica.Options
	// Listeners accept the other members' connections; Stop closes them. May be empty.
	Listeners []net.Listener
	// TLS is used to connect to members whose URLs say https.
	TLS *tls.Config
	// Peers are where the members of the cluster listen, for a member that joins and does not know
	// them yet. They are forgotten when the membership is known.
	Peers map[replica.MemberID][]string
	// Answer answers questions that are put to the peer listener (transport.Ask). May be nil.
	Answer func(question []byte) []byte
	// Other takes over connections to the peer listener that are not of members. May be nil.
	Other func(net.Conn)
	// Event is told what happens inside the member, in order, on one goroutine; it should not block.
	// May be nil.
	Event func(replica.Event)
	// Membership is told of each change of who is in the cluster, before Event is. May be nil.
	Membership func(before, after replica.Membership)
	// Bounds of the transport.
	Bounds transport.Bounds
	// SlowWrite is how long a write to the log may take that is not logged; 0: one second.
	SlowWrite time.Duration
	// Log gets what the transport and the disk have to say; nil: nothing is logged.
	Log *slog.Logger
}

// Status is a look at a member.
type Status struct {
	replica.Status
	// LeaderSince is when the leader of Status became known.
	LeaderSince time.Time
	// ConnectedSince is since when the leader can be reached, or on the leader a majority of the
	// voters; zero: it cannot. It is as of the last tick.
	ConnectedSince time.Time
}

// Node is a member that runs. Its methods may be called by any goroutine.
//
// Many fields: it is where the replica, its goroutines and what they publish come together.
type Node struct {
	options   Options
	transport *transport.Transport
	disk      *replica.Disk
	inbox     *inbox
	waiters   sync.Pool

	writes     chan *replica.Write          // to the disk; one outstanding
	background chan *replica.BackgroundTask // to the disk; one outstanding
	chunks     chan replica.Message         // to be completed from a file and sent

	view    atomic.Pointer[viewBox] // nil: something was applied since
	status  atomic.Pointer[Status]
	members atomic.Pointer[replica.Membership]
	changes broadcast
	counted counters

	removed  atomic.Bool // another member said that this one was
	stop     atomic.Bool
	stopOnce sync.Once
	done     chan struct{}
	err      error // why it ended; read after done is closed
}

// A viewBox makes an any fit an atomic pointer.
type viewBox struct{ view any }

// Start recovers the member and runs it. Its errors are those of replica.Open, and ErrRemoved for a
// member that knows that it was removed from the cluster. Then the listeners are closed.
func Start(options Options) (*Node, error) {
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	for options.Replica.SessionID == 0 {
		options.Replica.SessionID = randomBoot()
	}
	options.SlowWrite = cmp.Or(options.SlowWrite, slowWrite)
	n := &Node{
		options:    options,
		inbox:      newInbox(),
		waiters:    sync.Pool{New: waiterNew},
		writes:     make(chan *replica.Write, 1),
		background: make(chan *replica.BackgroundTask, 1),
		chunks:     make(chan replica.Message, chunksMax),
		done:       make(chan struct{}),
	}
	member, disk, err := replica.Open(options.Replica)
	if err != nil {
		return nil, errors.Join(err, closeAll(options.Listeners))
	}
	n.disk = disk
	members := member.Members()
	if _, removed := slices.BinarySearch(members.Removed, options.Replica.ID); removed {
		return nil, errors.Join(ErrRemoved, disk.Close(), closeAll(options.Listeners))
	}
	n.members.Store(&members)
	n.status.Store(&Status{Status: member.Status()})
	n.transport = transport.New(n.transportOptions(member.Status()))
	n.setPeers(&members)
	var lanes sync.WaitGroup
	lanes.Go(n.doWrites)
	lanes.Go(n.doBackground)
	lanes.Go(n.sendChunks)
	go n.run(newLoop(n, member), &lanes)
	return n, nil
}

func closeAll(listeners []net.Listener) error {
	var all []error
	for _, listener := range listeners {
		all = append(all, listener.Close())
	}
	return errors.Join(all...)
}

// Submit has a command executed and returns what the machine answered. When the context ends first
// it is unknown whether the command will be executed, at most once.
func (n *Node) Submit(ctx context.Context, command []byte) (any, error) {
	return n.request(ctx, replica.Input{Kind: replica.InputSubmit, Data: command})
}

// Barrier returns a view that includes everything that any member had answered when Barrier was
// called.
func (n *Node) Barrier(ctx context.Context) (any, error) {
	return n.request(ctx, replica.Input{Kind: replica.InputRead})
}

// View returns a view of what is applied here. It includes everything that this member has
// answered. It disturbs the loop only when something was applied since the last
// one.
func (n *Node) View(ctx context.Context) (any, error) {
	if box := n.view.Load(); box != nil {
		return box.view, nil
	}
	return n.request(ctx, replica.Input{Kind: replica.InputView})
}

// QueryLeader puts a question to the leader's machine, wherever it is. It may be asked more than
// once.
func (n *Node) QueryLeader(ctx context.Context, question []byte) ([]byte, error) {
	value, err := n.request(ctx, replica.Input{Kind: replica.InputQuery, Data: question})
	if err != nil {
		return nil, err
	}
	return value.([]byte), nil
}

// Change changes the membership, all or nothing, and returns the new one.
func (n *Node) Change(
	ctx context.Context, changes []replica.Change,
) (replica.Membership, error) {
	value, err := n.request(ctx, replica.Input{Kind: replica.InputChange, Changes: changes})
	if err != nil {
		return replica.Membership{}, err
	}
	return value.(replica.Membership), nil
}

// Defragment has the room given back of what is dead, and returns when that is done. When the
// context ends first the work goes on.
func (n *Node) Defragment(ctx context.Context) error {
	_, err := n.request(ctx, replica.Input{Kind: replica.InputDefragment})
	return err
}

// Match is replica.Match: on the leader, how much of its log another member has.
func (n *Node) Match(
	ctx context.Context, id replica.MemberID,
) (match, own replica.Index, err error) {
	value, err := n.request(ctx, replica.Input{Kind: replica.InputMatch, Member: id})
	if err != nil {
		return 0, 0, err
	}
	both := value.([2]replica.Index)
	return both[0], both[1], nil
}

// Members returns who is in the cluster as far as this member has applied the log. What it holds
// must not be changed.
func (n *Node) Members() replica.Membership { return *n.members.Load() }

// Status returns a look at this member. It is cheap.
func (n *Node) Status() Status { return *n.status.Load() }

// Peers tells what was exchanged with each of the other members.
func (n *Node) Peers() transport.Stats { return n.transport.Stats() }

// Changed returns a channel that is closed once something was applied after the call, or the member
// has ended.
func (n *Node) Changed() <-chan struct{} { return n.changes.wait() }

// Done is closed when the member has ended and released everything: after Stop, or by itself.
func (n *Node) Done() <-chan struct{} { return n.done }

// Err says why the member ended, nil after a clean Stop. Before Done is closed it is nil.
func (n *Node) Err() error {
	select {
	case <-n.done:
		return n.err
	default:
		return nil
	}
}

// request hands an input to the loop and waits for the answer.
func (n *Node) request(ctx context.Context, in replica.Input) (value any, err error) {
	n.counted.began(in.Kind)
	defer func() { n.counted.ended(in.Kind, err) }()
	w := n.waiters.Get().(*waiter)
	w.state.Store(waiting)
	if err := n.inbox.request(in, w); err != nil {
		n.waiters.Put(w)
		return nil, err
	}
	if err := w.wait(ctx); err != nil {
		n.inbox.enqueueNoReply(replica.Input{Kind: replica.InputForget, ID: w.id})
		return nil, err
	}
	value, err = w.value, w.err
	w.value, w.err = nil, nil
	n.waiters.Put(w)
	return value, err
}

// broadcast wakes all who wait at once. It costs next to nothing while nobody does.
type broadcast struct {
	waited atomic.Bool // there may be someone
	mu     sync.Mutex
	next   chan struct{}
	ended  bool
}

func (b *broadcast) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		b.next = make(chan struct{})
		if b.ended {
			close(b.next)
		}
	}
	b.waited.Store(true)
	return b.next
}

// tell wakes those who wait now. Afterwards, when ended, nobody waits any more.
func (b *broadcast) notifyAll(ended bool) {
	if !ended && !b.waited.Load() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waited.Store(false)
	if b.next != nil && !b.ended {
		close(b.next)
	}
	if b.ended = b.ended || ended; !b.ended {
		b.next = nil
	}
}
