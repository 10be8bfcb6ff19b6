package explore

import (
	"fmt"
	"strings"
)

// letters name what happens to a member, in a path: t2 is that the time-out of m2 ends.
const letters = "..tbprwck"

// name writes a choice as paths do: a letter and a member, or 1>2 for the oldest message from m1 to
// m2, 1>2#2 for the one behind it, 1>>2 if it will arrive again, and 1>2! if it comes late, when m2
// has not heard of its leader for an election time-out. A ~ says that the disk is slow.
func (x *explorer) name(c *cluster, by choice) string {
	var text string
	if by.in.kind.delivers() {
		p, place := &x.space.packets[by.in.arg], 1
		for _, before := range c.flying[:by.place] {
			if x.link(before) == x.link(packetID(by.in.arg)) {
				place++
			}
		}
		arrow := ">"
		if by.duplicate {
			arrow = ">>"
		}
		text = fmt.Sprintf("%d%s%d", p.from+1, arrow, p.to+1)
		if place > 1 {
			text += fmt.Sprintf("#%d", place)
		}
	} else {
		text = fmt.Sprintf("%c%d", letters[by.in.kind], by.member+1)
	}
	if by.in.kind == inputLate {
		text += "!"
	}
	if by.in.slow {
		text += "~"
	}
	return text
}

// choose finds the choice of a name.
func (x *explorer) choose(c *cluster, name string) (choice, error) {
	var names []string
	for _, by := range x.next(c) {
		known := x.name(c, by)
		if known == name {
			return by, nil
		}
		names = append(names, known)
	}
	return choice{}, fmt.Errorf("%w: %q cannot be chosen here; these can: %s", errBounds, name,
		strings.Join(names, " "))
}

// begin returns the state behind From.
func (x *explorer) begin() (*cluster, error) {
	c := x.root()
	for _, name := range strings.Fields(x.options.From) {
		by, err := x.choose(c, name)
		if err != nil {
			return nil, err
		}
		next, broken := x.after(c, by)
		if broken != "" {
			return nil, fmt.Errorf("%w: what comes before is broken: %s", errBounds, broken)
		}
		c = next
	}
	return c, nil
}

// path returns the choices that lead to a state, and one behind it.
func (s *search) path(state, last int) string {
	ordinals := []int{last}
	for v := s.visits[state]; v.from >= 0; v = s.visits[v.from] {
		ordinals = append(ordinals, int(v.choice))
	}
	c, err := s.begin()
	if err != nil {
		panic(err)
	}
	names := strings.Fields(s.options.From)
	for i := len(ordinals) - 1; i >= 0; i-- {
		by := s.next(c)[ordinals[i]]
		names = append(names, s.name(c, by))
		c, _ = s.after(c, by)
	}
	return strings.Join(names, " ")
}
