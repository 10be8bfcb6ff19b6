package sim

import (
	"slices"
	"time"

	"detcd/faults"
)

func (f *fates) network(fault faults.Fault) bool {
	n := &f.world.network
	amount, ms := fault.Amount, time.Duration(fault.Amount)*time.Millisecond
	switch fault.Kind {
	case faults.Loss:
		return f.setting(fault, &n.loss, amount)
	case faults.Duplicate:
		return f.setting(fault, &n.duplicate, amount)
	case faults.Corrupt:
		return f.setting(fault, &n.corrupt, amount)
	case faults.Bandwidth:
		return f.setting(fault, &n.bandwidth, amount*1000)
	case faults.Reorder:
		n.reorder = ms
		return f.lasting(fault, func() { n.reorder = 0 })
	case faults.Delay:
		n.delay = ms
		return f.lasting(fault, func() { n.delay = 0 })
	case faults.DelayTail:
		n.tail = ms
		return f.lasting(fault, func() { n.tail = 0 })
	case faults.ClientCut, faults.ClientMute:
		return f.clients(fault)
	case faults.ClogLink, faults.ClogMember, faults.Swizzle, faults.SlowLink, faults.Flap:
		return f.links(fault)
	}
	return f.partition(fault)
}

func (f *fates) setting(fault faults.Fault, value *int64, to int64) bool {
	*value = to
	return f.lasting(fault, func() { *value = 0 })
}

func (f *fates) clients(fault faults.Fault) bool {
	m := f.one(fault, present)
	if m == nil {
		return false
	}
	counts := f.clientCut
	if fault.Kind == faults.ClientMute {
		counts = f.clientMute
	}
	counts[m.number]++
	return f.lasting(fault, func() { counts[m.number]-- })
}

// partition blocks links until the fault is over.
func (f *fates) partition(fault faults.Fault) bool {
	pairs := f.pairs(fault)
	n := &f.world.network
	for _, pair := range pairs {
		n.link(pair[0], pair[1]).blocked++
	}
	f.lasting(fault, func() {
		for _, pair := range pairs {
			n.link(pair[0], pair[1]).blocked--
		}
	})
	return len(pairs) > 0
}

// pairs returns the directions that a partition blocks.
func (f *fates) pairs(fault faults.Fault) (pairs [][2]int) {
	all := f.others(nil)
	block := func(from, to []*member, both bool) {
		for _, a := range from {
			for _, b := range to {
				if a == b {
					continue
				}
				pairs = append(pairs, [2]int{a.number, b.number})
				if both {
					pairs = append(pairs, [2]int{b.number, a.number})
				}
			}
		}
	}
	if len(all) < 2 {
		return nil
	}
	left, right := f.sides(fault, all)
	switch fault.Kind {
	case faults.Split:
		block(left, right, true)
	case faults.SplitOneWay:
		block(left, right, false)
	case faults.Isolate, faults.IsolateInbound, faults.IsolateOutbound, faults.IsolateLeader:
		m := f.world.leader()
		if fault.Kind != faults.IsolateLeader {
			m = f.one(fault, present)
		}
		if m == nil {
			return nil
		}
		if fault.Kind != faults.IsolateInbound {
			block([]*member{m}, f.others(m), false)
		}
		if fault.Kind != faults.IsolateOutbound {
			block(f.others(m), []*member{m}, false)
		}
	case faults.Bridge:
		all = f.namedFirst(fault, all)
		rest := all[1:]
		block(rest[:len(rest)/2], rest[len(rest)/2:], true)
	case faults.Ring:
		all = f.namedFirst(fault, all)
		for i, a := range all {
			for j := i + 2; j < len(all); j++ {
				if i != 0 || j != len(all)-1 {
					block([]*member{a}, all[j:j+1], true)
				}
			}
		}
		if len(all) == 3 {
			block(all[:1], all[2:], true)
		}
	}
	return pairs
}

// namedFirst returns all members, those that the fault names before the others, in its order.
func (f *fates) namedFirst(fault faults.Fault, all []*member) []*member {
	if len(fault.Members) == 0 {
		return all
	}
	order := f.chosen(fault, present)
	for _, m := range all {
		if !slices.Contains(order, m) {
			order = append(order, m)
		}
	}
	return order
}

// sides returns the two sides of a split: those that the fault names, or all in two parts.
func (f *fates) sides(fault faults.Fault, all []*member) (left, right []*member) {
	if len(fault.Members) == 0 {
		cut := 1 + f.world.faultRandom.IntN(len(all)-1)
		return all[:cut], all[cut:]
	}
	left = f.chosen(fault, present)
	peers := fault
	peers.Members = fault.Peers
	if len(peers.Members) > 0 {
		return left, f.chosen(peers, present)
	}
	for _, m := range all {
		named := false
		for _, l := range left {
			named = named || l == m
		}
		if !named {
			right = append(right, m)
		}
	}
	return left, right
}

func (f *fates) links(fault faults.Fault) bool {
	m := f.one(fault, present)
	if m == nil {
		return false
	}
	switch fault.Kind {
	case faults.ClogMember:
		return f.clog(fault, f.linksOf(m))
	case faults.Swizzle:
		return f.swizzle(fault)
	case faults.Flap:
		f.flap(fault, f.linksOf(m), f.world.now+int64(fault.For))
		return true
	}
	others := f.others(m)
	if len(fault.Members) == 2 { // both ends are named
		others = f.chosen(fault, present)[1:]
	}
	if len(others) == 0 {
		return false
	}
	l := f.world.network.link(m.number, others[0].number)
	if fault.Kind == faults.ClogLink {
		return f.clog(fault, []*link{l})
	}
	l.slow = time.Duration(fault.Amount) * time.Millisecond
	return f.lasting(fault, func() { l.slow = 0 })
}

func (f *fates) linksOf(m *member) (list []*link) {
	for _, other := range f.others(m) {
		list = append(list, f.world.network.link(m.number, other.number),
			f.world.network.link(other.number, m.number))
	}
	return list
}

func (f *fates) clog(fault faults.Fault, links []*link) bool {
	for _, l := range links {
		l.clogged++
	}
	return f.lasting(fault, func() {
		for _, l := range links {
			if l.clogged--; l.clogged == 0 {
				f.world.network.release(l)
			}
		}
	})
}

// swizzle clogs members one by one and unclogs them in another order, which FoundationDB's testers
// found to be the best of all finders of bugs.
func (f *fates) swizzle(fault faults.Fault) bool {
	w := f.world
	for _, m := range f.others(nil) {
		begin := between(w.faultRandom, 0, fault.For/2)
		part := fault
		part.For = between(w.faultRandom, fault.For/4, fault.For/2)
		links := f.linksOf(m)
		w.after(begin, func() {
			if !w.healed {
				f.clog(part, links)
			}
		})
	}
	return true
}

// flap blocks and frees links in turn.
func (f *fates) flap(fault faults.Fault, links []*link, until int64) {
	w := f.world
	if w.healed || w.now >= until {
		return
	}
	part := fault
	part.For = time.Duration(fault.Amount) * time.Millisecond
	for _, l := range links {
		l.blocked++
	}
	f.lasting(part, func() {
		for _, l := range links {
			l.blocked--
		}
	})
	w.after(2*part.For, func() { f.flap(fault, links, until) })
}
