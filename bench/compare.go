package bench

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// A System is something that can be measured: it starts a new, empty cluster for every run.
type System struct {
	Name  string
	Start func(ctx context.Context, members int) (Running, error)
}

// Running is a cluster that serves.
type Running struct {
	Endpoints []string
	PIDs      []int
	Stop      func() error
}

// Comparing says how two systems are compared.
type Comparing struct {
	Peer, Candidate System
	Cases           []Case
	Rounds          int           // 3
	Duration        time.Duration // of every measurement; 5 s
	Transport       Transport
	// Begin is called before each run, Progress during it; both may be nil.
	Begin    func(step, steps int, what string)
	Progress func(Progress)
}

// A Comparison is what came out, case by case.
type Comparison struct {
	Peer      string       `json:"peer"`
	Candidate string       `json:"candidate"`
	Cases     []CaseResult `json:"cases"`
}

// CaseResult holds the reports of both systems, one a round.
type CaseResult struct {
	Case      Case      `json:"-"`
	Name      string    `json:"name"`
	What      string    `json:"what"`
	Members   int       `json:"members"`
	Peer      []*Report `json:"peer"`
	Candidate []*Report `json:"candidate"`
}

// Compare measures both systems under every case, in turn, so many rounds; the one that comes first
// changes with each round. On an error what was measured until then is returned too.
func Compare(ctx context.Context, c Comparing) (*Comparison, error) {
	if c.Rounds < 1 {
		c.Rounds = 3
	}
	if c.Duration <= 0 {
		c.Duration = 5 * time.Second
	}
	result := &Comparison{Peer: c.Peer.Name, Candidate: c.Candidate.Name}
	for _, one := range c.Cases {
		result.Cases = append(result.Cases, CaseResult{
			Case: one, Name: one.Name, What: one.What, Members: one.Members,
		})
	}
	step, steps := 0, 2*c.Rounds*len(c.Cases)
	for round := range c.Rounds {
		for i := range result.Cases {
			for turn := range 2 {
				into := &result.Cases[i]
				system, reports := c.Peer, &into.Peer
				if (round+turn)%2 == 1 {
					system, reports = c.Candidate, &into.Candidate
				}
				step++
				if c.Begin != nil {
					c.Begin(step, steps, fmt.Sprintf("round %d, %s %s, %d members: %s",
						round+1, into.Name, into.What, into.Members, system.Name))
				}
				report, err := c.measure(ctx, system, &into.Case)
				if err != nil {
					return result, fmt.Errorf("%s, %s %s, %d members: %w",
						system.Name, into.Name, into.What, into.Members, err)
				}
				*reports = append(*reports, report)
			}
		}
	}
	return result, nil
}

// measure runs one case against a new cluster.
func (c *Comparing) measure(ctx context.Context, s System, one *Case) (r *Report, err error) {
	running, err := s.Start(ctx, one.Members)
	if err != nil {
		return nil, err
	}
	defer func() {
		if stopErr := running.Stop(); err == nil && stopErr != nil {
			r, err = nil, stopErr
		}
	}()
	load := one.Load
	load.Endpoints, load.PIDs = running.Endpoints, running.PIDs
	load.Duration, load.Transport, load.Progress = c.Duration, c.Transport, c.Progress
	report, err := Run(ctx, load)
	if err != nil {
		return nil, err
	}
	if failed := report.Failed(); failed > 0 {
		return nil, fmt.Errorf("%d operations failed:\n%v", failed, report)
	}
	return report, nil
}

// A Ratio compares one measure of two systems.
type Ratio struct {
	Measure         Measure
	Peer, Candidate float64 // medians over the rounds
	Median          float64 // of the rounds' own ratios, candidate to peer
	Low, High       float64 // the smallest and the largest of them
	Claim           *Claim  // nil when nothing is claimed
}

// Met says whether the ratio keeps the claim.
func (r *Ratio) Met() bool {
	if r.Claim.AtLeast {
		return r.Median >= r.Claim.Bound
	}
	return r.Median <= r.Claim.Bound
}

// Ratios returns a ratio for each measure of a case. The ratio is the median of those of the
// rounds, not the ratio of the medians: the two runs of a round are neighbours, and the machine
// drifts.
func (c *CaseResult) Ratios() []Ratio {
	rounds := min(len(c.Peer), len(c.Candidate))
	if rounds == 0 {
		return nil
	}
	var all []Ratio
	for _, m := range measures() {
		var peer, candidate, ratios []float64
		for i := range rounds {
			peer = append(peer, m.Of(c.Peer[i]))
			candidate = append(candidate, m.Of(c.Candidate[i]))
			ratios = append(ratios, candidate[i]/peer[i])
		}
		ratio := Ratio{
			Measure: m, Peer: median(peer), Candidate: median(candidate), Median: median(ratios),
			Low: slices.Min(ratios), High: slices.Max(ratios),
		}
		for i := range c.Case.Claims {
			if c.Case.Claims[i].Measure == m {
				ratio.Claim = &c.Case.Claims[i]
			}
		}
		all = append(all, ratio)
	}
	return all
}

// Missed returns the number of claims that were measured and not kept.
func (c *Comparison) Missed() int {
	missed := 0
	for i := range c.Cases {
		for _, r := range c.Cases[i].Ratios() {
			if r.Claim != nil && !r.Met() {
				missed++
			}
		}
	}
	return missed
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
