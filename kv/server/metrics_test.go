package server

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// etcdMetrics are the metrics of etcd that are served, with their types and labels. A + says that
// the value of one of its series has grown once a member has done what the test does, or is above
// zero; what has none is 0 on a healthy member that is alone, or not there. docs/compatibility.md
// has the names that are not served, and why.
const etcdMetrics = `
gauge     + etcd_cluster_version cluster_version
gauge     + etcd_debugging_auth_revision
counter   + etcd_debugging_lease_granted_total
counter   + etcd_debugging_lease_renewed_total
counter   + etcd_debugging_lease_revoked_total
histogram + etcd_debugging_lease_ttl_total
gauge     + etcd_debugging_mvcc_compact_revision
gauge     + etcd_debugging_mvcc_current_revision
counter   + etcd_debugging_mvcc_db_compaction_keys_total
gauge     + etcd_debugging_mvcc_db_compaction_last
histogram + etcd_debugging_mvcc_db_compaction_pause_duration_milliseconds
histogram + etcd_debugging_mvcc_db_compaction_total_duration_milliseconds
counter   + etcd_debugging_mvcc_events_total
gauge     + etcd_debugging_mvcc_keys_total
gauge       etcd_debugging_mvcc_pending_events_total
gauge       etcd_debugging_mvcc_slow_watcher_total
gauge     + etcd_debugging_mvcc_total_put_size_in_bytes
gauge     + etcd_debugging_mvcc_watch_stream_total
gauge     + etcd_debugging_mvcc_watcher_total
counter     etcd_debugging_server_lease_expired_total
histogram + etcd_debugging_server_watch_send_loop_control_stream_duration_seconds
histogram   etcd_debugging_server_watch_send_loop_progress_duration_seconds
histogram + etcd_debugging_server_watch_send_loop_watch_stream_duration_per_event_seconds
histogram + etcd_debugging_server_watch_send_loop_watch_stream_duration_seconds
histogram + etcd_debugging_snap_save_total_duration_seconds
histogram + etcd_disk_backend_commit_duration_seconds
histogram + etcd_disk_backend_defrag_duration_seconds
histogram + etcd_disk_backend_snapshot_duration_seconds
gauge       etcd_disk_defrag_inflight
histogram + etcd_disk_wal_fsync_duration_seconds
gauge     + etcd_disk_wal_write_bytes_total
histogram + etcd_disk_wal_write_duration_seconds
gauge     + etcd_mvcc_db_total_size_in_bytes
gauge     + etcd_mvcc_db_total_size_in_use_in_bytes
counter   + etcd_mvcc_delete_total
histogram + etcd_mvcc_hash_duration_seconds
histogram + etcd_mvcc_hash_rev_duration_seconds
counter   + etcd_mvcc_put_total
counter   + etcd_mvcc_range_total
counter   + etcd_mvcc_txn_total
counter   + etcd_network_client_grpc_received_bytes_total
counter   + etcd_network_client_grpc_sent_bytes_total
histogram + etcd_server_apply_duration_seconds op success version
counter   + etcd_server_client_requests_total client_api_version type
gauge     + etcd_server_feature_enabled name stage
gauge     + etcd_server_go_version server_go_version
gauge     + etcd_server_has_leader
counter     etcd_server_health_failures
counter   + etcd_server_health_success
counter     etcd_server_heartbeat_send_failures_total
gauge     + etcd_server_id server_id
gauge     + etcd_server_is_leader
gauge       etcd_server_is_learner
counter   + etcd_server_leader_changes_seen_total
counter   + etcd_server_learner_promote_failures Reason
counter     etcd_server_learner_promote_successes
gauge     + etcd_server_proposals_applied_total
gauge     + etcd_server_proposals_committed_total
counter     etcd_server_proposals_failed_total
gauge       etcd_server_proposals_pending
gauge     + etcd_server_quota_backend_bytes
histogram + etcd_server_range_duration_seconds success
counter     etcd_server_read_indexes_failed_total
histogram + etcd_server_request_duration_seconds success type
counter     etcd_server_slow_apply_total
counter     etcd_server_slow_read_indexes_total
gauge       etcd_server_snapshot_apply_in_progress_total
gauge     + etcd_server_version server_version
histogram   etcd_snap_db_save_total_duration_seconds
counter   + grpc_server_handled_total grpc_code grpc_method grpc_service grpc_type
counter   + grpc_server_msg_received_total grpc_method grpc_service grpc_type
counter   + grpc_server_msg_sent_total grpc_method grpc_service grpc_type
counter   + grpc_server_started_total grpc_method grpc_service grpc_type
`

// A scraped page: of each metric its type, the labels of its series, and the sum of their values;
// of a histogram, how often there was something to measure.
type scraped struct {
	types, labels map[string]string
	sums          map[string]float64
	series        map[string]float64
}

func scrape(t *testing.T, s *Server) scraped {
	t.Helper()
	answer, err := http.Get("http://" + s.ClientAddresses()[0] + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	page := scraped{map[string]string{}, map[string]string{}, map[string]float64{},
		map[string]float64{}}
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if words[0] == "#" {
			if words[1] == "TYPE" {
				page.types[words[2]] = words[3]
			}
			continue
		}
		at := strings.LastIndex(lines.Text(), " ")
		series, value := lines.Text()[:at], 0.0
		fmt.Sscan(lines.Text()[at:], &value)
		name, labels, _ := strings.Cut(strings.TrimSuffix(series, "}"), "{")
		if base, ok := strings.CutSuffix(name, "_count"); ok && page.types[base] == "histogram" {
			name = base
		}
		var names []string
		for label := range strings.SplitSeq(labels, `",`) {
			label, _, _ = strings.Cut(label, "=")
			names = append(names, label)
		}
		page.labels[name] = strings.TrimSpace(strings.Join(names, " "))
		page.sums[name] += value
		page.series[series] = value
	}
	return page
}

// Every name of etcd is served with its type and labels, and moves with what it measures.
func TestEveryMetricOfEtcdIsServedAndMoves(t *testing.T) {
	leavesNothing(t)
	config := testConfigs(t, 1)[0]
	config.SlowApply = time.Hour // on no machine is anything slow
	config.Features = []Feature{{"CompactHashCheck", "ALPHA", false}, {"Other", "BETA", true}}
	s := start(t, config)
	ready(t, s)
	before := scrape(t, s)
	for _, method := range []string{"Put", "Snapshot", "LeaseKeepAlive"} {
		if page := fmt.Sprint(before.series); strings.Count(page, `grpc_method="`+method+`"`) != 20 {
			t.Errorf("the series of %s are not all there from the start", method)
		}
	}
	exercise(t, s)
	eventually(t, "a quiet member saves a checkpoint", func() bool {
		return scrape(t, s).sums["etcd_debugging_snap_save_total_duration_seconds"] > 0
	})
	after := scrape(t, s)
	for line := range strings.Lines(strings.TrimSpace(etcdMetrics)) {
		kind, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		rest, moves := strings.CutPrefix(strings.TrimSpace(rest), "+ ")
		name, labels, _ := strings.Cut(rest, " ")
		switch sum := after.sums[name]; {
		case after.types[name] != kind:
			t.Errorf("%s is a %q, of etcd a %s", name, after.types[name], kind)
		case after.labels[name] != labels:
			t.Errorf("%s has the labels %q, of etcd %q", name, after.labels[name], labels)
		case moves && sum <= 0:
			t.Errorf("%s does not move: it is %v, and was %v", name, sum, before.sums[name])
		case !moves && sum != 0 && !strings.Contains(name, "heartbeat"):
			t.Errorf("%s is %v", name, sum)
		}
	}
	const feature = `etcd_server_feature_enabled{name="CompactHashCheck",stage="ALPHA"`
	if on, found := after.series[feature+"}"]; !found || on != 0 {
		t.Errorf("a feature that is off is %v, found %v", on, found)
	}
	if n := after.sums["etcd_debugging_mvcc_db_compaction_keys_total"]; n != 4 {
		t.Errorf("a compaction let go of %v records, want 4", n)
	}
}

// exercise has a member do a little of everything.
func exercise(t *testing.T, s *Server) {
	t.Helper()
	c, ctx := client(t, s), within(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	watch := c.Watch(ctx, "k")
	for range 5 {
		put(t, s, "k", "v")
		<-watch
	}
	expect(t, s, "k", "v")
	_, err := c.Delete(ctx, "none")
	must(err)
	_, err = c.Txn(ctx).Then(clientv3.OpPut("a", ""), clientv3.OpPut("b", "")).Commit()
	must(err)
	_, err = c.Txn(ctx).Then(clientv3.OpGet("a")).Commit()
	must(err)
	lease, err := c.Grant(ctx, 60)
	must(err)
	_, err = c.KeepAliveOnce(ctx, lease.ID)
	must(err)
	_, err = c.Revoke(ctx, lease.ID)
	must(err)
	_, err = c.Compact(ctx, 6, clientv3.WithCompactPhysical())
	must(err)
	endpoint := s.ClientAddresses()[0]
	_, err = c.HashKV(ctx, endpoint, 0)
	must(err)
	_, err = pb.NewMaintenanceClient(c.ActiveConnection()).Hash(ctx, &pb.HashRequest{})
	must(err)
	_, err = c.Defragment(ctx, endpoint)
	must(err)
	snapshot, err := c.Snapshot(ctx)
	must(err)
	_, err = io.Copy(io.Discard, snapshot)
	must(err)
	must(snapshot.Close())
	if _, err := c.MemberPromote(ctx, 99); err == nil {
		t.Error("a member was promoted that is none")
	}
	health, err := http.Get("http://" + endpoint + "/health")
	must(err)
	must(health.Body.Close())
}

// What is measured of other members and of a time without a leader moves, too.
func TestRareMetricsMove(t *testing.T) {
	m := new(measures)
	end := m.defragmenting()
	if m.inflight.Load() != 1 {
		t.Error("a defragmentation is not under way")
	}
	end()
	if m.inflight.Load() != 0 {
		t.Error("a defragmentation does not end")
	}
	m.receive()
	if m.receiving.Load() == 0 {
		t.Error("no snapshot arrives")
	}
	m.receivedAll(false)
	m.receive()
	m.receivedAll(true)
	if _, n, _ := m.received.Read(receivedScale); n != 1 || m.receiving.Load() != 0 {
		t.Errorf("%d snapshots were installed", n)
	}
	m.promote(nil)
	for i := range 2 * reasonsMax {
		m.promote(fmt.Errorf("reason %d", i))
	}
	if n := len(m.refusals()); m.promoted.Load() != 1 || n != reasonsMax+1 {
		t.Errorf("%d promoted, %d reasons", m.promoted.Load(), n)
	}
}
