package bench

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// A Report is the result of a run. Its JSON form is the machine-readable output of the command.
//
// Many fields: it names what was asked next to what came out, so that a report stands alone.
type Report struct {
	Workload     Workload  `json:"workload"`
	Serializable bool      `json:"serializable,omitempty"`
	Transport    Transport `json:"transport"`
	Endpoints    []string  `json:"endpoints"`
	Clients      int       `json:"clients"`
	Connections  int       `json:"connections"`
	KeySize      int       `json:"key_size"`
	ValueSize    int       `json:"value_size"`
	Keys         int       `json:"keys"`
	Rate         float64   `json:"rate,omitempty"`

	Operations int64            `json:"operations"` // that succeeded
	Errors     map[string]int64 `json:"errors"`     // that did not, by what was wrong
	Seconds    float64          `json:"seconds"`
	PerSecond  float64          `json:"per_second"`
	Latency    Latency          `json:"latency_ms"`

	ClientCPUMicros float64      `json:"client_cpu_micros_per_op"`
	ServerCPUMicros float64      `json:"server_cpu_micros_per_op"` // of all processes together
	Servers         []ProcessUse `json:"servers,omitempty"`        // CPUSeconds: during the run
}

// Latency holds milliseconds.
type Latency struct {
	Min  float64 `json:"min"`
	Mean float64 `json:"mean"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P95  float64 `json:"p95"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Max  float64 `json:"max"`
}

func newReport(
	o *Options, outcome *recorder, elapsed, own time.Duration, before, after []ProcessUse,
) *Report {
	h := outcome.latencies
	at := func(q float64) float64 { return float64(h.ValueAtQuantile(q)) / 1e6 }
	r := &Report{
		Workload: o.Workload, Serializable: o.Serializable, Transport: o.Transport,
		Endpoints: o.Endpoints, Clients: o.Clients, Connections: o.Connections,
		KeySize: o.KeySize, ValueSize: o.ValueSize, Keys: o.Keys, Rate: o.Rate,
		Operations: h.TotalCount(),
		Errors:     outcome.errors,
		Seconds:    elapsed.Seconds(),
		PerSecond:  float64(h.TotalCount()) / elapsed.Seconds(),
	}
	if r.Operations > 0 {
		r.Latency = Latency{
			Min: float64(h.Min()) / 1e6, Mean: h.Mean() / 1e6,
			P50: at(50), P90: at(90), P95: at(95), P99: at(99), P999: at(99.9),
			Max: float64(h.Max()) / 1e6,
		}
		r.ClientCPUMicros = own.Seconds() * 1e6 / float64(r.Operations)
	}
	for i, use := range after {
		use.CPUSeconds -= before[i].CPUSeconds
		r.Servers = append(r.Servers, use)
		if r.Operations > 0 {
			r.ServerCPUMicros += use.CPUSeconds * 1e6 / float64(r.Operations)
		}
	}
	return r
}

// Failed returns the number of operations that did not succeed.
func (r *Report) Failed() int64 {
	var sum int64
	for _, count := range r.Errors {
		sum += count
	}
	return sum
}

// String returns the report as lines of text.
func (r *Report) String() string {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	name := string(r.Workload)
	if r.Serializable {
		name += ", serializable"
	}
	fmt.Fprintf(table, "%s\t%d clients on %d connections (%s), keys of %d bytes, values of %d\n",
		name, r.Clients, r.Connections, r.Transport, r.KeySize, r.ValueSize)
	fmt.Fprintf(table, "operations\t%d in %.2f s\n", r.Operations, r.Seconds)
	fmt.Fprintf(table, "throughput\t%.0f per second\n", r.PerSecond)
	l := &r.Latency
	fmt.Fprintf(table, "latency, ms\tmin %.3f  mean %.3f  max %.3f\n", l.Min, l.Mean, l.Max)
	fmt.Fprintf(table, "\tp50 %.3f  p90 %.3f  p95 %.3f  p99 %.3f  p99.9 %.3f\n",
		l.P50, l.P90, l.P95, l.P99, l.P999)
	fmt.Fprintf(table, "client\t%.1f µs of processor an operation\n", r.ClientCPUMicros)
	if len(r.Servers) > 0 {
		fmt.Fprintf(table, "servers\t%.1f µs of processor an operation\n", r.ServerCPUMicros)
	}
	for _, s := range r.Servers {
		fmt.Fprintf(table, "  process %d\t%.2f s of processor, %.1f MB resident, %.1f MB at most\n",
			s.PID, s.CPUSeconds, float64(s.ResidentBytes)/1e6, float64(s.PeakBytes)/1e6)
	}
	var problems []string
	for problem := range r.Errors {
		problems = append(problems, problem)
	}
	slices.Sort(problems)
	for _, problem := range problems {
		fmt.Fprintf(table, "FAILED\t%d × %s\n", r.Errors[problem], problem)
	}
	// Writing to the builder cannot fail.
	_ = table.Flush()
	return text.String()
}
