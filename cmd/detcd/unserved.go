package main

import (
	"errors"
	"flag"
	"slices"
	"strings"
)

// An unserved flag is one of etcd that detcd knows and does not serve. Values that ask for what
// detcd does anyway are taken.
type unserved struct {
	harmless []string
	boolean  bool
}

var errUnserved = errors.New("this flag of etcd is not supported by detcd yet")

// Set refuses what would have an effect.
func (u *unserved) Set(value string) error {
	if value == "" || slices.Contains(u.harmless, value) {
		return nil
	}
	return errUnserved
}

// String is the default, which is empty.
func (u *unserved) String() string { return "" }

// IsBoolFlag lets a flag stand without a value.
func (u *unserved) IsBoolFlag() bool { return u.boolean }

// registerUnserved adds the flags of etcd 3.7 that are not served. Behind the name stands what is
// harmless; "bool" means that it needs no value.
func registerUnserved(f *flag.FlagSet) {
	for line := range strings.Lines(unservedFlags) {
		fields := strings.Fields(line)
		u := &unserved{harmless: fields[1:]}
		if len(fields) > 1 && fields[1] == "bool" {
			u.boolean, u.harmless = true, fields[2:]
		}
		f.Var(u, fields[0], "not supported yet")
	}
}

const unservedFlags = `config-file
initial-election-tick-advance bool true
max-snapshots 5
max-wals 5
memory-mlock bool false
backend-bbolt-freelist-type
backend-batch-interval
backend-batch-limit
socket-reuse-port bool false
socket-reuse-address bool false
raft-read-timeout
raft-write-timeout
discovery
discovery-token
discovery-endpoints
discovery-dial-timeout
discovery-request-timeout
discovery-keepalive-time
discovery-keepalive-timeout
discovery-insecure-transport bool true
discovery-insecure-skip-tls-verify bool false
discovery-cert
discovery-key
discovery-cacert
discovery-user
discovery-password
discovery-fallback exit
discovery-proxy
discovery-srv
discovery-srv-name
strict-reconfig-check bool true
pre-vote bool true
v2-deprecation
metrics basic
logger zap
log-outputs default stderr
enable-log-rotation bool false
log-rotation-config-json
warning-unary-request-duration
enable-distributed-tracing bool false
distributed-tracing-address
distributed-tracing-service-name
distributed-tracing-instance-id
distributed-tracing-sampling-rate 0
compaction-batch-limit
peer-skip-client-san-verification bool false true
warning-apply-duration
bootstrap-defrag-threshold-megabytes 0
max-learners 1
compaction-sleep-interval
downgrade-check-time
snapshot-catchup-entries
force-new-cluster bool false
`
