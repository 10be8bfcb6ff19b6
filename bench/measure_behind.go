package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"
)

// The figures of a follower that is behind.
const (
	LevelOverLink   Measure = "level : link"   // the time, by what the link needs for the bytes
	BesideOverQuiet Measure = "beside : quiet" // p99 of puts meanwhile, by that without the follower
	BesideP99       Measure = "beside p99 ms"  // mean of the slices
)

// An Absence says what goes on while a follower is behind.
type Absence struct {
	Rate  float64       // of puts, without the follower and while it catches up
	Link  int64         // bytes a second that the way to the follower carries
	Quiet time.Duration // of these puts without the follower; 10 s
	Slice time.Duration // of these puts while it catches up, again and again; 5 s
}

const (
	levelTime     = 300 * time.Millisecond // of puts that a level follower may lack
	levelInterval = 50 * time.Millisecond  // between two looks at both
)

// Behind stops a follower, writes what the load says, and then goes on to write at a rate: first
// without the follower, and then while it catches up, until it is level.
func Behind(a Absence) Measurement {
	a.Quiet, a.Slice = cmp.Or(a.Quiet, 10*time.Second), cmp.Or(a.Slice, 5*time.Second)
	return func(ctx context.Context, running Running, o Options) (*Report, error) {
		leader, follower, err := leaderAndFollower(ctx, running)
		if err != nil {
			return nil, err
		}
		if err := follower.Stop(stopGrace); err != nil {
			return nil, err
		}
		o.Endpoints, o.PIDs, o.Sequential = []string{leader.Endpoint()}, nil, true
		if _, err := Run(ctx, o); err != nil {
			return nil, fmt.Errorf("bench: fill: %w", err)
		}
		bytes := float64(o.Total) * float64(o.KeySize+o.ValueSize)
		o.Total, o.Duration, o.Rate, o.Sequential = 0, a.Quiet, a.Rate, false
		quiet, err := Run(ctx, o)
		if err != nil {
			return nil, err
		}
		bytes += float64(quiet.Operations) * float64(o.KeySize+o.ValueSize)
		if err := follower.Start(); err != nil {
			return nil, err
		}
		took, beside, err := untilLevel(ctx, leader, follower, o, a.Slice)
		if err != nil {
			return nil, err
		}
		quiet.Figures = map[Measure]float64{
			CatchUpSeconds:  took.Seconds(),
			LevelOverLink:   took.Seconds() * float64(a.Link) / bytes,
			QuietP99:        quiet.Latency.P99,
			BesideP99:       beside,
			BesideOverQuiet: beside / quiet.Latency.P99,
		}
		return quiet, nil
	}
}

// leaderAndFollower returns the member that leads and one that does not.
func leaderAndFollower(ctx context.Context, running Running) (leader, follower Member, err error) {
	for _, m := range running.Members {
		conn, err := dialOnce(m.Endpoint())
		if err != nil {
			return nil, nil, err
		}
		status, err := memberStatus(ctx, conn)
		if err = errors.Join(err, conn.Close()); err != nil {
			return nil, nil, err
		}
		if status.Leader == status.Header.MemberId {
			leader = m
		} else {
			follower = m
		}
	}
	if leader == nil || follower == nil {
		return nil, nil, errors.New("bench: want a leader and a follower")
	}
	return leader, follower, nil
}

// untilLevel writes until the follower is level. It returns how long that took, and the mean of the
// p99 of the slices.
func untilLevel(
	ctx context.Context, leader, follower Member, o Options, slice time.Duration,
) (took time.Duration, p99 float64, err error) {
	begin := time.Now()
	level := make(chan error, 1)
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		err := await(inner, catchUpLimit, "be level", func() (bool, error) {
			if err := pause(inner, levelInterval); err != nil {
				return false, err
			}
			return isLevel(inner, leader, follower, int64(o.Rate*levelTime.Seconds()))
		})
		took = time.Since(begin)
		level <- err
	}()
	o.Duration = slice
	for slices := 1; ; slices++ {
		report, err := Run(ctx, o)
		if err != nil {
			cancel()
			return 0, 0, errors.Join(err, <-level)
		}
		p99 += (report.Latency.P99 - p99) / float64(slices)
		select {
		case err := <-level:
			return took, p99, err
		default:
		}
	}
}

func isLevel(ctx context.Context, leader, follower Member, lag int64) (bool, error) {
	var applied [2]int64
	for i, m := range []Member{follower, leader} {
		conn, err := dialOnce(m.Endpoint())
		if err != nil {
			return false, err
		}
		status, err := memberStatus(ctx, conn)
		if err = errors.Join(err, conn.Close()); err != nil {
			return false, err
		}
		applied[i] = status.Header.Revision
	}
	return applied[0] >= applied[1]-lag, nil
}
