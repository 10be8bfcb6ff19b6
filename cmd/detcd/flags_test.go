package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/types"

	"detcd/cmd/detcd/testbed"
	"detcd/kv/server"
)

func parse(t *testing.T, environ []string, args ...string) (*settings, error) {
	t.Helper()
	s := newSettings()
	err := s.parse(args, environ)
	if err == nil {
		err = s.config.Validate()
	}
	return s, err
}

func TestNothingGivenIsEtcdsDefault(t *testing.T) {
	s, err := parse(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := s.config
	if c.Name != "default" || c.DataDir != "default.etcd" ||
		c.ListenClientURLs.String() != "http://localhost:2379" ||
		c.ListenPeerURLs.String() != "http://localhost:2380" ||
		c.InitialCluster.String() != "default=http://localhost:2380" ||
		c.InitialClusterToken != "etcd-cluster" || c.HeartbeatInterval != 100*time.Millisecond ||
		c.ElectionTimeout != time.Second || c.MaxRequestBytes != 1572864 || c.MaxTxnOps != 128 {
		t.Errorf("%+v", c)
	}
}

func TestOneDashOrTwoAndTheLastOneCounts(t *testing.T) {
	s, err := parse(t, nil, "-name", "a", "--data-dir=/x", "-data-dir", "/y",
		"-initial-cluster", "a=http://localhost:2380,b=http://10.0.0.2:2380,b=http://10.0.0.3:2380",
		"--initial-cluster-state=existing", "-heartbeat-interval", "50", "--unsafe-no-fsync",
		"--watch-progress-notify-interval", "1m", "--max-concurrent-streams=7", "--max-txn-ops=9")
	if err != nil {
		t.Fatal(err)
	}
	c := s.config
	if c.Name != "a" || c.DataDir != "/y" || !c.Existing || !c.UnsafeNoFsync ||
		c.HeartbeatInterval != 50*time.Millisecond || len(c.InitialCluster["b"]) != 2 ||
		c.WatchProgressInterval != time.Minute || c.MaxConcurrentStreams != 7 || c.MaxTxnOps != 9 {
		t.Errorf("%+v", c)
	}
}

func TestANameAloneNamesTheCluster(t *testing.T) {
	s, err := parse(t, nil, "--name=m1", "--initial-advertise-peer-urls=http://10.0.0.1:2380")
	if err != nil {
		t.Fatal(err)
	}
	if got := s.config.InitialCluster.String(); got != "m1=http://10.0.0.1:2380" {
		t.Errorf("initial cluster %s", got)
	}
	if s.config.DataDir != "m1.etcd" {
		t.Errorf("data dir %s", s.config.DataDir)
	}
}

func TestTheEnvironmentCountsWhereNoFlagIsGiven(t *testing.T) {
	s, err := parse(t, []string{"ETCD_NAME=env", "ETCD_ELECTION_TIMEOUT=1200", "ETCD_DATA_DIR=",
		"ETCD_NONSENSE=1", "HOME=/root"}, "--name=flag")
	if err != nil {
		t.Fatal(err)
	}
	if s.config.Name != "flag" || s.config.ElectionTimeout != 1200*time.Millisecond ||
		s.config.DataDir != "flag.etcd" {
		t.Errorf("%+v", s.config)
	}
	var lines bytes.Buffer
	log, err := newLog(&lines, "info", "json")
	if err != nil {
		t.Fatal(err)
	}
	s.report(log)
	for _, want := range []string{
		`"msg":"recognized and used environment variable","variable-name":"ETCD_ELECTION_TIMEOUT"`,
		`"msg":"environment variable is shadowed by its command-line flag"`,
		`"msg":"unrecognized environment variable","environment-variable":"ETCD_NONSENSE=1"`,
	} {
		if !strings.Contains(lines.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, &lines)
		}
	}
}

func TestWhatIsWrongIsSaid(t *testing.T) {
	for _, c := range []struct {
		args, environ []string
		want          string
	}{
		{args: []string{"--foo"}, want: "flag provided but not defined: -foo"},
		{args: []string{"--name"}, want: "flag needs an argument: -name"},
		{args: []string{"extra"}, want: `"extra" is not a valid flag`},
		{args: []string{"--heartbeat-interval=abc"},
			want: `invalid value "abc" for flag -heartbeat-interval: parse error`},
		{args: []string{"--max-txn-ops=-1"},
			want: `invalid value "-1" for flag -max-txn-ops: parse error`},
		{args: []string{"--listen-peer-urls=localhost:1"},
			want: "URL scheme must be http, https, unix, or unixs: localhost:1"},
		{args: []string{"--initial-cluster-state=foo"}, want: "invalid value"},
		{args: []string{"--election-timeout=100"}, want: "--election-timeout[100ms] should be at " +
			"least as 5 times as --heartbeat-interval[100ms]"},
		{args: []string{"--election-timeout=60000"},
			want: "--election-timeout[60000ms] is too long, and should be set less than 50000ms"},
		{args: []string{"--listen-client-urls=http://127.0.0.1:1"}, want: "--advertise-client-urls " +
			"is required when --listen-client-urls is set explicitly"},
		{args: []string{"--listen-client-urls=http://foo.example:2379"},
			want: "expected IP in URL for binding (http://foo.example:2379)"},
		{args: []string{"--listen-client-urls=https://127.0.0.1:1",
			"--advertise-client-urls=https://127.0.0.1:1"}, want: "TLS key/cert (--cert-file, " +
			"--key-file) must be provided for client url 127.0.0.1:1 with HTTPS scheme"},
		{args: []string{"--listen-metrics-urls=https://127.0.0.1:1"}, want: "client TLS key/cert " +
			"(--cert-file, --key-file) must be provided for metrics secure url (127.0.0.1:1)"},
		{args: []string{"--listen-peer-urls=https://127.0.0.1:1"},
			want: "cannot listen on TLS for 127.0.0.1:1"},
		{args: []string{"--tls-min-version=TLS1.1"}, want: `unexpected TLS version "TLS1.1"`},
		{args: []string{"--tls-min-version=TLS1.3", "--tls-max-version=TLS1.2"},
			want: "min version (TLS1.3) is greater than max version (TLS1.2)"},
		{args: []string{"--cipher-suites=A"}, want: `unexpected TLS cipher suite "A"`},
		{args: []string{"--tls-min-version=TLS1.3", "--cipher-suites=TLS_RSA_WITH_AES_128_CBC_SHA"},
			want: "cipher suites cannot be configured when only TLS1.3 is enabled"},
		{args: []string{"--cors=a"}, want: "URL scheme must be http, https, unix, or unixs: a"},
		{args: []string{"--config-file=/nowhere"}, want: "open /nowhere: no such file"},
		{environ: []string{"ETCD_CONFIG_FILE=/nowhere"}, want: "open /nowhere: no such file"},
		{args: []string{"--discovery=http://d"}, want: "use --discovery-token"},
		{args: []string{"--pre-vote=perhaps"}, want: "parse error"},
		{args: []string{"--backend-batch-interval=1"}, want: "parse error"},
		{args: []string{"--max-wals=-1"}, want: "parse error"},
		{args: []string{"--logger=x"}, want: `invalid value "x": one of zap`},
		{args: []string{"--v2-deprecation=not-yet"},
			want: `invalid value "not-yet" for flag -v2-deprecation: invalid value "not-yet"`},
		{args: []string{"--auto-compaction-mode="}, want: "undefined auto-compaction-mode"},
		{args: []string{"--advertise-client-urls="}, want: "--advertise-client-urls is required"},
		{args: []string{"--discovery-fallback=proxy"}, want: "there is no proxy to fall back to"},

		{args: []string{"--feature-gates=Nope=true"}, want: "unrecognized feature gate: Nope"},
		{args: []string{"--feature-gates=AllAlpha"}, want: "missing bool value for AllAlpha"},
		{args: []string{"--feature-gates=AllAlpha=maybe"}, want: "invalid value of AllAlpha=maybe"},
		{args: []string{"--feature-gates=LeaseCheckpointPersist=true"},
			want: "requires enabling feature gate LeaseCheckpoint"},
		{args: []string{"--compact-hash-check-time=0s"},
			want: "--compact-hash-check-time must be >0 (set to 0s)"},
		{args: []string{"--auto-compaction-mode=x"}, want: `unknown auto-compaction-mode "x"`},
		{args: []string{"--auto-compaction-retention=x"},
			want: "error parsing CompactionRetention: time: invalid duration"},
		{environ: []string{"ETCD_HEARTBEAT_INTERVAL=abc"},
			want: `invalid value "abc" for ETCD_HEARTBEAT_INTERVAL: parse error`},
	} {
		_, err := parse(t, c.environ, c.args...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q %q:\n got %v\nwant %s", c.args, c.environ, err, c.want)
		}
	}
}

func TestFlagsThatAskForWhatHappensAnywayAreTaken(t *testing.T) {
	_, err := parse(t, nil, "--auto-tls=false", "--pre-vote", "--logger=zap", "--cors=*",
		"--auto-compaction-retention=0", "--cert-file=", "--log-outputs=stderr")
	if err != nil {
		t.Error(err)
	}
}

// Templates leave values empty and write them in capitals; etcd takes that.
func TestEmptyValuesAndCapitalsAreTaken(t *testing.T) {
	s, err := parse(t, nil, "--listen-metrics-urls=", "--listen-client-http-urls=", "--log-level=",
		"--log-format=", "--auto-compaction-retention=", "--metrics=", "--initial-cluster=",
		"--backend-bbolt-freelist-type=", "--cors=", "--listen-peer-urls=", "--wal-dir=")
	if err != nil {
		t.Fatal(err)
	}
	c := &s.config
	if c.Web.ListenURLs != nil || c.Web.ObserverURLs != nil || c.ListenPeerURLs != nil ||
		c.Upkeep.Retention != (server.Retention{}) || c.Web.Extensive {
		t.Errorf("%+v", c)
	}
	for _, level := range []string{"", "INFO", "Debug", "dpanic"} {
		if _, err := newLog(io.Discard, level, ""); err != nil {
			t.Errorf("level %q: %v", level, err)
		}
	}
}

func TestTheSameURLTwiceIsOne(t *testing.T) {
	twice := func(url string) string { return url + "," + url }
	s, err := parse(t, nil, "--listen-client-urls="+twice("http://127.0.0.1:1"),
		"--advertise-client-urls="+twice("http://a:1"), "--listen-peer-urls="+twice("http://127.0.0.1:2"),
		"--initial-advertise-peer-urls="+twice("http://localhost:2380"),
		"--listen-metrics-urls="+twice("http://127.0.0.1:3"))
	if err != nil {
		t.Fatal(err)
	}
	c := &s.config
	for _, urls := range []types.URLs{c.ListenClientURLs, c.AdvertiseClientURLs, c.ListenPeerURLs,
		c.AdvertisePeerURLs, c.Web.ObserverURLs} {
		if len(urls) != 1 {
			t.Errorf("%s", urls)
		}
	}
}

// Whoever wonders what a member was told finds it in one line, with etcd's keys; of flags without
// effect those that were given. What etcd is about to drop is said in etcd's words.
func TestTheConfigurationIsOneLine(t *testing.T) {
	s, err := parse(t, nil, "--name=m", "--snapshot-catchup-entries=1000", "--max-snapshots=10",
		"--v2-deprecation=gone", "--discovery-password=secret",
		"--bootstrap-defrag-threshold-megabytes=1000")
	if err != nil {
		t.Fatal(err)
	}
	var lines bytes.Buffer
	log, err := newLog(&lines, "info", "json")
	if err != nil {
		t.Fatal(err)
	}
	s.report(log)
	log.Info("starting an etcd server", s.effective()...)
	for _, want := range []string{
		`"msg":"starting an etcd server"`, `"name":"m"`, `"snapshot-catchup-entries":1000`,
		`"max-snapshots":10`, `"v2-deprecation":"write-only"`, `"election-timeout":"1s"`,
		`"listen-client-urls":["http://localhost:2379"]`, `"quota-backend-bytes":2147483648`,
		`"initial-cluster":"m=http://localhost:2380"`,
		`--max-snapshots is deprecated in 3.6 and will be decommissioned in 3.8`,
		`--v2-deprecation is deprecated and scheduled for removal in v3.8. The default value is ` +
			`enforced, ignoring user input`,
		"Skipping defragmentation",
	} {
		if !strings.Contains(lines.String(), want) {
			t.Errorf("the log lacks %s:\n%s", want, &lines)
		}
	}
	for _, secret := range []string{"secret", "max-wals"} {
		if strings.Contains(lines.String(), secret) {
			t.Errorf("the log has %s:\n%s", secret, &lines)
		}
	}
}

// Whatever etcd lists in its help is a flag here, too. A few of its names are no flags of the
// server.
func TestEveryFlagOfEtcdIsKnown(t *testing.T) {
	help, err := exec.Command(testbed.Tool(t, "etcd"), "--help").CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	const atLeast = 110
	s, names := newSettings(), 0
	for _, match := range regexp.MustCompile(`(?m)^ +--([a-z0-9-]+)`).FindAllSubmatch(help, -1) {
		name := string(match[1])
		if names++; s.flags.Lookup(name) == nil {
			t.Errorf("--%s is not known", name)
		}
	}
	if names < atLeast {
		t.Errorf("etcd lists %d flags", names)
	}
}

func TestTheProgramSaysWhatItIs(t *testing.T) {
	for _, c := range []struct {
		args   string
		status int
		out    []string
	}{
		{"--version", exitClean, []string{"detcd Version: ", "\netcd Version: 3.7.", "Go OS/Arch: "}},
		{"--help", exitClean, []string{"--data-dir path", "(default 100)", "detcd verify"}},
		{"verify -h", exitClean, []string{"Usage: detcd verify"}},
		{"--foo", exitUsage, []string{"detcd: flag provided but not defined: -foo"}},
		{"--max-txn-ops=x", exitUsage, []string{`"x" for flag -max-txn-ops: parse error`}},
		{"--auto-compaction-mode=x", exitError, []string{"unknown auto-compaction-mode"}},
		{"--log-level=loud", exitError, []string{`unrecognized level: "loud"`}},
		{"--log-format=xml", exitError, []string{`unknown log format: "xml"`}},
		{"--election-timeout=1", exitError, []string{`"msg":"failed to verify flags","error":"--elec`}},
		{"verify extra", exitError, []string{`"extra" is not a valid flag`}},
		{"verify --data-dir=/nowhere", exitError, []string{"no data directory of a member"}},
	} {
		var out bytes.Buffer
		status, sig := run(strings.Fields(c.args), nil, &out, &out)
		if status != c.status || sig != nil {
			t.Errorf("%s: status %d, want %d", c.args, status, c.status)
		}
		for _, want := range c.out {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%s: the output lacks %q:\n%s", c.args, want, &out)
			}
		}
	}
}

func TestTheLogReadsAsEtcds(t *testing.T) {
	var out bytes.Buffer
	log, err := newLog(&out, "info", "json")
	if err != nil {
		t.Fatal(err)
	}
	log = log.With("member", "a")
	log.Warn(`a "text"`, slog.Any("error", errors.New("why")), slog.Int("n", 3))
	log.Info("plain")
	log.Debug("unseen")
	lines := slices.Collect(strings.Lines(out.String()))
	if len(lines) != 2 || !strings.HasPrefix(lines[0], `{"level":"warn","ts":"2`) {
		t.Fatalf("%q", lines)
	}
	var line struct{ Level, TS, Caller, Msg, Error, Member string }
	if err := json.Unmarshal([]byte(lines[0]), &line); err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(line.Level, line.Msg, line.Error, line.Member)
	if got != `warna "text"whya` || !strings.HasPrefix(line.Caller, "detcd/flags_test.go:") {
		t.Errorf("%+v", line)
	}
	out.Reset()
	people, err := newLog(&out, "debug", "console")
	if err != nil {
		t.Fatal(err)
	}
	people.Info("plain")
	people.Error("with", "n", 1)
	if got := out.String(); !strings.Contains(got, "\tinfo\tdetcd/flags_test.go:") ||
		!strings.Contains(got, "\tplain\n") || !strings.HasSuffix(got, "\twith\t{\"n\":1}\n") {
		t.Errorf("%q", got)
	}
}
