package main

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"time"
)

func (s *settings) registerUpkeep() {
	f := s.flags
	f.StringVar(&s.retain, "auto-compaction-retention", "0",
		"`length` of history that is kept: hours, or a duration, or a number of revisions; 0: all")
	f.StringVar(&s.mode, "auto-compaction-mode", "periodic", "periodic or revision: `what` the "+
		"retention counts")
	f.DurationVar(&s.config.Upkeep.CheckEvery, "corrupt-check-time", 0,
		"`time` between two comparisons of all members' histories by the leader; 0: never")
	f.DurationVar(&s.compactCheck, "compact-hash-check-time", time.Minute, "`time` between two "+
		"comparisons of the last compactions, with --feature-gates=CompactHashCheck=true")
	f.StringVar(&s.gates, "feature-gates", "",
		"`name=true,...`: CompactHashCheck, InitialCorruptCheck; etcd's others have no effect")
}

// deriveRetention reads a retention as etcd does: a whole number counts hours or revisions, and
// anything else is a duration.
func (s *settings) deriveRetention() error {
	retention := &s.config.Upkeep.Retention
	retain := cmp.Or(s.retain, "0")
	length, err := strconv.ParseInt(retain, 10, 64)
	period := time.Duration(length) * time.Hour
	if err != nil || length < 0 {
		if period, err = time.ParseDuration(retain); err != nil {
			return fmt.Errorf("error parsing CompactionRetention: %w", err)
		}
		length = int64(period)
	}
	switch s.mode {
	case "periodic":
		retention.Period = max(period, 0)
	case "revision":
		retention.Revisions = max(length, 0)
	case "":
		return errors.New("undefined auto-compaction-mode")
	default:
		return fmt.Errorf("unknown auto-compaction-mode %q", s.mode)
	}
	return nil
}
