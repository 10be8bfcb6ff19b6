package explore

import "fmt"

// answer takes what clients are told, and returns what is wrong with it. A client that asks is told
// at least what any client was told before it asked; and a command comes behind them.
func (c *cluster) answer(answers []answer) string {
	for _, a := range answers {
		for i, o := range c.open {
			if o.number != a.operation {
				continue
			}
			c.open = append(append([]open(nil), c.open[:i]...), c.open[i+1:]...)
			switch {
			case a.failed:
			case o.read && a.count < o.floor:
				return fmt.Sprintf("a read at m%d sees %d commands, and began after a client was told "+
					"of %d", o.member+1, a.count, o.floor)
			case !o.read && a.count <= o.floor:
				return fmt.Sprintf("a command is in place %d, and was proposed after a client was told "+
					"of %d", a.count, o.floor)
			default:
				c.told = max(c.told, a.count)
			}
			break
		}
	}
	return ""
}

// judge looks at the state after a step of one member, and returns what is wrong with it.
func (x *explorer) judge(c *cluster, number int) string {
	l := &x.space.locals[c.members[number]]
	if l.leading {
		if broken := x.leads(c, number); broken != "" {
			return broken
		}
	}
	if broken := x.matches(c, number); broken != "" {
		return broken
	}
	if broken := x.applies(c, number); broken != "" {
		return broken
	}
	return x.kept(c)
}

// leads: at most one member leads in a term, ever; and who leads has what was committed in the
// terms before.
func (x *explorer) leads(c *cluster, number int) string {
	l := &x.space.locals[c.members[number]]
	h := &c.history
	for len(h.leaders) <= int(l.term) {
		h.leaders = append(h.leaders[:len(h.leaders):len(h.leaders)], 0)
	}
	switch h.leaders[l.term] {
	case uint8(number + 1):
		return ""
	case 0:
		h.leaders = append([]uint8(nil), h.leaders...)
		h.leaders[l.term] = uint8(number + 1)
	default:
		return fmt.Sprintf("m%d and m%d both lead in term %d", h.leaders[l.term], number+1, l.term)
	}
	for i, term := range h.terms {
		committed := x.space.locals[h.log].entries[i]
		if int(term) < int(l.term) && (i >= len(l.entries) || l.entries[i] != committed) {
			return fmt.Sprintf("m%d leads in term %d without entry %d of term %d, which was committed "+
				"in term %d", number+1, l.term, i+firstIndex, committed.term, term)
		}
	}
	return ""
}

// firstIndex is that of the first entry of a log: the members begin as if one had been applied.
const firstIndex = 2

// matches: two logs that have an entry of one term at one place are the same up to there.
func (x *explorer) matches(c *cluster, number int) string {
	a := &x.space.locals[c.members[number]]
	for other, id := range c.members {
		b := &x.space.locals[id]
		for i := min(len(a.entries), len(b.entries)) - 1; i >= 0; i-- {
			if a.entries[i].term != b.entries[i].term {
				continue
			}
			if a.prefix[i+1] != b.prefix[i+1] {
				return fmt.Sprintf("m%d and m%d have different logs up to entry %d, which has term %d in "+
					"both", number+1, other+1, i+firstIndex, a.entries[i].term)
			}
			break
		}
	}
	return ""
}

// applies: no two members apply different entries at one place, or make different lists of them.
func (x *explorer) applies(c *cluster, number int) string {
	l := &x.space.locals[c.members[number]]
	h := &c.history
	both := min(l.applied, len(h.terms))
	if both > 0 && l.prefix[both] != x.space.locals[h.log].prefix[both] {
		i := 0
		for l.prefix[i+1] == x.space.locals[h.log].prefix[i+1] {
			i++
		}
		return fmt.Sprintf("m%d applies entry %d of term %d, where another member applied one of term %d",
			number+1, i+firstIndex, l.entries[i].term, x.space.locals[h.log].entries[i].term)
	}
	if l.applied > len(h.terms) {
		h.terms = append([]uint8(nil), h.terms...)
		for len(h.terms) < l.applied {
			h.terms = append(h.terms, uint8(l.term))
		}
		h.log = c.members[number]
	}
	same := min(len(l.journal), len(h.journal))
	if l.journal[:same] != h.journal[:same] {
		return fmt.Sprintf("m%d applied the commands %v, and another member %v", number+1,
			[]byte(l.journal), []byte(h.journal))
	}
	if len(l.journal) > len(h.journal) {
		h.journal = l.journal
	}
	return ""
}

// kept: what is committed is on the disks of a majority, at any time.
func (x *explorer) kept(c *cluster) string {
	for i := range c.history.terms {
		want, have := x.space.locals[c.history.log].prefix[i+1], 0
		for _, id := range c.members {
			if l := &x.space.locals[id]; len(l.entries) > i && l.prefix[i+1] == want {
				have++
			}
		}
		if have <= len(c.members)/2 {
			return fmt.Sprintf("entry %d of term %d is committed, and on the disks of %d of %d members",
				i+firstIndex, x.space.locals[c.history.log].entries[i].term, have, len(c.members))
		}
	}
	return ""
}
