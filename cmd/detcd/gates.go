package main

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"detcd/kv/server"
)

// gates are etcd's names for what may be switched on or off. Each has a stage and a default.
type gates map[string]bool

// The features of etcd 3.7. What detcd has no use for is taken: it is about how etcd does something
// that detcd does in its own way, or about what detcd does not do.
const (
	gateCompactHash  = "CompactHashCheck"
	gateInitialCheck = "InitialCorruptCheck"
	gateCheckpoint   = "LeaseCheckpoint"
	gatePersist      = "LeaseCheckpointPersist"
)

const gateTable = `
alpha CompactHashCheck
beta  FastLeaseKeepAlive
alpha InitialCorruptCheck
alpha LeaseCheckpoint
alpha LeaseCheckpointPersist
alpha PriorityRequest
alpha SetMemberLocalAddr
alpha StopGRPCServiceOnDefrag
beta  TxnModeWriteWithSharedBuffer
`

// features lists the gates in the order of their names.
func (g gates) features() (all []server.Feature) {
	for line := range strings.Lines(strings.TrimSpace(gateTable)) {
		words := strings.Fields(line)
		all = append(all, server.Feature{
			Name: words[1], Stage: strings.ToUpper(words[0]), Enabled: g[words[1]],
		})
	}
	return all
}

// parseGates reads "Name=true,Name=false". AllAlpha and AllBeta are for those that are not named.
func parseGates(text string) (gates, error) {
	stages, set := map[string]string{}, gates{}
	for line := range strings.Lines(strings.TrimSpace(gateTable)) {
		words := strings.Fields(line)
		stages[words[1]] = words[0]
	}
	all := map[string]bool{"beta": true}
	named := gates{}
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, value, ok := strings.Cut(part, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !ok {
			return nil, fmt.Errorf("missing bool value for %s", name)
		}
		on, err := strconv.ParseBool(value)
		if err != nil {
			return nil, fmt.Errorf("invalid value of %s=%s, err: %w", name, value, err)
		}
		_, known := stages[name]
		switch {
		case name == "AllAlpha", name == "AllBeta":
			all[strings.ToLower(strings.TrimPrefix(name, "All"))] = on
		case known:
			named[name] = on
		default:
			return nil, fmt.Errorf("unrecognized feature gate: %s", name)
		}
	}
	for name, stage := range stages {
		on, ok := named[name]
		set[name] = ok && on || !ok && all[stage]
	}
	if set[gatePersist] && !set[gateCheckpoint] {
		return nil, fmt.Errorf("enabling feature gate %s requires enabling feature gate %s",
			gatePersist, gateCheckpoint)
	}
	return set, nil
}

// deriveGates lets the gates have their effect.
func (s *settings) deriveGates() error {
	set, err := parseGates(s.gates)
	if err != nil {
		return err
	}
	s.config.Features = set.features()
	upkeep := &s.config.Upkeep
	upkeep.CheckAtStart = set[gateInitialCheck]
	if s.compactCheck <= 0 {
		return fmt.Errorf("--compact-hash-check-time must be >0 (set to %v)", s.compactCheck)
	}
	if set[gateCompactHash] {
		upkeep.CheckCompactions = s.compactCheck
	}
	for _, name := range []string{
		gateCheckpoint, "PriorityRequest", "SetMemberLocalAddr", "StopGRPCServiceOnDefrag",
	} {
		if set[name] {
			s.notes = append(s.notes, func(log *slog.Logger) {
				log.Warn("this feature gate has no effect", slog.String("feature", name))
			})
		}
	}
	return nil
}
