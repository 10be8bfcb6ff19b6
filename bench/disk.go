package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"
)

// A DiskReport says what writes and syncs of a directory cost, and what that lets one expect.
type DiskReport struct {
	Dir    string      `json:"dir"`
	Writes []DiskWrite `json:"writes"`
}

// A DiskWrite is one size of write, each followed by fdatasync.
type DiskWrite struct {
	Bytes          int     `json:"bytes"`
	Count          int64   `json:"count"`
	PerSecond      float64 `json:"per_second"`
	BytesPerSecond float64 `json:"bytes_per_second"`
	Latency        Latency `json:"latency_ms"`
}

// diskSizes are those of the writes: one put, a batch of ten, of a hundred, of a thousand, and a
// megabyte.
func diskSizes() []int {
	return []int{putBytes, 10 * putBytes, 100 * putBytes, 1000 * putBytes, 1 << 20}
}

// putBytes is about what a put of a small key with a value of 256 bytes takes in a log.
const putBytes = 320

// diskFileMax bounds the file that is written, which is reserved and zeroed before, as a log's is.
const diskFileMax = 64 << 20

// ProbeDisk writes to a file in a directory, and syncs after each write, for a while with each
// size. The file is removed.
func ProbeDisk(ctx context.Context, dir string, each time.Duration) (*DiskReport, error) {
	report := &DiskReport{Dir: dir}
	file, err := os.CreateTemp(dir, "detcdlab-disk-*")
	if err != nil {
		return nil, fmt.Errorf("bench: disk: %w", err)
	}
	err = zero(file)
	for _, size := range diskSizes() {
		if err != nil {
			break
		}
		var one DiskWrite
		one, err = probeSize(ctx, file, size, each)
		report.Writes = append(report.Writes, one)
	}
	if err = errors.Join(err, file.Close(), os.Remove(file.Name())); err != nil {
		return nil, fmt.Errorf("bench: disk: %w", err)
	}
	return report, nil
}

// zero writes the whole file once, so that later writes change no metadata of it.
func zero(file *os.File) error {
	block := make([]byte, 1<<20)
	for at := int64(0); at < diskFileMax; at += int64(len(block)) {
		if _, err := file.WriteAt(block, at); err != nil {
			return err
		}
	}
	return file.Sync()
}

func probeSize(
	ctx context.Context, file *os.File, size int, each time.Duration,
) (DiskWrite, error) {
	block := make([]byte, size)
	for i := range block {
		block[i] = byte(i*7 + i>>8)
	}
	into := newRecorder()
	begin := time.Now()
	at := int64(0)
	for now := begin; now.Sub(begin) < each && ctx.Err() == nil; {
		if at+int64(size) > diskFileMax {
			at = 0
		}
		if _, err := file.WriteAt(block, at); err != nil {
			return DiskWrite{}, err
		}
		if err := syncData(file); err != nil {
			return DiskWrite{}, err
		}
		at += int64(size)
		after := time.Now()
		into.ok(after.Sub(now))
		now = after
	}
	elapsed := time.Since(begin).Seconds()
	w := DiskWrite{
		Bytes: size, Count: into.done.Load(), Latency: into.latency(),
		PerSecond: float64(into.done.Load()) / elapsed,
	}
	w.BytesPerSecond = w.PerSecond * float64(size)
	return w, ctx.Err()
}

// String returns the report as a table, and what it means for puts.
func (d *DiskReport) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "write and fdatasync in %s\n\n", d.Dir)
	table := tabwriter.NewWriter(&text, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "bytes\tper second\tMB/s\tp50 ms\tp90 ms\tp99 ms\tp99.9 ms\tmax ms\t")
	for _, w := range d.Writes {
		l := &w.Latency
		fmt.Fprintf(table, "%d\t%.0f\t%.1f\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t\n", w.Bytes, w.PerSecond,
			w.BytesPerSecond/1e6, l.P50, l.P90, l.P99, l.P999, l.Max)
	}
	// Writing to the builder cannot fail.
	_ = table.Flush()
	text.WriteString(`
what the disk allows, for puts of 256 bytes (processor and network may allow less):
`)
	table = tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for i, clients := range []int{1, 10, 100, 1000} {
		if i < len(d.Writes) {
			fmt.Fprintf(table, "  %d at once\t%.0f puts per second, %.2f ms each\n", clients,
				d.Writes[i].PerSecond*float64(clients), d.Writes[i].Latency.P50)
		}
	}
	_ = table.Flush()
	return text.String()
}
