package bench

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// A Measurement measures a running cluster in a way of its own. Load says what to send where.
type Measurement func(ctx context.Context, running Running, load Options) (*Report, error)

// The figures that only some measurements have.
const (
	FillSeconds    Measure = "fill s"
	DiskUse        Measure = "disk MB" // of all of a member's files
	FirstRead      Measure = "start to read ms"
	ResidentAgain  Measure = "resident restarted MB"
	CatchUpSeconds Measure = "catch-up s"
)

// Limits of waits that end a measurement.
const (
	startLimit   = 5 * time.Minute
	catchUpLimit = 5 * time.Minute
	stopGrace    = time.Minute
)

// Population fills a member with keys and leaves it alone for a while. Then it reads what the
// member holds of memory and disk, stops it, and starts it again: how long until it answers a
// linearizable read? The page cache is warm.
func Population(quiet time.Duration) Measurement {
	return func(ctx context.Context, running Running, o Options) (*Report, error) {
		if err := o.normalize(); err != nil {
			return nil, err
		}
		begin := time.Now()
		if err := load(ctx, &o, Put); err != nil {
			return nil, fmt.Errorf("bench: fill: %w", err)
		}
		filled := time.Since(begin)
		if err := pause(ctx, quiet); err != nil {
			return nil, err
		}
		process, err := ReadProcess(running.PIDs[0])
		if err != nil {
			return nil, err
		}
		member := running.Members[0]
		bytes, err := DirectoryBytes(member.DataDir())
		if err != nil {
			return nil, err
		}
		took, err := restart(ctx, member, &o)
		if err != nil {
			return nil, err
		}
		again, err := ReadProcess(member.PID())
		if err != nil {
			return nil, err
		}
		r := bareReport(&o, int64(o.Keys), filled)
		r.Servers = []ProcessUse{process}
		r.Figures = map[Measure]float64{
			FillSeconds:   filled.Seconds(),
			DiskUse:       float64(bytes) / 1e6,
			FirstRead:     took.Seconds() * 1e3,
			ResidentAgain: float64(again.ResidentBytes) / 1e6,
		}
		return r, nil
	}
}

// restart stops a member and starts it again, and returns the time from start to the first answer.
func restart(ctx context.Context, member Member, o *Options) (time.Duration, error) {
	if err := member.Stop(stopGrace); err != nil {
		return 0, err
	}
	begin := time.Now()
	if err := member.Start(); err != nil {
		return 0, err
	}
	key := make([]byte, o.KeySize)
	writeKey(key, o.Keys-1)
	err := await(ctx, startLimit, "first read", func() (bool, error) {
		// A connection that was refused waits before it dials again, so each question has its own.
		conn, err := dialOnce(member.Endpoint())
		if err != nil {
			return false, err
		}
		defer conn.Close()
		ctx, cancel := context.WithTimeout(ctx, startLimit)
		defer cancel()
		answer, err := etcdserverpb.NewKVClient(conn).Range(ctx, &etcdserverpb.RangeRequest{Key: key})
		if err != nil {
			return false, err
		}
		if len(answer.Kvs) != 1 {
			return false, errors.New("the last key is gone")
		}
		return true, nil
	})
	return time.Since(begin), err
}

// CatchUp stops a follower, writes what the load says, starts the follower again, and waits until
// it has all of it.
func CatchUp(ctx context.Context, running Running, o Options) (*Report, error) {
	conn, err := dialOnce(running.Members[0].Endpoint())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	leader, err := memberStatus(ctx, conn)
	if err != nil {
		return nil, err
	}
	follower := running.Members[1]
	if leader.Leader != leader.Header.MemberId {
		follower = running.Members[0]
	}
	if err := follower.Stop(stopGrace); err != nil {
		return nil, err
	}
	o.Endpoints = nil
	var target int64
	for _, m := range running.Members {
		if m != follower {
			o.Endpoints = append(o.Endpoints, m.Endpoint())
		}
	}
	o.PIDs = nil
	o.Duration, o.WarmUp = 0, 0
	report, err := Run(ctx, o)
	if err != nil {
		return nil, err
	}
	other, err := dialOnce(o.Endpoints[0])
	if err != nil {
		return nil, err
	}
	defer other.Close()
	now, err := memberStatus(ctx, other)
	if err != nil {
		return nil, err
	}
	target = now.Header.Revision
	begin := time.Now()
	if err := follower.Start(); err != nil {
		return nil, err
	}
	err = await(ctx, catchUpLimit, "catch up", func() (bool, error) {
		behind, err := dialOnce(follower.Endpoint())
		if err != nil {
			return false, err
		}
		defer behind.Close()
		now, err := memberStatus(ctx, behind)
		return err == nil && now.Header.Revision >= target, err
	})
	report.Figures = map[Measure]float64{CatchUpSeconds: time.Since(begin).Seconds()}
	return report, err
}

// dialOnce makes a connection for a few calls.
func dialOnce(endpoint string) (*grpc.ClientConn, error) {
	conn, err := grpc.NewClient("passthrough:///"+endpoint,
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, fmt.Errorf("bench: connect to %s: %w", endpoint, err)
	}
	return conn, nil
}

func memberStatus(
	ctx context.Context, conn *grpc.ClientConn,
) (*etcdserverpb.StatusResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, wireDialTimeout)
	defer cancel()
	return etcdserverpb.NewMaintenanceClient(conn).Status(ctx, &etcdserverpb.StatusRequest{})
}

// bareReport is a report of a measurement that counts no latencies.
func bareReport(o *Options, operations int64, elapsed time.Duration) *Report {
	r := newReport(o, newRecorder(), elapsed, 0, use{syncs: -1}, use{syncs: -1})
	r.Operations, r.PerSecond = operations, float64(operations)/elapsed.Seconds()
	return r
}

// DirectoryBytes returns what the files below a directory occupy on their disk.
func DirectoryBytes(dir string) (int64, error) {
	var sum int64
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		sum += occupied(info)
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("bench: size of a directory: %w", err)
	}
	return sum, nil
}

// pause waits, unless ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
