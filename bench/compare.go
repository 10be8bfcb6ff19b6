package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A System is something that can be measured: it starts a new, empty cluster for every run.
type System struct {
	Name  string
	Start func(ctx context.Context, members int, distance Distance) (Running, error)
}

// A Distance is what lies between the members of a cluster. The zero value is nothing.
type Distance struct {
	OneWay time.Duration // that a byte takes from one to another
	Rate   int64         // bytes a second in each direction between two; 0: no limit
}

// Running is a cluster that serves.
type Running struct {
	Endpoints []string
	PIDs      []int
	Members   []Member
	Stop      func() error
}

// A Member is one process of a cluster, which a measurement may stop and start again.
type Member interface {
	Endpoint() string
	PID() int
	DataDir() string
	Start() error                   // returns before the member serves
	Stop(grace time.Duration) error // returns when the process is gone
}

// Comparing says how two systems are compared.
type Comparing struct {
	Peer, Candidate System
	Cases           []Case
	Rounds          int           // 3
	Duration        time.Duration // of every measurement; 5 s
	Limit           time.Duration // a round that would probably end later is not begun; 0: no limit
	Transport       Transport
	// Begin is called before each run, Progress during it; both may be nil.
	Begin    func(step, steps int, what string)
	Progress func(Progress)
}

// A Comparison is what came out, case by case.
type Comparison struct {
	Peer      string       `json:"peer"`
	Candidate string       `json:"candidate"`
	Machine   Machine      `json:"machine"`
	Rounds    int          `json:"rounds"`
	Seconds   float64      `json:"seconds"` // that all of it took
	Cases     []CaseResult `json:"cases"`
	Failures  []string     `json:"failures,omitempty"` // measurements that ended with an error
}

// CaseResult holds the reports of both systems, one a round.
type CaseResult struct {
	Case      Case      `json:"-"`
	Ratios    []Ratio   `json:"ratios"`
	Name      string    `json:"name"`
	What      string    `json:"what"`
	Members   int       `json:"members"`
	Axis      string    `json:"axis,omitempty"`
	X         float64   `json:"x,omitempty"`
	Peer      []*Report `json:"peer"`
	Candidate []*Report `json:"candidate"`
}

// normalize fills in the defaults.
func (c *Comparing) normalize() {
	if c.Rounds < 1 {
		c.Rounds = 3
	}
	if c.Duration <= 0 {
		c.Duration = 5 * time.Second
	}
}

// inRound returns the cases that are measured in a round, from 0.
func (c *Comparing) inRound(round int) []int {
	var all []int
	for i := range c.Cases {
		if round == 0 || !c.Cases[i].Once {
			all = append(all, i)
		}
	}
	return all
}

// RoundTakes estimates the time of a round, from 0.
func (c *Comparing) RoundTakes(round int) time.Duration {
	var sum time.Duration
	for _, i := range c.inRound(round) {
		sum += 2 * c.Cases[i].takes(c.Duration)
	}
	return sum
}

// Takes estimates the time of the whole comparison.
func (c *Comparing) Takes() time.Duration {
	c.normalize()
	var sum time.Duration
	for round := range c.Rounds {
		sum += c.RoundTakes(round)
	}
	return sum
}

// Compare measures both systems under every case, in turn, so many rounds; the one that comes first
// changes with each round. A measurement that fails is among the Failures, and its pair does not
// count. It ends with an error when a cluster does not start or ctx is over; what was measured
// until then is returned too.
func Compare(ctx context.Context, c Comparing) (*Comparison, error) {
	c.normalize()
	result := &Comparison{Peer: c.Peer.Name, Candidate: c.Candidate.Name, Machine: ThisMachine()}
	for _, one := range c.Cases {
		result.Cases = append(result.Cases, CaseResult{
			Case: one, Name: one.Name, What: one.What, Members: one.Members,
			Axis: one.Axis, X: one.X,
		})
	}
	begin, steps := time.Now(), 0
	for round := range c.Rounds {
		steps += 2 * len(c.inRound(round))
	}
	step := 0
	for round := range c.Rounds {
		if c.Limit > 0 && round > 0 && time.Since(begin)+c.RoundTakes(round) > c.Limit {
			break
		}
		for _, i := range c.inRound(round) {
			if err := c.pair(ctx, result, i, round, step, steps); err != nil {
				return result, err
			}
			step += 2
		}
		result.Rounds = round + 1
	}
	result.Seconds = time.Since(begin).Seconds()
	return result, nil
}

// pair measures both systems under one case and works out the ratios so far.
func (c *Comparing) pair(
	ctx context.Context, result *Comparison, number, round, step, steps int,
) error {
	into := &result.Cases[number]
	var reports [2]*Report // of peer and candidate
	for turn := range reports {
		which := (round + turn) % 2
		system := []System{c.Peer, c.Candidate}[which]
		if c.Begin != nil {
			c.Begin(step+turn+1, steps, fmt.Sprintf("round %d, %s %s: %s",
				round+1, into.Name, into.title(), system.Name))
		}
		var err error
		if reports[which], err = c.measure(ctx, system, &into.Case); err == nil {
			continue
		}
		err = fmt.Errorf("%s, %s %s: %w", system.Name, into.Name, into.title(), err)
		if ctx.Err() != nil || errors.Is(err, errStart) {
			return err
		}
		result.Failures = append(result.Failures, fmt.Sprintf("round %d: %v", round+1, err))
	}
	if reports[0] != nil && reports[1] != nil {
		into.Peer, into.Candidate = append(into.Peer, reports[0]), append(into.Candidate, reports[1])
		into.Ratios = into.ratios()
	}
	return nil
}

// errStart says that a cluster did not start.
var errStart = errors.New("bench: no cluster")

// measure runs one case against a new cluster.
func (c *Comparing) measure(ctx context.Context, s System, one *Case) (r *Report, err error) {
	running, err := s.Start(ctx, one.Members, one.Distance)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errStart, err)
	}
	defer func() {
		if stopErr := running.Stop(); err == nil && stopErr != nil {
			r, err = nil, stopErr
		}
	}()
	load := one.Load
	load.Endpoints, load.PIDs = running.Endpoints, running.PIDs
	load.Transport, load.Progress = c.Transport, c.Progress
	if load.Total == 0 {
		load.Duration = c.Duration
	}
	var report *Report
	if one.Measure != nil {
		report, err = one.Measure(ctx, running, load)
	} else {
		report, err = Run(ctx, load)
	}
	if err != nil {
		return nil, err
	}
	if failed := report.Failed(); failed > 0 {
		return nil, fmt.Errorf("%d operations failed:\n%v", failed, report)
	}
	return report, nil
}
