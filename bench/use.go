package bench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// A use is what all servers of a run have used so far.
type use struct {
	processes []ProcessUse
	syncs     float64 // of files, as the servers count them; negative when one does not tell
	device    int64   // bytes that all disks of the machine have written, for whomever
}

// readUse reads the processes that the options name. The system does not count the syncs of a
// process, so they are taken from the pages of metrics.
func readUse(ctx context.Context, o *Options) (use, error) {
	u := use{syncs: -1}
	if len(o.PIDs) == 0 {
		return u, nil
	}
	for _, pid := range o.PIDs {
		one, err := ReadProcess(pid)
		if err != nil {
			return u, err
		}
		u.processes = append(u.processes, one)
	}
	u.device = deviceBytes()
	sum := 0.0
	for _, endpoint := range o.Endpoints {
		syncs, err := ReadSyncs(ctx, endpoint)
		if err != nil {
			// A server without such a page can be measured all the same.
			return u, nil
		}
		sum += syncs
	}
	u.syncs = sum
	return u, nil
}

// deviceBytes is what the disks of this machine have written, as they count it; 0 where the system
// does not tell. What a process has written says less: Linux counts a write of a few bytes as all
// of the folio that it makes dirty, a megabyte at times, of which the disk gets the few blocks that
// changed.
func deviceBytes() int64 {
	text, err := os.ReadFile("/proc/diskstats")
	if err != nil {
		return 0
	}
	var sum int64
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 10 || !wholeDisk(fields[2]) {
			continue
		}
		if sectors, err := strconv.ParseInt(fields[9], 10, 64); err == nil {
			sum += sectors * diskSector
		}
	}
	return sum
}

// diskSector is the unit in which Linux counts what disks write, whatever their own sectors are.
const diskSector = 512

// wholeDisk tells disks from their parts and from what is made of other disks and of memory.
func wholeDisk(name string) bool {
	for _, made := range []string{"loop", "ram", "zram", "dm-", "md"} {
		if strings.HasPrefix(name, made) {
			return false
		}
	}
	_, err := os.Stat("/sys/block/" + name)
	return err == nil
}

// syncMetrics are counts of operations that end with a sync, under the names that etcd gave them.
func syncMetrics() []string {
	return []string{
		"etcd_disk_wal_fsync_duration_seconds_count",
		"etcd_disk_backend_commit_duration_seconds_count",
		"etcd_snap_db_fsync_duration_seconds_count",
		"etcd_snap_fsync_duration_seconds_count",
	}
}

// ReadSyncs returns how often a server has synced a file: of its log, of its database and of its
// snapshots, from its page of metrics. An endpoint is host:port.
func ReadSyncs(ctx context.Context, endpoint string) (float64, error) {
	ctx, cancel := context.WithTimeout(ctx, wireDialTimeout)
	defer cancel()
	url := "http://" + endpoint + "/metrics"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, fmt.Errorf("bench: %w", err)
	}
	request.Close = true
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, fmt.Errorf("bench: metrics: %w", err)
	}
	defer answer.Body.Close()
	return sumMetrics(answer.Body, syncMetrics())
}

// sumMetrics adds up the named metrics of a page in Prometheus' text format.
func sumMetrics(page io.Reader, names []string) (float64, error) {
	sum, found := 0.0, false
	lines := bufio.NewScanner(page)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		for _, wanted := range names {
			if name != wanted {
				continue
			}
			number, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return 0, fmt.Errorf("bench: metric %s: %w", name, err)
			}
			sum, found = sum+number, true
		}
	}
	if err := lines.Err(); err != nil {
		return 0, fmt.Errorf("bench: metrics: %w", err)
	}
	if !found {
		return 0, fmt.Errorf("bench: the metrics have none of %v", names)
	}
	return sum, nil
}

// await asks again and again until the answer is yes, at most for so long.
func await(ctx context.Context, limit time.Duration, what string, ask func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		yes, err := ask()
		if yes {
			return nil
		}
		select {
		case <-ctx.Done():
			if err == nil {
				err = ctx.Err()
			}
			return fmt.Errorf("bench: %s: not within %v: %w", what, limit, err)
		case <-time.After(awaitInterval):
		}
	}
}

// awaitInterval is the time between two questions.
const awaitInterval = 5 * time.Millisecond
