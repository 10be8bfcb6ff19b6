package explore

import (
	"slices"
)

// A cluster is one state of everything: the members, what is on the way between them, what clients
// wait for and were told, and what must stay true from now on. It is never changed.
type cluster struct {
	members []localID
	flying  []packetID // on the way: by link, the oldest first
	open    []open     // operations that were not answered
	told    int        // the most commands that a client was told are applied
	history history
	used    [budgets]uint8
}

// An open operation is one that a client waits for.
type open struct {
	number byte
	member int
	read   bool
	floor  int // what clients had been told when it began
}

// A budget bounds how often something that costs nothing else is done in one run.
type budget int

const (
	budgetCrashes budget = iota
	budgetDuplicates
	budgetSlowWrites
	budgetProposals
	budgetReads
	budgetBeats
	budgets
)

// history is what has happened once and for all.
type history struct {
	leaders []uint8 // by term: who led in it, from 1; 0: nobody
	log     localID // a state whose log begins with what is committed
	terms   []uint8 // of what is committed: in which term it was
	journal string  // the commands of the member that has applied the most
}

// A choice is one of the things that may happen next: an input of one member.
type choice struct {
	member    int
	in        input
	place     int  // of the packet in flying, where one is delivered
	duplicate bool // it stays on the way
}

// explorer searches. Many fields: it is the root of one exploration.
type explorer struct {
	options Options
	space   *space
	choices []choice // scratch
}

func (x *explorer) root() *cluster {
	return &cluster{members: x.space.roots()}
}

// next lists what may happen, always in the same order.
func (x *explorer) next(c *cluster) []choice {
	list := x.choices[:0]
	for place, id := range c.flying {
		if place > 0 && slices.Contains(c.flying[:place], id) {
			continue
		}
		one := choice{member: x.space.packets[id].to, in: input{kind: inputDeliver, arg: int32(id)},
			place: place}
		list = x.deliver(c, one, list)
		if l := &x.space.locals[c.members[one.member]]; l.leased && x.space.packets[id].vote {
			one.in.kind = inputLate
			list = x.deliver(c, one, list)
		}
	}
	for number, id := range c.members {
		l := &x.space.locals[id]
		add := func(kind inputKind, arg int) {
			list = append(list, choice{member: number, in: input{kind: kind, arg: int32(arg)}})
		}
		if l.leading && x.left(c, budgetBeats) {
			add(inputBeat, 0)
		}
		if !l.leading && int(l.term) < x.options.Terms {
			add(inputTimeout, 0)
		}
		operation := 1 + int(c.used[budgetProposals]+c.used[budgetReads])
		if l.leader && x.left(c, budgetProposals) {
			add(inputPropose, operation)
		}
		if l.leader && x.left(c, budgetReads) {
			add(inputRead, operation)
		}
		if l.writing {
			add(inputWritten, 0)
		}
		if x.left(c, budgetCrashes) {
			add(inputCrash, 0)
			if l.writing {
				add(inputCrashKept, 0)
			}
		}
	}
	x.choices = x.slow(c, list)
	return x.choices
}

// deliver adds that a message arrives, perhaps for the first of two times.
func (x *explorer) deliver(c *cluster, one choice, list []choice) []choice {
	list = append(list, one)
	if one.duplicate = true; x.left(c, budgetDuplicates) {
		list = append(list, one)
	}
	return list
}

// slow adds, for what leads to a write, that the disk is slow at it.
func (x *explorer) slow(c *cluster, list []choice) []choice {
	if !x.left(c, budgetSlowWrites) {
		return list
	}
	for _, one := range list {
		l := &x.space.locals[c.members[one.member]]
		if l.writing || one.in.kind >= inputWritten {
			continue
		}
		if x.space.take(c.members[one.member], one.in).wrote {
			one.in.slow = true
			list = append(list, one)
		}
	}
	return list
}

func (x *explorer) left(c *cluster, b budget) bool {
	return int(c.used[b]) < x.options.limit(b)
}

// after returns the state that a choice leads to, and what it broke; empty: nothing.
func (x *explorer) after(c *cluster, by choice) (next *cluster, broken string) {
	out := x.space.take(c.members[by.member], by.in)
	if out.broken != "" {
		return c, out.broken
	}
	next = &cluster{members: slices.Clone(c.members), open: c.open, told: c.told,
		history: c.history, used: c.used}
	next.members[by.member] = out.to
	next.spend(by)
	next.flying = x.fresh(next, by.member, x.send(c, by, out.sent))
	if by.in.kind == inputPropose || by.in.kind == inputRead {
		next.open = append(slices.Clone(c.open), open{byte(by.in.arg), by.member,
			by.in.kind == inputRead, c.told})
	}
	if by.in.kind == inputCrash || by.in.kind == inputCrashKept {
		next.open = slices.DeleteFunc(slices.Clone(c.open),
			func(o open) bool { return o.member == by.member })
	}
	broken = next.answer(out.answers)
	if broken == "" {
		broken = x.judge(next, by.member)
	}
	return next, broken
}

func (c *cluster) spend(by choice) {
	if by.duplicate {
		c.used[budgetDuplicates]++
	}
	if by.in.slow {
		c.used[budgetSlowWrites]++
	}
	switch by.in.kind {
	case inputBeat:
		c.used[budgetBeats]++
	case inputPropose:
		c.used[budgetProposals]++
	case inputRead:
		c.used[budgetReads]++
	case inputCrash, inputCrashKept:
		c.used[budgetCrashes]++
	}
}

// send returns what is on the way after a choice. Where links keep their order, what is delivered
// takes with it what was sent before it on the same link: that is lost. A link that is full loses
// the oldest.
func (x *explorer) send(c *cluster, by choice, sent []packetID) []packetID {
	flying := make([]packetID, 0, len(c.flying)+len(sent))
	for place, id := range c.flying {
		if by.in.kind.delivers() && !by.duplicate && (place == by.place ||
			x.options.Ordered && place < by.place && x.link(id) == x.link(packetID(by.in.arg))) {
			continue
		}
		flying = append(flying, id)
	}
	for _, id := range sent {
		link := x.link(id)
		first := slices.IndexFunc(flying, func(other packetID) bool { return x.link(other) >= link })
		if first < 0 {
			first = len(flying)
		}
		end := first
		for end < len(flying) && x.link(flying[end]) == link {
			end++
		}
		if end-first >= x.options.InFlight {
			flying = slices.Delete(flying, first, first+1)
			end--
		}
		flying = slices.Insert(flying, end, id)
	}
	return flying
}

// fresh leaves out what a member that has moved on takes no notice of any more: messages of a term
// that lies behind it, which change nothing here. Terms do not go back, but where a crash loses
// one that was not on the disk yet.
func (x *explorer) fresh(c *cluster, number int, flying []packetID) []packetID {
	id := c.members[number]
	l := &x.space.locals[id]
	if l.writing {
		return flying
	}
	return slices.DeleteFunc(flying, func(p packetID) bool {
		of := &x.space.packets[p]
		if of.to != number || of.term == 0 || of.term >= x.space.locals[id].term {
			return false
		}
		out := x.space.take(id, input{kind: inputDeliver, arg: int32(p)})
		return out.to == id && len(out.sent) == 0 && out.broken == ""
	})
}

// link numbers the link that a packet travels along.
func (x *explorer) link(id packetID) int {
	p := &x.space.packets[id]
	return p.from*x.options.Members + p.to
}

// digest returns a hash of the state that is the same however the members are numbered.
func (x *explorer) digest(c *cluster) sum {
	least := x.digestAs(c, -1)
	for by := range x.space.renaming {
		least = min(least, x.digestAs(c, by))
	}
	return least
}

// digestAs returns the hash of the state under other numbers; by -1: under these.
func (x *explorer) digestAs(c *cluster, by int) sum {
	var s sum
	at := func(number int) int { return number }
	local := func(id localID) localID { return id }
	if by >= 0 {
		at = func(number int) int { return x.space.renaming[by][number] }
		local = func(id localID) localID { return x.space.rename(id, by) }
	}
	var members [membersMax]localID
	for number, id := range c.members {
		members[at(number)] = local(id)
	}
	for _, id := range members[:len(c.members)] {
		s.mix(uint64(id))
	}
	x.mixFlying(&s, c, by)
	for _, o := range c.open {
		s.mix(uint64(o.number)<<32 | uint64(at(o.member))<<16 | uint64(o.floor)<<1)
	}
	s.mix(uint64(c.told))
	for _, number := range c.history.leaders {
		if number > 0 {
			number = uint8(at(int(number)-1) + 1)
		}
		s.mix(uint64(number))
	}
	if c.history.log != 0 {
		s.mix(uint64(x.space.locals[local(c.history.log)].prefix[len(c.history.terms)]))
	}
	s.text(string(c.history.terms))
	s.text(c.history.journal)
	for _, n := range c.used {
		s.mix(uint64(n))
	}
	return s
}

// mixFlying adds what is on the way. Where links keep no order it is a bag.
func (x *explorer) mixFlying(s *sum, c *cluster, by int) {
	var bag uint64
	link, place := -1, uint64(0)
	for _, id := range c.flying {
		if at := x.link(id); at != link {
			link, place = at, 0
		} else if x.options.Ordered {
			place++
		}
		if by >= 0 {
			id = x.space.renamePacket(id, by)
		}
		one := sum(place)
		one.mix(uint64(id))
		bag += uint64(one)
	}
	s.mix(bag)
}

// membersMax bounds the members of an exploration: their permutations are all looked at.
const membersMax = 5
