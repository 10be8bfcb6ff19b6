package bench

import "slices"

// A Ratio compares one measure of two systems.
type Ratio struct {
	Measure   Measure `json:"measure"`
	Peer      float64 `json:"peer"` // medians over the rounds
	Candidate float64 `json:"candidate"`
	Median    float64 `json:"ratio"` // of the rounds' own ratios, candidate to peer
	Low       float64 `json:"low"`   // the smallest and the largest of them
	High      float64 `json:"high"`
	Claim     *Claim  `json:"claim,omitempty"` // nil when nothing is claimed
}

// judged is the number that the claim bounds.
func (r *Ratio) judged() float64 {
	if r.Claim.Own {
		return r.Candidate
	}
	return r.Median
}

// Met says whether the claim is kept.
func (r *Ratio) Met() bool {
	if r.Claim.AtLeast {
		return r.judged() >= r.Claim.Bound
	}
	return r.judged() <= r.Claim.Bound
}

// ratios returns a ratio for each measure of a case. The ratio is the median of those of the
// rounds, not the ratio of the medians: the two runs of a round are neighbours, and the machine
// drifts.
func (c *CaseResult) ratios() []Ratio {
	rounds := min(len(c.Peer), len(c.Candidate))
	if rounds == 0 {
		return nil
	}
	var all []Ratio
	for _, m := range measures(c.Candidate[0]) {
		var peer, candidate, ratios []float64
		for i := range rounds {
			peer = append(peer, m.Of(c.Peer[i]))
			candidate = append(candidate, m.Of(c.Candidate[i]))
			if peer[i] != 0 {
				ratios = append(ratios, candidate[i]/peer[i])
			}
		}
		ratio := Ratio{Measure: m, Peer: median(peer), Candidate: median(candidate)}
		if len(ratios) > 0 {
			ratio.Median = median(ratios)
			ratio.Low, ratio.High = slices.Min(ratios), slices.Max(ratios)
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

// Claims returns the number of claims that were measured, and how many of them were kept.
func (c *Comparison) Claims() (kept, all int) {
	for i := range c.Cases {
		for _, r := range c.Cases[i].Ratios {
			if r.Claim == nil {
				continue
			}
			all++
			if r.Met() {
				kept++
			}
		}
	}
	return kept, all
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
