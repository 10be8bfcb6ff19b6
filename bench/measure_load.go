package bench

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
)

// The figures of loads beside which something else goes on.
const (
	Ranges           Measure = "ranges/s" // that ran beside
	QuietP99         Measure = "quiet p99 ms"
	CompactingP99    Measure = "compacting p99 ms"
	CompactingRatio  Measure = "compacting : quiet"
	DefragmentingP99 Measure = "defragment p99 ms"
	DefragmentRatio  Measure = "defragment : quiet"
	CallMillis       Measure = "empty call p50 ms"
	SyncMillis       Measure = "fdatasync p50 ms"
	OverMachine      Measure = "put : call + sync"
	LeastGrowth      Measure = "least growth"
)

// PutsPerSync is the figure of so many clients.
func PutsPerSync(clients int) Measure { return Measure(fmt.Sprintf("puts/sync, %d", clients)) }

// Beside measures a load while another one runs on the same cluster.
func Beside(other Options) Measurement {
	return func(ctx context.Context, _ Running, o Options) (*Report, error) {
		other := other
		other.Endpoints, other.Transport = o.Endpoints, o.Transport
		if err := other.normalize(); err == nil {
			return nil, fmt.Errorf("%w: what runs beside has no end of its own", ErrOptions)
		}
		other.Duration = o.WarmUp + o.Duration + besideTail
		if err := other.normalize(); err != nil {
			return nil, err
		}
		if err := prepare(ctx, &other); err != nil {
			return nil, err
		}
		other.SkipLoad = true
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		var group sync.WaitGroup
		var beside *Report
		group.Go(func() {
			var err error
			if beside, err = Run(ctx, other); err != nil {
				cancel(err)
			}
		})
		report, err := Run(ctx, o)
		if err != nil {
			group.Wait()
			return nil, fmt.Errorf("%w (%w)", err, context.Cause(ctx))
		}
		group.Wait()
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		if failed := beside.Failed(); failed > 0 {
			return nil, fmt.Errorf("%d operations failed beside:\n%v", failed, beside)
		}
		report.Figures = map[Measure]float64{Ranges: beside.PerSecond}
		return report, nil
	}
}

// besideTail is how much longer than the load the one beside it runs.
const besideTail = 200 * time.Millisecond

// disturbanceInterval is the time from the end of one compaction or defragmentation to the next.
const disturbanceInterval = 250 * time.Millisecond

// Disturbed measures puts at a rate: first alone, then while the history is compacted again and
// again, then while the member is defragmented again and again. Before, keys are written over until
// there is something to compact.
func Disturbed(ctx context.Context, _ Running, o Options) (*Report, error) {
	fill := o
	fill.Duration, fill.WarmUp, fill.Rate, fill.PIDs = 0, 0, 0, nil
	fill.Clients, fill.Total = loadClients, int64(2*o.Keys)
	if _, err := Run(ctx, fill); err != nil {
		return nil, err
	}
	conn, err := dialOnce(o.Endpoints[0])
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	quiet, err := Run(ctx, o)
	if err != nil {
		return nil, err
	}
	compacting, err := during(ctx, o, func(ctx context.Context) error { return compact(ctx, conn) })
	if err != nil {
		return nil, err
	}
	defragmenting, err := during(ctx, o, func(ctx context.Context) error {
		_, err := etcdserverpb.NewMaintenanceClient(conn).Defragment(ctx,
			&etcdserverpb.DefragmentRequest{})
		return err
	})
	if err != nil {
		return nil, err
	}
	quiet.Figures = map[Measure]float64{
		QuietP99:         quiet.Latency.P99,
		CompactingP99:    compacting.Latency.P99,
		CompactingRatio:  compacting.Latency.P99 / quiet.Latency.P99,
		DefragmentingP99: defragmenting.Latency.P99,
		DefragmentRatio:  defragmenting.Latency.P99 / quiet.Latency.P99,
	}
	return quiet, nil
}

// compact compacts all but the last thousand revisions.
func compact(ctx context.Context, conn *grpc.ClientConn) error {
	now, err := memberStatus(ctx, conn)
	if err != nil {
		return err
	}
	_, err = etcdserverpb.NewKVClient(conn).Compact(ctx, &etcdserverpb.CompactionRequest{
		Revision: max(now.Header.Revision-1000, 1),
	})
	return err
}

// during runs a load while something is done again and again.
func during(
	ctx context.Context, o Options, disturb func(ctx context.Context) error,
) (*Report, error) {
	inner, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	var problem error
	group.Go(func() {
		for inner.Err() == nil {
			if err := disturb(inner); err != nil && inner.Err() == nil {
				problem = err
				return
			}
			// Its only error is that the load is over.
			_ = pause(inner, disturbanceInterval)
		}
	})
	report, err := Run(ctx, o)
	cancel()
	group.Wait()
	if err == nil && problem != nil {
		err = fmt.Errorf("bench: disturb: %w", problem)
	}
	return report, err
}

// OneClient compares the time of a put of one client with that of an empty gRPC call and of a write
// with fdatasync to the member's disk, all measured within seconds. The floor is an endpoint of
// ServeFloor.
func OneClient(floor string) Measurement {
	return func(ctx context.Context, running Running, o Options) (*Report, error) {
		report, err := Run(ctx, o)
		if err != nil {
			return nil, err
		}
		empty := o
		empty.Workload, empty.PIDs, empty.Endpoints = Empty, nil, []string{floor}
		call, err := Run(ctx, empty)
		if err != nil {
			return nil, err
		}
		dir := filepath.Dir(running.Members[0].DataDir())
		disk, err := ProbeDisk(ctx, dir, o.Duration/time.Duration(len(diskSizes())))
		if err != nil {
			return nil, err
		}
		sync := disk.Writes[0].Latency.P50
		report.Figures = map[Measure]float64{
			CallMillis: call.Latency.P50, SyncMillis: sync,
			OverMachine: report.Latency.P50 / (call.Latency.P50 + sync),
		}
		return report, nil
	}
}

// Company measures how many puts share a sync, at more and more clients. The report is that of the
// most.
func Company(clients ...int) Measurement {
	return func(ctx context.Context, _ Running, o Options) (*Report, error) {
		var report *Report
		figures := map[Measure]float64{}
		before, growth := 0.0, 0.0
		for i, count := range clients {
			o.Clients, o.Connections = count, max(count/10, 1)
			var err error
			if report, err = Run(ctx, o); err != nil {
				return nil, err
			}
			now := 1 / report.SyncsPerOp
			if i == 1 || i > 1 && now/before < growth {
				growth = now / before
			}
			figures[PutsPerSync(count)], before = now, now
		}
		figures[LeastGrowth] = growth
		report.Figures = figures
		return report, nil
	}
}
