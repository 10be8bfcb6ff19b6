package main

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Some flags of etcd are about things that detcd does not have or do. Whether one is taken or
// refused depends on what an operator who sets it is left with: a member that runs as well without
// (a size of a batch, a number of files to keep), or one that does not do what he relies on.

// An idle flag is taken and has no effect. Its values are those of etcd.
type idle struct {
	kind   string // bool, uint, int, duration, text, or the words that are allowed, with | between
	reason string
	value  string // as it was given
}

// Set refuses what etcd would refuse.
func (i *idle) Set(value string) (err error) {
	switch i.kind {
	case "text":
	case "bool":
		_, err = strconv.ParseBool(value)
	case "uint":
		_, err = strconv.ParseUint(value, 0, 64)
	case "int":
		_, err = strconv.ParseInt(value, 0, 64)
	case "duration":
		_, err = time.ParseDuration(value)
	default:
		if !slices.Contains(strings.Split(i.kind, "|"), value) {
			return fmt.Errorf("invalid value %q: one of %s", value, i.kind)
		}
	}
	if err != nil {
		return errParse
	}
	i.value = value
	return nil
}

// String is the default, which nobody needs to know.
func (i *idle) String() string { return "" }

// IsBoolFlag lets a flag stand without a value.
func (i *idle) IsBoolFlag() bool { return i.kind == "bool" }

// A refused flag asks for something that detcd does not do. Values that ask for what happens anyway
// are taken.
type refused struct {
	harmless []string
	reason   string
}

// Set refuses what would have an effect.
func (r *refused) Set(value string) error {
	if value == "" || slices.Contains(r.harmless, value) {
		return nil
	}
	return errors.New(r.reason)
}

// String is the default, which is empty.
func (r *refused) String() string { return "" }

// IsBoolFlag lets a flag stand without a value.
func (r *refused) IsBoolFlag() bool {
	return slices.Contains(r.harmless, "true") || slices.Contains(r.harmless, "false")
}

// rows splits a table: a name, a word, and the rest of the line.
func rows(table string, each func(name, word, rest string)) {
	for line := range strings.Lines(strings.TrimSpace(table)) {
		words := strings.Fields(line)
		each(words[0], words[1], strings.Join(words[2:], " "))
	}
}

// registerOthers adds the flags of etcd 3.7 that are not served.
func (s *settings) registerOthers() {
	rows(idleFlags, func(name, kind, reason string) {
		s.flags.Var(&idle{kind: kind, reason: reason}, name, "no effect: "+reason)
	})
	rows(refusedFlags, func(name, harmless, reason string) {
		values := strings.Split(harmless, "|")
		s.flags.Var(&refused{values, reason}, name, "only "+harmless+": "+reason)
	})
}

// noteIdle warns of flags that were set in vain, and of those that etcd is about to drop.
func (s *settings) noteIdle() {
	s.flags.Visit(func(f *flag.Flag) {
		if i, ok := f.Value.(*idle); ok {
			s.note(slog.LevelWarn, "this flag has no effect", slog.String("flag", f.Name),
				slog.String("reason", i.reason))
		}
		switch f.Name {
		case "max-snapshots":
			s.note(slog.LevelWarn,
				"--max-snapshots is deprecated in 3.6 and will be decommissioned in 3.8.")
		case flagV2:
			s.note(slog.LevelWarn, "--v2-deprecation is deprecated and scheduled for removal in v3.8. "+
				"The default value is enforced, ignoring user input.")
		case "bootstrap-defrag-threshold-megabytes":
			s.note(slog.LevelInfo, "Skipping defragmentation", slog.String("reason", "it is done in "+
				"small steps while the member runs"))
		}
	})
}

// flagV2 is about the store of v2, which was never here.
const flagV2 = "v2-deprecation"

const idleFlags = `
snapshot-count                   uint     bytes of the log decide when a checkpoint is saved
snapshot-catchup-entries         uint     what is kept for slow members is bounded in bytes
max-snapshots                    uint     one checkpoint is kept
max-wals                         uint     the log is kept as far back as it is needed
initial-election-tick-advance    bool     only a lone member need not wait
memory-mlock                     bool     no file is mapped into memory
backend-bbolt-freelist-type      text     bbolt only writes backups
backend-batch-interval           duration what gathers while a write is under way goes with the next
backend-batch-limit              int      what gathers while a write is under way goes with the next
compaction-batch-limit           int      compactions proceed in small steps
compaction-sleep-interval        duration compactions proceed in small steps
bootstrap-defrag-threshold-megabytes uint room is given back all the time
raft-read-timeout                duration connections of members have a pulse
raft-write-timeout               duration connections of members have a pulse
downgrade-check-time             duration a downgrade lasts until it is cancelled
peer-skip-client-san-verification bool    addresses and names of members are not compared
v2-deprecation write-only|write-only-skip-check|write-only-drop-data|gone there is no v2 store
distributed-tracing-address      text     traces are not exported
distributed-tracing-service-name text     traces are not exported
distributed-tracing-instance-id  text     traces are not exported
distributed-tracing-sampling-rate int     traces are not exported
logger                           zap      the lines are those of zap
`

const refusedFlags = `
discovery                  -     discovery by etcd v2 is not spoken: use --discovery-token
discovery-proxy            -     discovery by etcd v2 is not spoken
discovery-fallback         exit        there is no proxy to fall back to
enable-distributed-tracing false       traces are not exported
`
