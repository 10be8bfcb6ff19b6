package webtest

import (
	"bufio"
	"strings"
	"testing"
)

// A page is what /metrics says.
type page struct {
	types  map[string]string // by name
	values map[string]string // by name and labels
}

func metrics(t *testing.T, base string) page {
	t.Helper()
	p := page{make(map[string]string), make(map[string]string)}
	lines := bufio.NewScanner(strings.NewReader(ask(t, base, "GET /metrics").text))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if strings.HasPrefix(lines.Text(), "# TYPE") {
			p.types[fields[2]] = fields[3]
		} else if fields[0] != "#" {
			p.values[fields[0]] = fields[len(fields)-1]
		}
	}
	return p
}

// alone are metrics that etcd shows only where there are other members, own are those of detcd.
const (
	alone = "etcd_network_"
	own   = "detcd_"
)

func TestMetricsHaveTheNamesTypesAndValuesOfEtcd(t *testing.T) {
	etcd, detcd := both(t)
	for _, line := range []string{
		"GET /health",
		`POST /v3/kv/put {"key":"~a~","value":"~1~"}`,
		`POST /v3/kv/put {"key":"~b~","value":"~22~"}`,
		`POST /v3/kv/put {"key":"~c~","value":"~333~"}`,
		`POST /v3/kv/put {}`,
		`POST /v3/kv/range {"key":"~a~"}`,
		`POST /v3/kv/deleterange {"key":"~a~"}`,
		`POST /v3/kv/deleterange {"key":"~none~"}`,
		`POST /v3/kv/txn {"success":[{"request_put":{"key":"~d~"}},{"request_put":{"key":"~e~"}}]}`,
		`POST /v3/lease/grant {"TTL":"100","ID":"7"}`,
		`POST /v3/lease/grant {"TTL":"100","ID":"8"}`,
		`POST /v3/kv/put {"key":"~f~","lease":"8"}`,
		`POST /v3/lease/revoke {"ID":"8"}`,
		`POST /v3/kv/compaction {"revision":"4"}`,
	} {
		same(t, etcd, detcd, line)
	}
	want, got := metrics(t, etcd), metrics(t, detcd)
	for name, kind := range got.types {
		if want.types[name] != kind && !strings.HasPrefix(name, alone) &&
			!strings.HasPrefix(name, own) {
			t.Errorf("%s is a %s, in etcd %q", name, kind, want.types[name])
		}
	}
	for _, name := range script(t, "testdata/metrics.txt") {
		if g, ok := got.values[name]; !ok || g != want.values[name] {
			t.Errorf("%s is %q, in etcd %q", name, g, want.values[name])
		}
	}
	for _, name := range []string{
		"etcd_disk_wal_fsync_duration_seconds", "etcd_disk_backend_commit_duration_seconds",
		"etcd_network_client_grpc_sent_bytes_total", "go_goroutines", "process_resident_memory_bytes",
	} {
		if want.types[name] == "" || got.types[name] != want.types[name] {
			t.Errorf("%s is a %q, in etcd %q", name, got.types[name], want.types[name])
		}
	}
}
