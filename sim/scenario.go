package sim

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"detcd/faults"
)

// A Scenario is a run that is worth keeping, as a few lines of text: a story in comments, the
// options that differ from the defaults, the plan. One without a seed is part of a run: what it
// does not say is to be drawn from the seed that it is run with.
//
//	# A follower loses its disk and is refused.
//	seed 17
//	duration 12s
//	clients 2
//	1.2s for 3s wipe members=2
type Scenario struct {
	Story    []string // lines, without the #
	Guard    string   // the rule without which it is red; sim/guards takes it away
	Options  Options
	Seedless bool // no seed was named
}

// String writes the scenario as ParseScenario reads it.
func (s Scenario) String() string {
	var b strings.Builder
	for _, line := range s.Story {
		b.WriteString(strings.TrimRight("# "+line, " ") + "\n")
	}
	if s.Guard != "" {
		fmt.Fprintf(&b, "guard %s\n", s.Guard)
	}
	o := s.Options
	if !s.Seedless {
		fmt.Fprintf(&b, "seed %d\n", o.Seed)
	}
	number := func(name string, n int) {
		if n != 0 {
			fmt.Fprintf(&b, "%s %d\n", name, n)
		}
	}
	number("members", o.Members)
	number("clients", o.Clients)
	number("rate", o.Rate)
	switch {
	case o.World == (Surroundings{}):
	case o.World != PlainSurroundings():
		fmt.Fprintf(&b, "world %v\n", o.World)
	case s.Seedless: // else it is the default
		b.WriteString("world plain\n")
	}
	if o.Duration != 0 {
		fmt.Fprintf(&b, "duration %v\n", o.Duration)
	}
	if o.Bug != "" {
		fmt.Fprintf(&b, "bug %s\n", o.Bug)
	}
	if o.Unbudgeted {
		b.WriteString("unbudgeted\n")
	}
	if o.Users {
		b.WriteString("users\n")
	}
	if o.NoPreVote {
		b.WriteString("no-pre-vote\n")
	}
	if o.Only != nil {
		b.WriteString(strings.TrimRight("only "+opList(o.Only), " ") + "\n")
	}
	b.WriteString(o.Plan.String())
	return b.String()
}

// Complete returns the run that a scenario says, and where it has no seed, and says nothing of
// something, what was drawn.
func (s Scenario) Complete(drawn Options) Options {
	o := s.Options
	o.Plan, o.Only = slices.Clone(o.Plan), slices.Clone(o.Only)
	if !s.Seedless {
		return o
	}
	o.Seed = drawn.Seed
	o.Members = cmp.Or(o.Members, drawn.Members)
	o.Clients = cmp.Or(o.Clients, drawn.Clients)
	o.Rate = cmp.Or(o.Rate, drawn.Rate)
	o.Duration = cmp.Or(o.Duration, drawn.Duration)
	o.World = cmp.Or(o.World, drawn.World)
	o.Bug = cmp.Or(o.Bug, drawn.Bug)
	o.Users, o.NoPreVote = o.Users || drawn.Users, o.NoPreVote || drawn.NoPreVote
	o.Unbudgeted = o.Unbudgeted || drawn.Unbudgeted
	return o
}

// Op names an operation of a client: the first operation of client 2 is 2.1.
type Op struct{ Client, Number int }

func opList(ops []Op) string {
	var words []string
	for _, op := range ops {
		words = append(words, fmt.Sprintf("%d.%d", op.Client, op.Number))
	}
	return strings.Join(words, " ")
}

// ParseScenario reads what String wrote. An error names the line. Whether the plan fits the
// options, Check says: they may come from elsewhere too.
func ParseScenario(text string) (Scenario, error) {
	var s Scenario
	given := map[string]bool{}
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if comment, ok := strings.CutPrefix(line, "#"); ok {
			s.Story = append(s.Story, strings.TrimPrefix(comment, " "))
			continue
		}
		if line == "" {
			continue
		}
		if name, ok := strings.CutPrefix(line, "guard "); ok {
			s.Guard = strings.TrimSpace(name)
			continue
		}
		if err := s.Options.read(line, given); err != nil {
			return Scenario{}, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	s.Options.Plan.Sort()
	s.Seedless = !given["seed"]
	return s, nil
}

// read takes one line: an option, each of which is given once, or a fault.
func (o *Options) read(line string, given map[string]bool) error {
	name, value, _ := strings.Cut(line, " ")
	err := o.set(name, strings.TrimSpace(value))
	if errors.Is(err, errNoOption) {
		fault, err := faults.ParseFault(line)
		o.Plan = append(o.Plan, fault)
		return err
	}
	if err == nil && given[name] {
		err = fmt.Errorf("%s is said twice", name)
	}
	given[name] = true
	if err != nil {
		return err
	}
	return o.checkSettings()
}

// errNoOption says that a line is none that sets an option.
var errNoOption = errors.New("no option")

func (o *Options) set(name, value string) (err error) {
	switch name {
	case "seed":
		o.Seed, err = strconv.ParseUint(value, 10, 64)
	case "members":
		o.Members, err = number(value)
	case "clients":
		o.Clients, err = number(value)
	case "rate":
		o.Rate, err = number(value)
	case "world":
		o.World, err = ParseSurroundings(value)
	case "duration":
		o.Duration, err = duration(value)
	case "bug":
		o.Bug, err = ParseBug(value)
	case "unbudgeted":
		o.Unbudgeted, err = true, nothing(value)
	case "users":
		o.Users, err = true, nothing(value)
	case "no-pre-vote":
		o.NoPreVote, err = true, nothing(value)
	case "only":
		o.Only, err = parseOps(value)
	default:
		err = errNoOption
	}
	return err
}

// duration reads a length that is more than nothing: an option of nothing would be its default.
func duration(value string) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if err == nil && d <= 0 {
		err = fmt.Errorf("%v: want more than 0", d)
	}
	return d, err
}

// nothing refuses a value where none is read.
func nothing(value string) error {
	if value != "" {
		return fmt.Errorf("%q: there is nothing to say more", value)
	}
	return nil
}

// number reads a number that is at least 1: Check bounds it.
func number(value string) (int, error) {
	n, err := strconv.Atoi(value)
	if err == nil && n < 1 {
		err = fmt.Errorf("%d: want at least 1", n)
	}
	return n, err
}

func parseOps(value string) ([]Op, error) {
	ops := []Op{}
	for word := range strings.FieldsSeq(value) {
		client, number, _ := strings.Cut(word, ".")
		a, errA := strconv.Atoi(client)
		b, errB := strconv.Atoi(number)
		if errA != nil || errB != nil || a < 1 || b < 1 {
			return nil, fmt.Errorf("%q: want an operation of a client, as in 2.1", word)
		}
		ops = append(ops, Op{a, b})
	}
	return ops, nil
}

// A Bug is a mistake that can be planted, to see it found. All of them are in the driver, so no
// program that serves clients contains one.
type Bug string

// The bugs.
const (
	AckBeforeSync Bug = "ack-before-sync" // a write is called done before it is on the disk
	VolatileVote  Bug = "volatile-vote"   // a term and a vote are called durable and are not
	DeposedRead   Bug = "deposed-read"    // a member that believes to lead reads without asking
	UndyingLease  Bug = "undying-lease"   // a leader lets leases live whose time is over
)

// Bugs returns all bugs.
func Bugs() []Bug { return []Bug{AckBeforeSync, VolatileVote, DeposedRead, UndyingLease} }

// ParseBug finds a bug by its name.
func ParseBug(name string) (Bug, error) {
	if slices.Contains(Bugs(), Bug(name)) {
		return Bug(name), nil
	}
	return "", fmt.Errorf("%q is no bug that can be planted; there are %v", name, Bugs())
}
