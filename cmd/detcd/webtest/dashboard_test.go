package webtest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"detcd/cmd/detcd/testbed"
)

// watched are the metrics that etcd's own dashboard for Grafana shows and that its rules for alerts
// watch (contrib/mixin). A histogram has its _bucket, _sum and _count.
const watched = `
etcd_disk_backend_commit_duration_seconds_bucket
etcd_disk_wal_fsync_duration_seconds_bucket
etcd_mvcc_db_total_size_in_bytes
etcd_mvcc_db_total_size_in_use_in_bytes
etcd_network_client_grpc_received_bytes_total
etcd_network_client_grpc_sent_bytes_total
etcd_network_peer_received_bytes_total
etcd_network_peer_round_trip_time_seconds_bucket
etcd_network_peer_sent_bytes_total
etcd_network_peer_sent_failures_total
etcd_server_has_leader
etcd_server_leader_changes_seen_total
etcd_server_proposals_applied_total
etcd_server_proposals_committed_total
etcd_server_proposals_failed_total
etcd_server_proposals_pending
etcd_server_quota_backend_bytes
grpc_server_handled_total
grpc_server_handling_seconds_bucket
grpc_server_started_total
process_resident_memory_bytes
`

// What operators look at is there, in a cluster of three, and moves.
func TestTheDashboardOfEtcdFindsEverything(t *testing.T) {
	cluster := testbed.Launch(t, testbed.Options{
		Binary: testbed.Detcd(t), Members: 3, Args: []string{"--metrics=extensive"},
	})
	m := cluster.Members()[0]
	ask(t, m.ClientURL(), `POST /v3/kv/put {"key":"~a~","value":"~1~"}`)
	ask(t, m.ClientURL(), `POST /v3/kv/range {"key":"~a~"}`)
	now := metrics(t, m.ClientURL())
	sum := func(name string) (total float64, found bool) {
		for label, value := range now.values {
			if label == name || strings.HasPrefix(label, name+"{") {
				var x float64
				fmt.Sscan(value, &x)
				total, found = total+x, true
			}
		}
		return total, found
	}
	for name := range strings.FieldsSeq(watched) {
		if _, found := sum(name); !found {
			t.Errorf("%s is missing", name)
		}
	}
	for _, name := range []string{
		"etcd_disk_wal_fsync_duration_seconds_count", "etcd_network_peer_sent_bytes_total",
		"etcd_network_peer_round_trip_time_seconds_count", "etcd_server_has_leader",
		"etcd_server_proposals_committed_total", "etcd_server_quota_backend_bytes",
		"etcd_network_client_grpc_received_bytes_total",
		`etcd_server_apply_duration_seconds_count{op="Put",success="true",version="v3"}`,
		`etcd_server_range_duration_seconds_count{success="true"}`,
		`grpc_server_handling_seconds_count`, "os_fd_used", "os_fd_limit",
	} {
		// The time of a round trip is known some time after there is a connection.
		total, _ := sum(name)
		for end := time.Now().Add(time.Minute); total <= 0 && time.Now().Before(end); {
			time.Sleep(20 * time.Millisecond)
			now = metrics(t, m.ClientURL())
			total, _ = sum(name)
		}
		if total <= 0 {
			t.Errorf("%s is %v", name, total)
		}
	}
}
