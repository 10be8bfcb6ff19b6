package server

import (
	"fmt"

	"detcd/kv/gateway"
	"detcd/kv/rpc"
)

// aboutDisk has how long took what the disk was asked for.
func (f *front) aboutDisk() []gateway.Metric {
	m, log, took := f.served.measures, f.log, f.meter.Measures()
	return []gateway.Metric{
		timed("etcd_disk_wal_fsync_duration_seconds", rpc.QuickScale, &log.syncs,
			"How long it took to sync the log."),
		timed("etcd_disk_wal_write_duration_seconds", rpc.QuickScale, &log.writes,
			"How long it took to write to the log, without the sync."),
		timed("etcd_disk_backend_defrag_duration_seconds", defragmentScale, &m.defragments,
			"How long Defragment took."),
		gauge("etcd_disk_defrag_inflight", m.inflight.Load(), "How many Defragment are under way."),
		timed("etcd_disk_backend_snapshot_duration_seconds", snapshotScale, &m.snapshots,
			"How long it took to write a snapshot file for a client."),
		timed("etcd_mvcc_hash_duration_seconds", rpc.HashScale, &took.Hash, "How long Hash took."),
		timed("etcd_mvcc_hash_rev_duration_seconds", rpc.HashScale, &took.HashRev,
			"How long HashKV took."),
	}
}

// aboutCompactions has how they went. The pieces in which they are done are short: commands wait
// for one of them at most.
func (f *front) aboutCompactions() []gateway.Metric {
	c := &f.served.machine.compactions
	return []gateway.Metric{
		counter("etcd_debugging_mvcc_db_compaction_keys_total",
			f.served.machine.sizes.Load().released, "Records that compactions have let go of."),
		gauge("etcd_debugging_mvcc_db_compaction_last", c.last.Load(),
			"When a compaction was finished last, in Unix time."),
		inMilliseconds("etcd_debugging_mvcc_db_compaction_pause_duration_milliseconds",
			compactionScale, &c.pauses, "How long the pieces of compactions took."),
		inMilliseconds("etcd_debugging_mvcc_db_compaction_total_duration_milliseconds",
			compactedScale, &c.whole, "How long compactions took, until all was let go of."),
	}
}

// aboutMembership has what came from other members, and what became of learners.
func (f *front) aboutMembership() []gateway.Metric {
	m := f.served.measures
	all := []gateway.Metric{
		gauge("etcd_server_snapshot_apply_in_progress_total", one(m.receiving.Load() != 0),
			"1 if a snapshot of another member is fetched or installed."),
		timed("etcd_snap_db_save_total_duration_seconds", receivedScale, &m.received,
			"How long it took until a snapshot of another member was fetched and installed."),
		counter("etcd_server_learner_promote_successes", m.promoted.Load(),
			"Learners that were promoted by way of this member."),
	}
	for reason, n := range m.refusals() {
		failed := counter("etcd_server_learner_promote_failures", n,
			"Promotions that were refused, or failed, by reason.")
		all = append(all, with(failed, "Reason", reason))
	}
	return all
}

// A Feature is one of etcd's feature gates.
type Feature struct {
	Name, Stage string // as in "CompactHashCheck", "ALPHA"
	Enabled     bool
}

func (f *front) aboutFeatures() (all []gateway.Metric) {
	for _, feature := range f.served.config.Features {
		enabled := gauge("etcd_server_feature_enabled", one(feature.Enabled),
			"1 if a feature gate is on.")
		all = append(all, with(with(enabled, "name", feature.Name), "stage", feature.Stage))
	}
	return all
}

// aboutRequests has how long requests took, by what etcd calls them, and responses to watches.
func (f *front) aboutRequests(traffic *rpc.Traffic) []gateway.Metric {
	took := f.meter.Measures()
	const watch = "etcd_debugging_server_watch_send_loop_"
	all := []gateway.Metric{
		timed(watch+"watch_stream_duration_seconds", rpc.QuickScale, &took.Events,
			"How long it took to send a response with events."),
		timed(watch+"watch_stream_duration_per_event_seconds", rpc.QuickScale, &took.Event,
			"The same, divided by the number of events."),
		timed(watch+"control_stream_duration_seconds", rpc.QuickScale, &took.Control,
			"How long it took to send that a watch was created or cancelled."),
		timed(watch+"progress_duration_seconds", rpc.QuickScale, &took.Progress,
			"How long it took to send how far a watch is."),
	}
	add := func(kind string, clocks *[2]rpc.Clock) {
		for outcome := range clocks {
			h := clocked(rpc.QuickScale, &clocks[outcome])
			if h.Count == 0 {
				continue
			}
			m := gateway.Metric{Name: "etcd_server_request_duration_seconds", Histogram: h,
				Help: "How long requests took, by what they ask for."}
			all = append(all, with(with(m, "type", kind), "success", fmt.Sprint(outcome == 1)))
		}
	}
	add("ReadonlyTxn", &took.ReadOnly)
	for i := range traffic.Methods {
		if m := &traffic.Methods[i]; m.Requests != nil {
			if kind := requestType(m.Service, m.Method); kind != "" {
				add(kind, m.Requests)
			}
		}
	}
	return all
}

// requestType is what etcd calls the requests of a method; "" where it does not measure them.
func requestType(service, method string) string {
	switch service {
	case "etcdserverpb.KV":
		if method == "Compact" {
			return "Compaction"
		}
		return method
	case "etcdserverpb.Lease":
		if method == "LeaseGrant" || method == "LeaseRevoke" {
			return method
		}
	case "etcdserverpb.Maintenance":
		if method == "Alarm" || method == "Downgrade" {
			return method
		}
	case "etcdserverpb.Auth":
		switch method {
		case "AuthEnable", "AuthDisable", "AuthStatus", "Authenticate":
			return method
		}
		return "Auth" + method
	}
	return ""
}
