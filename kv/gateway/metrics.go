package gateway

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// A Metric is one number of a member, as Prometheus wants it.
type Metric struct {
	Name, Help string
	Labels     []Label
	Value      float64
	Counts     bool       // it only grows; else it goes up and down
	Histogram  *Histogram // instead of Value
}

// A Label is a dimension of a Metric.
type Label struct{ Name, Value string }

// A Histogram tells how often something was how large.
type Histogram struct {
	Upto  map[float64]uint64 // by limit: how often it was at most that
	Count uint64
	Sum   float64
}

// Add adds what another one with the same limits has counted.
func (h *Histogram) Add(other *Histogram) {
	for limit, n := range other.Upto {
		h.Upto[limit] += n
	}
	h.Count, h.Sum = h.Count+other.Count, h.Sum+other.Sum
}

// Page renders metrics, and those of the process and of Go's runtime. They are collected anew for
// each request; nothing is registered anywhere.
func Page(collect func() []Metric) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(source(collect), collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.InstrumentMetricHandler(registry,
		promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
}

// A source is a function that Prometheus takes for a collector. It does not say beforehand what it
// will give: that depends on who is in the cluster and on what was called.
type source func() []Metric

// Describe says nothing.
func (source) Describe(chan<- *prometheus.Desc) {}

// Collect gives all metrics.
func (s source) Collect(out chan<- prometheus.Metric) {
	for _, m := range s() {
		out <- m.render()
	}
}

func (m *Metric) render() prometheus.Metric {
	var names, values []string
	for _, label := range m.Labels {
		names, values = append(names, label.Name), append(values, label.Value)
	}
	description := prometheus.NewDesc(m.Name, m.Help, names, nil)
	var made prometheus.Metric
	var err error
	switch {
	case m.Histogram != nil:
		h := m.Histogram
		made, err = prometheus.NewConstHistogram(description, h.Count, h.Sum, h.Upto, values...)
	case m.Counts:
		made, err = prometheus.NewConstMetric(description, prometheus.CounterValue, m.Value, values...)
	default:
		made, err = prometheus.NewConstMetric(description, prometheus.GaugeValue, m.Value, values...)
	}
	if err != nil {
		return prometheus.NewInvalidMetric(description, err)
	}
	return made
}

// Verdicts are how often /health said that all was well, and that it was not.
func (g *Gateway) Verdicts() (well, ill uint64) { return g.well.Load(), g.ill.Load() }
