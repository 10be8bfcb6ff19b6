package bench

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Scaling is a comparison whose cases are points of curves: how does the cost of a put grow?
type Scaling struct{ *Comparison }

// ScaleCases returns the points: clients, for each size of the cluster; keys that are there, at
// most so many; bytes of a value.
func ScaleCases(keysMax int) []Case {
	var all []Case
	for _, members := range []int{1, 3, 5} {
		for _, clients := range []int{1, 10, 100, 1000} {
			all = append(all, Case{
				Name: "clients, on " + membersText(members), Axis: "clients",
				What: fmt.Sprint(clients), X: float64(clients), Members: members,
				Load: standard(Put, clients),
			})
		}
	}
	for _, keys := range []int{10_000, 100_000, 1_000_000, 5_000_000} {
		if keys > keysMax {
			break
		}
		load := standard(Put, 100)
		load.Keys = keys
		all = append(all, Case{
			Name: "keys that are there", Axis: "keys", What: fmt.Sprint(keys), X: float64(keys),
			Members: 1, Load: load, Measure: Filled,
			Fixed: time.Duration(keys/fillPerSecond) * time.Second,
		})
	}
	for _, size := range []int{16, 256, 4 << 10, 64 << 10, 1 << 20} {
		load := standard(Put, 20)
		load.ValueSize, load.Keys = size, 1000
		all = append(all, Case{
			Name: "bytes of a value", Axis: "bytes", What: fmt.Sprint(size), X: float64(size),
			Members: 1, Load: load,
		})
	}
	return all
}

func membersText(count int) string {
	if count == 1 {
		return "1 member"
	}
	return fmt.Sprintf("%d members", count)
}

// fillPerSecond is about what both systems take together on two processors, for the estimate.
const fillPerSecond = 20_000

// Filled writes every key once before it measures.
func Filled(ctx context.Context, _ Running, o Options) (*Report, error) {
	fill := o
	if err := fill.normalize(); err != nil {
		return nil, err
	}
	if err := load(ctx, &fill, Put); err != nil {
		return nil, fmt.Errorf("bench: fill: %w", err)
	}
	return Run(ctx, o)
}

// scaleMeasures are the columns of a curve.
func scaleMeasures() []Measure { return []Measure{Throughput, ServerCPU, P50, P99, Resident} }

// curves returns the cases by name, in the order in which they were measured.
func (c *Comparison) curves() [][]*CaseResult {
	var all [][]*CaseResult
	for i := range c.Cases {
		one := &c.Cases[i]
		if one.Axis == "" || len(one.Ratios) == 0 {
			continue
		}
		last := len(all) - 1
		if last >= 0 && all[last][0].Name == one.Name {
			all[last] = append(all[last], one)
		} else {
			all = append(all, []*CaseResult{one})
		}
	}
	return all
}

// ratio returns the ratio of a measure; an empty one when it was not measured.
func (c *CaseResult) ratio(m Measure) Ratio {
	i := slices.IndexFunc(c.Ratios, func(r Ratio) bool { return r.Measure == m })
	if i < 0 {
		return Ratio{Measure: m}
	}
	return c.Ratios[i]
}

// String returns the curves as tables, the peer's figure left of the candidate's.
func (s Scaling) String() string {
	var text strings.Builder
	for _, points := range s.curves() {
		fmt.Fprintf(&text, "put by %s (%s | %s)\n%10s", points[0].Name, s.Peer, s.Candidate,
			points[0].Axis)
		for _, m := range scaleMeasures() {
			fmt.Fprintf(&text, "  %19s", m)
		}
		text.WriteByte('\n')
		for _, p := range points {
			fmt.Fprintf(&text, "%10s", p.What)
			for _, m := range scaleMeasures() {
				r := p.ratio(m)
				fmt.Fprintf(&text, "  %8s | %8s", number(r.Peer), number(r.Candidate))
			}
			text.WriteByte('\n')
		}
		text.WriteByte('\n')
	}
	fmt.Fprintln(&text, &s.Machine)
	return text.String()
}

// Markdown returns the curves as tables for a document.
func (s Scaling) Markdown() string {
	var text strings.Builder
	fmt.Fprintln(&text, &s.Machine)
	for _, points := range s.curves() {
		fmt.Fprintf(&text, "\nput by %s, %s / %s\n\n| %s |", points[0].Name, s.Peer, s.Candidate,
			points[0].Axis)
		for _, m := range scaleMeasures() {
			fmt.Fprintf(&text, " %s | ratio |", m)
		}
		text.WriteString("\n|--:|" + strings.Repeat("--:|--:|", len(scaleMeasures())) + "\n")
		for _, p := range points {
			fmt.Fprintf(&text, "| %s |", p.What)
			for _, m := range scaleMeasures() {
				r := p.ratio(m)
				fmt.Fprintf(&text, " %s / %s | %s |", number(r.Peer), number(r.Candidate),
					times(r.Median))
			}
			text.WriteByte('\n')
		}
	}
	return text.String()
}
