package server

import (
	"context"
	"errors"
	"log/slog"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"detcd/kv"
)

// Retention says how much history is kept; what is older is compacted by itself. The zero value
// keeps all. Not both may be set.
type Retention struct {
	Period    time.Duration // that many hours, say
	Revisions int64         // that many of the last
}

// A schedule decides when to compact and up to where, at etcd's moments. It knows no clock: who has
// one notes the revision, waits for the interval, asks what is due, and repeats.
//
//	period of 10 h   note every 6 min; after 10 h compact the first note, then every hour the
//	                 one that is a little older than 10 h
//	period of 10 min note every minute; after 10 min, then every 10 min
//	1000 revisions   every 5 min all but the last 1000
//
// Every member keeps a schedule, so that a new leader goes on where the one before it stopped.
type schedule struct {
	Retention
	past    []int64       // revisions that were noted, one for each interval of the period
	rest    time.Duration // between two compactions; the first comes after a whole period
	since   time.Duration // when the last compaction was, or the start
	reached int64         // what was compacted last
}

// How etcd divides time.
const (
	revisionsInterval = 5 * time.Minute
	periodRestMax     = time.Hour
	periodNotes       = 10 // in a rest
)

func newSchedule(retention Retention) *schedule {
	return &schedule{Retention: retention, rest: retention.Period}
}

// interval is between two looks.
func (s *schedule) interval() time.Duration {
	if s.Period == 0 {
		return revisionsInterval
	}
	return min(s.Period, periodRestMax) / periodNotes
}

// note remembers the present revision.
func (s *schedule) note(revision int64) {
	s.past = append(s.past, revision)
	if keep := int(s.Period/s.interval()) + 1; len(s.past) > keep {
		s.past = s.past[len(s.past)-keep:]
	}
}

// due is the revision to compact now, so long after the start; 0: none.
func (s *schedule) due(now time.Duration, revision int64) int64 {
	if s.Period == 0 {
		if target := revision - s.Revisions; target > 0 && target != s.reached {
			return target
		}
		return 0
	}
	if target := s.past[0]; now-s.since >= s.rest && target != s.reached {
		s.rest = min(s.Period, periodRestMax)
		return target
	}
	return 0
}

// compacted says that a revision was compacted, by this member or another.
func (s *schedule) compacted(now time.Duration, revision int64) {
	s.reached, s.since = revision, now
}

// errTiny is a period of which there is no tenth.
var errTiny = errors.New("auto-compaction-retention is too short")

func (r Retention) check() error {
	if r.Period != 0 && r.Period < periodNotes || r.Revisions < 0 {
		return errTiny
	}
	return nil
}

// compactor compacts while this member leads. What it proposes is an ordinary compaction.
func (s *Server) compactor(served *adapter) {
	plan, start := newSchedule(s.config.Upkeep.Retention), time.Now()
	if plan.Retention == (Retention{}) {
		return
	}
	for {
		revision := served.machine.revision()
		plan.note(revision)
		if !s.sleep(plan.interval()) {
			return
		}
		if !served.Node.Status().Leading {
			continue
		}
		target := plan.due(time.Since(start), served.machine.revision())
		if target == 0 {
			continue
		}
		log := s.config.Log.With(slog.Int64("revision", target))
		log.Info("starting auto compaction")
		if err := served.compact(target); err != nil {
			log.Warn("failed auto compaction", slog.Any("error", err))
			continue
		}
		plan.compacted(time.Since(start), target)
		log.Info("completed auto compaction")
	}
}

// sleep is false when the server stops meanwhile.
func (s *Server) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.stopping:
		return false
	case <-s.node.Load().Done():
		return false
	}
}

// compact compacts a revision. That it was compacted already is no error.
func (a *adapter) compact(revision int64) error {
	ctx, cancel := context.WithTimeout(context.Background(), a.config.requestTime())
	defer cancel()
	command := kv.Internal(&pb.CompactionRequest{Revision: revision})
	answer, err := a.Submit(ctx, command)
	if refused, ok := answer.(error); ok && err == nil {
		err = refused
	}
	if errors.Is(err, rpctypes.ErrGRPCCompacted) {
		return nil
	}
	return err
}
