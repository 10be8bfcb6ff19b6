package server

import (
	"context"
	"runtime"
	"time"

	"go.etcd.io/etcd/api/v3/version"

	"detcd/consensus/node"
	"detcd/kv"
	"detcd/kv/gateway"
	"detcd/kv/rpc"
)

// gauge is a metric that goes up and down.
func gauge[N int | int64 | uint64](name string, value N, help string) gateway.Metric {
	return gateway.Metric{Name: name, Help: help, Value: float64(value)}
}

// counter is a metric that only grows.
func counter[N int64 | uint64](name string, value N, help string) gateway.Metric {
	return gateway.Metric{Name: name, Help: help, Value: float64(value), Counts: true}
}

// with adds a dimension.
func with(m gateway.Metric, name, value string) gateway.Metric {
	m.Labels = append(m.Labels, gateway.Label{Name: name, Value: value})
	return m
}

func one(condition bool) int {
	if condition {
		return 1
	}
	return 0
}

// metrics collects what the components have counted, under etcd's names and with etcd's types: some
// that are called total are gauges. What does not exist here (bbolt's pauses, the old store, the
// proxy) is left out.
func (f *front) metrics() []gateway.Metric {
	var all []gateway.Metric
	all = append(all, f.aboutServer()...)
	all = append(all, f.aboutProposals()...)
	all = append(all, f.aboutStorage()...)
	all = append(all, f.aboutDurations()...)
	all = append(all, f.aboutDisk()...)
	all = append(all, f.aboutCompactions()...)
	all = append(all, f.aboutMembership()...)
	all = append(all, f.aboutFeatures()...)
	all = append(all, aboutFiles()...)
	all = append(all, f.aboutKeys()...)
	all = append(all, f.aboutClients()...)
	all = append(all, f.aboutV2()...)
	return append(all, f.aboutPeers()...)
}

func (f *front) aboutServer() []gateway.Metric {
	now := f.served.Status()
	well, ill := f.gateway.Verdicts()
	var alarms []gateway.Metric
	for _, alarm := range now.Alarms {
		raised := gauge("etcd_debugging_server_alarms", 1, "Alarms that are raised.")
		alarms = append(alarms, with(with(raised, "server_id", hex(alarm.Member)),
			"alarm_type", alarm.Kind.String()))
	}
	return append(alarms, []gateway.Metric{
		gauge("etcd_server_has_leader", one(now.Leader != 0), "1 if a leader is known."),
		gauge("etcd_server_is_leader", one(now.Leader == now.MemberID),
			"1 if this member is the leader."),
		gauge("etcd_server_is_learner", one(now.Learner), "1 if this member does not vote yet."),
		gauge("etcd_server_quota_backend_bytes", now.DBSizeQuota,
			"How large the data may become, in bytes."),
		with(gauge("etcd_server_id", 1, "The ID of this member, in hexadecimal."),
			"server_id", hex(now.MemberID)),
		with(gauge("etcd_server_version", 1, "The version whose protocol is served."),
			"server_version", version.Version),
		with(gauge("etcd_cluster_version", 1, "The version whose protocol all members serve."),
			"cluster_version", version.Cluster(now.Downgrade.ClusterVersion())),
		with(gauge("etcd_server_go_version", 1, "The version of Go."),
			"server_go_version", runtime.Version()),
		counter("etcd_server_health_success", well, "How often /health said that all was well."),
		counter("etcd_server_health_failures", ill, "How often /health said that it was not."),
	}...)
}

func (f *front) aboutProposals() []gateway.Metric {
	now, stats := f.served.Status(), f.served.Node.Stats()
	return []gateway.Metric{
		counter("etcd_server_leader_changes_seen_total", stats.LeaderChanges,
			"How often another leader became known."),
		gauge("etcd_server_proposals_committed_total", now.RaftIndex, "The index that is committed."),
		gauge("etcd_server_proposals_applied_total", now.RaftApplied, "The index that is applied."),
		gauge("etcd_server_proposals_pending", stats.Pending, "Commands that wait to be executed."),
		counter("etcd_server_proposals_failed_total", stats.Failed,
			"Commands that were not executed, or not in time."),
		counter("etcd_server_read_indexes_failed_total", stats.ReadsFailed,
			"Linearizable reads that failed."),
		counter("etcd_server_slow_read_indexes_total", stats.ReadsSlow,
			"Linearizable reads that no leader answered in time."),
	}
}

func (f *front) aboutStorage() []gateway.Metric {
	now, stats := f.served.Status(), f.served.Node.Stats()
	return []gateway.Metric{
		{
			Name:      "etcd_debugging_snap_save_total_duration_seconds",
			Histogram: histogram(&stats.Checkpoints),
			Help:      "How long it took to save a checkpoint, and what it names, durably.",
		},
		{
			Name: "etcd_disk_backend_commit_duration_seconds", Histogram: histogram(&stats.Background),
			Help: "How long a step of background work (archive, checkpoint, snapshot) took.",
		},
		gauge("detcd_disk_device_full", one(now.Refusing == rpc.ErrDeviceFull),
			"1 if no space is left on the device of the data: writes are refused."),
		gauge("etcd_disk_wal_write_bytes_total", stats.WrittenBytes, "Bytes written to the log."),
		gauge("etcd_mvcc_db_total_size_in_bytes", now.DBSize, "Size of the data on disk, in bytes."),
		gauge("etcd_mvcc_db_total_size_in_use_in_bytes", now.DBSizeInUse,
			"What of it is not dead, in bytes."),
	}
}

// histogram is a histogram of seconds.
func histogram(d *node.Durations) *gateway.Histogram {
	limits := node.DurationLimits()
	h := &gateway.Histogram{
		Upto: make(map[float64]uint64, len(limits)), Count: d.Upto[len(limits)], Sum: d.Sum.Seconds(),
	}
	for i, limit := range limits {
		h.Upto[limit.Seconds()] = d.Upto[i]
	}
	return h
}

// viewTime bounds how long a page of metrics waits for a look at the keys.
const viewTime = time.Second

func (f *front) aboutKeys() []gateway.Metric {
	counts := f.served.machine.Counts()
	ranges := counts.Ranges
	for _, method := range f.meter.Traffic().Methods {
		if method.Service == "etcdserverpb.KV" && method.Method == "Range" {
			ranges += method.Sent
		}
	}
	all := []gateway.Metric{
		counter("etcd_mvcc_range_total", ranges, "Ranges that were read."),
		counter("etcd_mvcc_put_total", counts.Puts, "Puts that were applied."),
		counter("etcd_mvcc_delete_total", counts.Deletes, "Deletions that were applied."),
		counter("etcd_mvcc_txn_total", counts.Txns,
			"Transactions of more than one operation that were applied."),
		gauge("etcd_debugging_mvcc_total_put_size_in_bytes", counts.PutBytes,
			"Bytes of keys and values that were put."),
		counter("etcd_debugging_lease_granted_total", counts.LeasesGranted, "Leases granted."),
		counter("etcd_debugging_lease_renewed_total", counts.LeasesRenewed,
			"Leases that this member renewed as the leader."),
		{
			Name: "etcd_debugging_lease_ttl_total", Histogram: timesToLive(&counts),
			Help: "How many seconds leases live that were granted.",
		},
		counter("etcd_debugging_lease_revoked_total", counts.LeasesRevoked,
			"Leases revoked, for any reason."),
		counter("etcd_debugging_server_lease_expired_total", counts.LeasesExpired,
			"Leases that expired."),
		gauge("etcd_debugging_auth_revision", uint64(f.served.Auth().Revision()),
			"How often users and roles were changed."),
	}
	ctx, cancel := context.WithTimeout(context.Background(), viewTime)
	defer cancel()
	view, err := f.served.View(ctx)
	if err != nil {
		return all
	}
	keys := view.(*kv.View)
	return append(all,
		gauge("etcd_debugging_mvcc_keys_total", keys.Keys(), "Keys that exist."),
		gauge("etcd_debugging_mvcc_current_revision", keys.Revision(), "The revision of the last write."),
		gauge("etcd_debugging_mvcc_compact_revision", keys.Compacted(),
			"The revision of the last compaction."))
}

func (f *front) aboutClients() []gateway.Metric {
	traffic := f.meter.Traffic()
	all := []gateway.Metric{
		gauge("etcd_debugging_mvcc_watch_stream_total", traffic.Streams, "Streams of watches."),
		gauge("etcd_debugging_mvcc_watcher_total", traffic.Watches, "Watches."),
		gauge("etcd_debugging_mvcc_slow_watcher_total", traffic.Behind,
			"Watches that catch up with history."),
		gauge("etcd_debugging_mvcc_pending_events_total", traffic.Pending,
			"Events that were read for watches and are not sent yet."),
		counter("etcd_debugging_mvcc_events_total", traffic.Events, "Events sent to watches."),
		counter("etcd_network_client_grpc_received_bytes_total", f.door.traffic.received.Load(),
			"Bytes received from clients of gRPC."),
		counter("etcd_network_client_grpc_sent_bytes_total", f.door.traffic.sent.Load(),
			"Bytes sent to clients of gRPC."),
	}
	all = append(all, f.aboutRequests(&traffic)...)
	for kind, n := range f.meter.Clients() {
		m := counter("etcd_server_client_requests_total", n, "Requests, by version of the client.")
		all = append(all, with(with(m, "type", kind.Type), "client_api_version", kind.Version))
	}
	for i := range traffic.Methods {
		all = append(all, aboutMethod(&traffic.Methods[i])...)
	}
	return all
}

// aboutMethod has the names that servers of gRPC written in Go use.
func aboutMethod(m *rpc.MethodTraffic) []gateway.Metric {
	labeled := func(metric gateway.Metric) gateway.Metric {
		metric = with(with(metric, "grpc_method", m.Method), "grpc_service", m.Service)
		return with(metric, "grpc_type", m.Type)
	}
	all := []gateway.Metric{
		labeled(counter("grpc_server_started_total", m.Started, "RPCs that were begun.")),
		labeled(counter("grpc_server_msg_received_total", m.Received, "Messages received.")),
		labeled(counter("grpc_server_msg_sent_total", m.Sent, "Messages sent.")),
	}
	if m.Durations != nil {
		all = append(all, labeled(gateway.Metric{
			Name: "grpc_server_handling_seconds", Help: "How long RPCs took.", Histogram: took(m),
		}))
	}
	for code, n := range m.Handled {
		handled := counter("grpc_server_handled_total", n, "RPCs that ended, by how they did.")
		all = append(all, labeled(with(handled, "grpc_code", code.String())))
	}
	return all
}

// took is a histogram of how long the RPCs of a method took that have ended.
func took(m *rpc.MethodTraffic) *gateway.Histogram {
	h := &gateway.Histogram{Upto: make(map[float64]uint64), Sum: m.Durations.Sum.Seconds()}
	for i, limit := range rpc.DurationLimits() {
		h.Upto[limit] = m.Durations.Upto[i]
	}
	for _, n := range m.Handled {
		h.Count += n
	}
	return h
}

func (f *front) aboutPeers() []gateway.Metric {
	local := hex(f.served.Status().MemberID)
	var all []gateway.Metric
	dropped := f.served.Node.Stats().LateHeartbeats
	for _, peer := range f.served.Node.Peers().Peers {
		id := hex(peer.ID)
		dropped += peer.Dropped
		between := func(m gateway.Metric) gateway.Metric {
			return with(with(m, "Local", local), "Remote", id)
		}
		all = append(all,
			between(gauge("etcd_network_known_peers", 1, "Members that are known.")),
			between(gauge("etcd_network_active_peers", one(peer.Up), "Members that are connected.")),
			with(counter("etcd_network_peer_sent_bytes_total", peer.SentBytes,
				"Bytes sent to a member."), "To", id),
			with(counter("etcd_network_peer_received_bytes_total", peer.ReceivedBytes,
				"Bytes received from a member."), "From", id),
			with(counter("etcd_network_peer_sent_failures_total", peer.Dropped,
				"Messages to a member that were lost here."), "To", id),
			with(gateway.Metric{
				Name: "etcd_network_peer_round_trip_time_seconds", Histogram: roundTrips(&peer),
				Help: "How long pulses to a member took, there and back.",
			}, "To", id))
	}
	return append(all, counter("etcd_server_heartbeat_send_failures_total", dropped,
		"Heartbeats that were late, and messages to members that were lost here."))
}
