package faults

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fault is one thing that goes wrong, or is done on purpose, in one run.
type Fault struct {
	At      time.Duration // of virtual time, since the start of the run
	For     time.Duration // how long it lasts; 0 for what happens at once
	Kind    Kind
	Members []int // whom it befalls, by number; empty: chosen when it happens, or everyone
	Peers   []int // the other side, of faults between members
	Amount  int64 // how much; the kind says of what
}

// Plan is what goes wrong in one run, in the order of At.
type Plan []Fault

// String writes the fault as Parse reads it, as in "1.5s for 3s isolate members=2".
func (f Fault) String() string {
	var b strings.Builder
	fmt.Fprint(&b, f.At)
	if f.For > 0 {
		fmt.Fprint(&b, " for ", f.For)
	}
	fmt.Fprint(&b, " ", f.Kind)
	list := func(name string, numbers []int) {
		for i, n := range numbers {
			if i == 0 {
				fmt.Fprintf(&b, " %s=%d", name, n)
			} else {
				fmt.Fprintf(&b, ",%d", n)
			}
		}
	}
	list("members", f.Members)
	list("peers", f.Peers)
	if f.Amount != 0 {
		fmt.Fprint(&b, " amount=", f.Amount)
	}
	return b.String()
}

// String writes the plan as Parse reads it, one fault a line.
func (p Plan) String() string {
	var b strings.Builder
	for _, f := range p {
		b.WriteString(f.String())
		b.WriteByte('\n')
	}
	return b.String()
}

// Sort puts the faults in the order in which they happen.
func (p Plan) Sort() {
	slices.SortStableFunc(p, func(a, b Fault) int { return int(a.At - b.At) })
}

// planLinesMax bounds a plan that is read.
const planLinesMax = 100_000

// Parse reads a plan: one fault a line; blank lines and lines that begin with # are passed over. An
// error names the line.
func Parse(text io.Reader) (Plan, error) {
	var plan Plan
	scanner := bufio.NewScanner(text)
	for number := 1; scanner.Scan(); number++ {
		line := strings.TrimSpace(scanner.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fault, err := ParseFault(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		if plan = append(plan, fault); len(plan) > planLinesMax {
			return nil, fmt.Errorf("line %d: more than %d faults", number, planLinesMax)
		}
	}
	if err := scanner.Err(); err != nil {
		return nil, err
	}
	plan.Sort()
	return plan, nil
}

// ParseFault reads one fault, as String writes it, and refuses what Check refuses.
func ParseFault(line string) (Fault, error) {
	var f Fault
	words := strings.Fields(line)
	if len(words) < 2 {
		return f, fmt.Errorf("%q: want a time and a kind of fault", line)
	}
	var err error
	if f.At, err = parseTime(words[0]); err != nil {
		return f, err
	}
	words = words[1:]
	if words[0] == "for" && len(words) > 2 {
		if f.For, err = parseTime(words[1]); err != nil {
			return f, err
		}
		words = words[2:]
	}
	if f.Kind, err = ParseKind(words[0]); err != nil {
		return f, err
	}
	for _, word := range words[1:] {
		if err := f.set(word); err != nil {
			return f, err
		}
	}
	return f, f.Check()
}

func parseTime(word string) (time.Duration, error) {
	d, err := time.ParseDuration(word)
	if err == nil && d < 0 {
		err = fmt.Errorf("%q: a time before the start", word)
	}
	return d, err
}

func (f *Fault) set(word string) (err error) {
	name, value, _ := strings.Cut(word, "=")
	switch name {
	case "members":
		f.Members, err = parseNumbers(value)
	case "peers":
		f.Peers, err = parseNumbers(value)
	case "amount":
		f.Amount, err = strconv.ParseInt(value, 10, 64)
	default:
		err = fmt.Errorf("%q: want members=, peers= or amount=", word)
	}
	return err
}

func parseNumbers(value string) ([]int, error) {
	var list []int
	for part := range strings.SplitSeq(value, ",") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%q: want the numbers of members, as in 1,3", value)
		}
		list = append(list, n)
	}
	return list, nil
}
