package sim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"detcd/faults"
)

// A Scenario is a run that is worth keeping, as a few lines of text: a story in comments, the
// options that differ from the defaults, the plan.
//
//	# A follower loses its disk and is refused.
//	seed 17
//	duration 12s
//	clients 2
//	1.2s for 3s wipe members=2
type Scenario struct {
	Story   []string // lines, without the #
	Options Options
}

// String writes the scenario as ParseScenario reads it.
func (s Scenario) String() string {
	var b strings.Builder
	for _, line := range s.Story {
		b.WriteString(strings.TrimRight("# "+line, " ") + "\n")
	}
	o := s.Options
	fmt.Fprintf(&b, "seed %d\n", o.Seed)
	number := func(name string, n int) {
		if n != 0 {
			fmt.Fprintf(&b, "%s %d\n", name, n)
		}
	}
	number("members", o.Members)
	number("clients", o.Clients)
	number("rate", o.Rate)
	if o.World != (Surroundings{}) && o.World != PlainSurroundings() {
		fmt.Fprintf(&b, "world %v\n", o.World)
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

// Op names an operation of a client: the first operation of client 2 is 2.1.
type Op struct{ Client, Number int }

func opList(ops []Op) string {
	var words []string
	for _, op := range ops {
		words = append(words, fmt.Sprintf("%d.%d", op.Client, op.Number))
	}
	return strings.Join(words, " ")
}

// ParseScenario reads what String wrote. An error names the line.
func ParseScenario(text string) (Scenario, error) {
	var s Scenario
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if comment, ok := strings.CutPrefix(line, "#"); ok {
			s.Story = append(s.Story, strings.TrimPrefix(comment, " "))
			continue
		}
		if line == "" {
			continue
		}
		if err := s.Options.set(line); err != nil {
			return Scenario{}, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	s.Options.Plan.Sort()
	return s, nil
}

func (o *Options) set(line string) (err error) {
	name, value, _ := strings.Cut(line, " ")
	switch name {
	case "seed":
		o.Seed, err = strconv.ParseUint(value, 10, 64)
	case "members":
		o.Members, err = small(value, membersMax)
	case "clients":
		o.Clients, err = small(value, clientsMax)
	case "rate":
		o.Rate, err = small(value, rateMax)
	case "world":
		o.World, err = ParseSurroundings(value)
	case "duration":
		o.Duration, err = time.ParseDuration(value)
	case "bug":
		o.Bug, err = ParseBug(value)
	case "unbudgeted":
		o.Unbudgeted = true
	case "users":
		o.Users = true
	case "no-pre-vote":
		o.NoPreVote = true
	case "only":
		o.Only, err = parseOps(value)
	default:
		var fault faults.Fault
		fault, err = faults.ParseFault(line)
		o.Plan = append(o.Plan, fault)
	}
	return err
}

// The bounds of a scenario that is read.
const (
	membersMax = 9
	clientsMax = 99
	rateMax    = 100_000
)

func small(value string, most int) (int, error) {
	n, err := strconv.Atoi(value)
	if err == nil && (n < 1 || n > most) {
		err = fmt.Errorf("%d: want 1 to %d", n, most)
	}
	return n, err
}

func parseOps(value string) ([]Op, error) {
	ops := []Op{}
	for word := range strings.FieldsSeq(value) {
		client, number, _ := strings.Cut(word, ".")
		a, errA := strconv.Atoi(client)
		b, errB := strconv.Atoi(number)
		if errA != nil || errB != nil {
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
