package main

import (
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
}

// deriveRetention reads a retention as etcd does: a whole number counts hours or revisions, and
// anything else is a duration.
func (s *settings) deriveRetention() error {
	retention := &s.config.Upkeep.Retention
	length, err := strconv.ParseInt(s.retain, 10, 64)
	period := time.Duration(length) * time.Hour
	if err != nil || length < 0 {
		if period, err = time.ParseDuration(s.retain); err != nil {
			return fmt.Errorf("error parsing CompactionRetention: %w", err)
		}
		length = int64(period)
	}
	switch s.mode {
	case "periodic":
		retention.Period = max(period, 0)
	case "revision":
		retention.Revisions = max(length, 0)
	default:
		return fmt.Errorf("unknown auto-compaction-mode %q", s.mode)
	}
	return nil
}
