package main

import (
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// sample has every kind of entry, as etcd's own sample does.
const sample = `
# Human-readable name for this member.
name: 'filed'
data-dir: /var/lib/x
wal-dir:
snapshot-count: 10000
heartbeat-interval: 100
election-timeout: 1000
quota-backend-bytes: 0
listen-peer-urls: http://localhost:2380
listen-client-urls: http://localhost:2379
max-snapshots: 5
max-wals: 5
cors:
initial-advertise-peer-urls: http://localhost:2380
advertise-client-urls: http://localhost:2379
discovery-srv:
initial-cluster: filed=http://localhost:2380
initial-cluster-token: 'etcd-cluster'
initial-cluster-state: 'new'
strict-reconfig-check: false
enable-pprof: true
grpc-keepalive-min-time: 7000000000
watch-progress-notify-interval: 600000000000
client-transport-security:
  cert-file: c
  key-file: k
  client-cert-auth: false
  trusted-ca-file:
  auto-tls: false
  allowed-hostname: [a, b]
peer-transport-security:
  cert-file:
  key-file:
  client-cert-auth: false
  auto-tls: true
  allowed-cn:
    - x
log-level: debug
logger: zap
log-outputs: [stderr]
force-new-cluster: false
auto-compaction-mode: periodic
auto-compaction-retention: "1"
cipher-suites: [
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
]
tls-min-version: 'TLS1.2'
socket-options:
  reuse-port: true
backend-batch-interval: 100
feature-gates: CompactHashCheck=true
discovery-fallback: 'proxy'
listen-metrics-urls: ""
proxy: off
`

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "detcd.yml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// The file says the same as these flags, and nothing else counts beside it.
func TestAFileIsTheSameAsFlags(t *testing.T) {
	file, err := parse(t, []string{"ETCD_MAX_TXN_OPS=7", "ETCD_CONFIG_FILE=/nowhere"},
		"--max-request-bytes=1", "--config-file="+write(t, sample))
	if err != nil {
		t.Fatal(err)
	}
	flags, err := parse(t, nil, "--name=filed", "--data-dir=/var/lib/x", "--enable-pprof",
		"--listen-client-urls=http://localhost:2379", "--advertise-client-urls=http://localhost:2379",
		"--grpc-keepalive-min-time=7s", "--strict-reconfig-check=false", "--socket-reuse-port",
		"--auto-compaction-retention=1", "--feature-gates=CompactHashCheck=true",
		"--initial-cluster=filed=http://localhost:2380", "--cert-file=c", "--key-file=k",
		"--client-cert-allowed-hostname=a,b", "--peer-auto-tls", "--peer-cert-allowed-cn=x",
		"--log-level=debug", "--log-outputs=stderr", "--cipher-suites="+
			"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384")
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(file.config, flags.config) {
		t.Errorf("%+v\n%+v", file.config, flags.config)
	}
	if !reflect.DeepEqual(file.client, flags.client) || !reflect.DeepEqual(file.peer, flags.peer) ||
		!reflect.DeepEqual(file.tls, flags.tls) || file.logLevel != flags.logLevel ||
		!reflect.DeepEqual(file.out, flags.out) {
		t.Errorf("%+v\n%+v", file, flags)
	}
	if file.config.MaxTxnOps != 128 || file.config.WatchProgressInterval != 10*time.Minute {
		t.Errorf("%+v", file.config)
	}
}

func TestDiscoveryInAFile(t *testing.T) {
	s, err := parse(t, []string{"ETCD_CONFIG_FILE=" + write(t, `
discovery-config:
  token: abc
  client:
    endpoints: [a:1, b:2]
    dial-timeout: 3000000000
    secure: {insecure-transport: false, cacert: ca}
    auth: {username: me, password: secret}
`)})
	if err != nil {
		t.Fatal(err)
	}
	d := s.config.Discovery
	if d.Token != "abc" || strings.Join(d.Client.Endpoints, " ") != "a:1 b:2" ||
		d.Client.DialTimeout != 3*time.Second || d.Client.Secure.Cacert != "ca" ||
		d.Client.Secure.InsecureTransport || d.Client.Auth.Password != "secret" {
		t.Errorf("%+v %+v %+v", d, d.Client.Secure, d.Client.Auth)
	}
}

func TestWhatIsWrongInAFileIsSaid(t *testing.T) {
	for text, want := range map[string]string{
		"- a":                             "it is not a map of names to values",
		"a: b: c":                         "mapping values are not allowed",
		"heartbeat-interval: often":       "heartbeat-interval: often: parse error",
		"enable-pprof: 7x":                "enable-pprof: 7x",
		"name: {a: b}":                    "name: map[a:b]: parse error",
		"log-outputs: [[a]]":              "parse error",
		"client-transport-security: [a]":  "",
		"unheard-of: 1":                   "",
		"election-timeout: 100":           "should be at least as 5 times",
		"backend-batch-interval: 100ms":   "",
		"backend-batch-interval: nothing": "parse error",
		"pre-vote: perhaps":               "parse error",
	} {
		_, err := parse(t, nil, "--config-file", write(t, text))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

// Whatever is in a file, there are settings or an error.
func FuzzFile(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte("discovery-config: {client: {auth: {username: 1}}}"))
	f.Add([]byte("feature-gates: AllAlpha=true\nlog-outputs: [a, [b]]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s := newSettings()
		if s.fill(text) == nil && s.derive() == nil {
			_ = s.config.Validate()
			s.usage(io.Discard)
		}
	})
}
