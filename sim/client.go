package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"detcd/consensus/replica"
)

// client does one operation after another, on one member for a while and then on another, as a
// client with a list of endpoints does. It also holds a watch, and leases.
type client struct {
	world    *world
	number   int
	user     string     // by whose name it makes its requests; empty: nobody's
	random   *rand.Rand // of what it does now
	source   *rand.PCG
	slot     uint64 // counts the moments at which it begins an operation
	busy     bool
	target   *member
	made     int // values, in the present slot
	watcher  *watcher
	holder   *holder
	patience time.Duration // until it gives an operation up
	idle     bool          // it came to its end after healing
}

// operation is what a client asked and what it was told.
type operation struct {
	client    int
	user      string
	call      int64 // virtual time
	finished  int64
	term      replica.Term // in which the latest leader led when it began
	least     int64        // the highest revision that any client had been told when it began
	request   proto.Message
	response  proto.Message
	err       error
	undecided bool // no answer: it may have been carried out, or yet be
}

func (w *world) newClient(number int) {
	c := w.makeClient(number)
	w.clients = append(w.clients, c)
	c.watcher = newWatcher(w.makeClient(watcherNumbers + number))
	c.holder = newHolder(w.makeClient(holderNumbers + number))
}

// newLane makes a client that does operations and nothing else.
func (w *world) newLane(number int) { w.clients = append(w.clients, w.makeClient(number)) }

// The watch and the leases of a client are in the hands of clients of their own, so that each has
// its own randomness and connection. Their numbers begin here.
const (
	holderNumbers  = 100
	watcherNumbers = 200
	laneNumbers    = 10_000
	loaderNumber   = 9_999
)

func (w *world) makeClient(number int) *client {
	c := &client{world: w, number: number, user: w.userOf(number),
		patience: w.options.World.duration(ClientPatience)}
	c.source = rand.NewPCG(w.options.Seed, 0)
	c.random = rand.New(c.source)
	c.reseed()
	c.turn()
	return c
}

// reseed makes what the client does in one slot independent of all others, so that leaving one out
// changes nothing else.
func (c *client) reseed() {
	c.slot++
	c.made = 0
	c.source.Seed(c.world.options.Seed, streamClients+uint64(c.number)<<32+c.slot)
}

// later plans the next operation: on average all clients together keep the rate, whatever becomes
// of the operations.
func (c *client) later() {
	w := c.world
	mean := time.Duration(len(w.clients)) * time.Second / time.Duration(w.options.Rate*w.fates.hurry())
	w.after(w.inBurst(between(c.random, 0, 2*mean)), c.operate)
}

func (c *client) operate() {
	c.idle = c.world.resting && !c.busy
	if c.idle {
		return
	}
	c.reseed()
	c.later()
	if c.busy || c.world.resting {
		return
	}
	if c.random.IntN(20) == 0 {
		c.turn()
	}
	c.busy = true
	c.do(c.draw(), func(o *operation) {
		c.busy = false
		if o.err != nil && o.err != errSkipped || o.undecided {
			c.turn()
		}
	})
}

// turn chooses another member.
func (c *client) turn() { c.target = c.world.members[c.random.IntN(len(c.world.members))] }

// do carries out one operation and judges what came of it.
func (c *client) do(request proto.Message, done func(*operation)) {
	w := c.world
	name := Op{c.number, int(c.slot)}
	if only := w.options.Only; only != nil && !slices.Contains(only, name) {
		w.after(2*time.Millisecond, func() { done(&operation{err: errSkipped}) })
		return
	}
	w.begun = append(w.begun, name)
	o := &operation{client: c.number, user: c.user, call: w.now, least: w.judge.highest,
		term: w.term, request: request}
	w.operations++
	w.judge.record.calls = append(w.judge.record.calls, o)
	w.countFields(request)
	w.event(eventCall, c.target.number, uint64(c.number), w.operations, func() string {
		return fmt.Sprintf("client %d: %s", c.number, requestText(request))
	})
	ended := false
	end := func() {
		if ended {
			return
		}
		ended = true
		o.finished = w.now
		w.judge.operation(o)
		w.sawOutcome(o)
		w.event(eventReturn, 0, uint64(c.number), outcomeHash(o), func() string {
			return fmt.Sprintf("client %d: %s", c.number, outcomeText(o))
		})
		done(o)
	}
	w.carry(c.target, c.random, func() {
		c.target.serve(c.user, request, func(response proto.Message, err error) {
			w.carryBack(c.target, c.random, func() {
				if !ended {
					o.response, o.err = response, err
					end()
				}
			})
		})
	}, func(err error) { o.err = err; end() })
	w.after(c.patience, func() {
		o.undecided = !ended
		end()
	})
}

// carry takes a request to a member; refused is called where nobody listens there.
func (w *world) carry(m *member, random *rand.Rand, arrive func(), refused func(error)) {
	if w.fates.clientCut[m.number] > 0 {
		return
	}
	w.after(w.clientDelay(random), func() {
		switch {
		case m.up():
			arrive()
		case refused != nil:
			w.after(time.Millisecond, func() { refused(errRefused) })
		}
	})
}

// carryBack takes an answer to a client.
func (w *world) carryBack(m *member, random *rand.Rand, arrive func()) {
	if w.fates.clientCut[m.number] > 0 || w.fates.clientMute[m.number] > 0 {
		return
	}
	w.after(w.clientDelay(random), arrive)
}

// unsettled says what the client still waits for; revision is where the members are.
func (c *client) unsettled(revision int64) string {
	if !c.idle {
		return fmt.Sprintf("client %d is not done", c.number)
	}
	if c.watcher == nil {
		return ""
	}
	if missed := c.watcher.waitsFor(revision); missed != 0 {
		return fmt.Sprintf("the watch of client %d has not been told of revision %d",
			c.number, missed)
	}
	return ""
}

type clientError string

func (e clientError) Error() string { return string(e) }

const (
	errRefused = clientError("connection refused")
	errSkipped = clientError("left out")
)

func outcomeHash(o *operation) uint64 {
	switch {
	case o.undecided:
		return 1
	case o.err != nil:
		return 2
	}
	return uint64(revisionOf(o.response)) << 2
}

func outcomeText(o *operation) string {
	switch {
	case o.undecided:
		return "no answer"
	case o.err != nil:
		return o.err.Error()
	}
	return fmt.Sprintf("done at revision %d", revisionOf(o.response))
}

// revisionOf returns the revision in the header of a response.
func revisionOf(response proto.Message) int64 {
	if r, ok := response.(interface{ GetHeader() *pb.ResponseHeader }); ok {
		return r.GetHeader().GetRevision()
	}
	return 0
}
