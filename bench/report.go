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
	ServerCPUMicros float64      `json:"server_cpu_micros_per_op"`       // of all processes together
	WrittenPerOp    float64      `json:"written_bytes_per_op,omitempty"` // by the servers, in folios
	DevicePerOp     float64      `json:"device_bytes_per_op,omitempty"`  // by all disks, for anybody
	SyncsPerOp      float64      `json:"syncs_per_op,omitempty"`         // 0: the servers do not tell
	Servers         []ProcessUse `json:"servers,omitempty"`              // CPUSeconds: during the run

	// Curve holds the latencies in ms at the fractions that Curve names.
	Curve []float64 `json:"curve_ms,omitempty"`
	// Figures are what only this kind of measurement has, by name.
	Figures map[Measure]float64 `json:"figures,omitempty"`
}

// curveFractions are the points of a report's curve. They are denser where an operation is rarer:
// 0, 50%, 90%, 99%, 99.9% and 99.99% are equally far apart.
func curveFractions() []float64 {
	var all []float64
	rest := 1.0 // of the operations, which are slower
	for range 41 {
		all = append(all, 1-rest)
		rest *= curveStep
	}
	return all
}

// curveStep is the tenth root of a tenth: ten points until nine tenths of the rest are faster.
const curveStep = 0.7943282347242815

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
	o *Options, outcome *recorder, elapsed, own time.Duration, before, after use,
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
		r.Latency = outcome.latency()
		r.ClientCPUMicros = own.Seconds() * 1e6 / float64(r.Operations)
		for _, fraction := range curveFractions() {
			r.Curve = append(r.Curve, at(100*fraction))
		}
	}
	r.charge(before, after)
	return r
}

// charge adds what the servers used between two looks at them.
func (r *Report) charge(before, after use) {
	operations := float64(max(r.Operations, 1))
	for i, one := range after.processes {
		one.CPUSeconds -= before.processes[i].CPUSeconds
		one.WrittenBytes -= before.processes[i].WrittenBytes
		r.Servers = append(r.Servers, one)
		r.ServerCPUMicros += one.CPUSeconds * 1e6 / operations
		r.WrittenPerOp += float64(one.WrittenBytes) / operations
	}
	r.DevicePerOp = float64(after.device-before.device) / operations
	if before.syncs >= 0 && after.syncs >= 0 {
		r.SyncsPerOp = (after.syncs - before.syncs) / operations
	}
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
		fmt.Fprintf(table, "disks\t%.0f bytes written, %.4f syncs an operation\n",
			r.DevicePerOp, r.SyncsPerOp)
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
