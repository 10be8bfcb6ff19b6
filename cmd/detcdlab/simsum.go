package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"detcd/faults"
	"detcd/sim"
)

// simSum adds up what the seeds came to, and shows it.
type simSum struct {
	options  *simOptions
	out      io.Writer
	progress bool
	span     *seedSpan
	started  time.Time

	unwritten error // why not all failures are in their file

	seeds    uint64
	virtual  float64
	wall     float64
	late     uint64 // leaders after more than three election time-outs
	open     uint64 // runs that the checker could not decide
	unopined uint64 // runs whose window porcupine could not finish
	verdicts map[string]uint64
	fired    map[string]int
	fields   map[string]int
	states   map[string]int
}

func newSimSum(o *simOptions, out io.Writer, span *seedSpan) *simSum {
	s := &simSum{options: o, out: out, span: span, started: time.Now(),
		verdicts: map[string]uint64{}, fired: map[string]int{}, fields: map[string]int{},
		states: map[string]int{}}
	s.progress = isTerminal(os.Stderr) && span.count() != 1 && !o.json
	return s
}

// leaderSoon is how many election time-outs a leader should take at most.
const leaderSoon = 3.0

func (s *simSum) add(l *simLine) {
	s.seeds++
	s.span.finish(l.Seed)
	s.virtual += l.Virtual
	s.wall += l.Wall
	s.verdicts[l.Verdict]++
	if l.Leader > leaderSoon {
		s.late++
	}
	if l.Undecided {
		s.open++
	}
	if l.NoOpinion {
		s.unopined++
	}
	for name, n := range l.Fired {
		s.fired[name] += n
	}
	for name, n := range l.Fields {
		s.fields[name] += n
	}
	for name, n := range l.States {
		s.states[name] += n
	}
	failed := l.Verdict != "green" && !(l.Verdict == "lost" && s.options.mayLose)
	switch {
	case s.options.json:
		_ = writeJSON(s.out, l) // the output remembers
	case failed || !s.progress:
		s.clear()
		fmt.Fprintln(s.out, l)
	}
	if failed {
		s.failure(l)
	}
	s.show()
}

// failure tells what broke, and how to see it again.
func (s *simSum) failure(l *simLine) {
	if !s.options.json {
		fmt.Fprintf(s.out, "  %s\n", l.Reason)
		if l.Stack != "" {
			fmt.Fprintf(s.out, "%s\n", l.Stack)
		}
		args := s.options.again(l.Seed)
		fmt.Fprintf(s.out, "  commit %s\n  detcdlab replay %s\n  detcdlab shrink %s\n",
			commit(), args, args)
	}
	if s.options.failures == "" {
		return
	}
	file, err := os.OpenFile(s.options.failures, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err == nil {
		err = errors.Join(writeJSON(file, l), file.Close())
	}
	s.unwritten = errors.Join(s.unwritten, err)
}

// commit returns the revision of the source that the program was built from, where it is known.
func commit() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				return setting.Value
			}
		}
	}
	if out, err := exec.Command("git", "rev-parse", "HEAD").Output(); err == nil {
		return strings.TrimSpace(string(out))
	}
	return "unknown"
}

func (s *simSum) clear() {
	if s.progress {
		fmt.Fprint(os.Stderr, "\r\x1b[K")
	}
}

func (s *simSum) show() {
	if !s.progress {
		return
	}
	elapsed := time.Since(s.started)
	bar := ""
	if total := s.span.count(); total > 0 {
		const width = 30
		done := int(width * s.seeds / total)
		bar = "[" + strings.Repeat("█", done) + strings.Repeat("·", width-done) + "] "
	}
	fmt.Fprintf(os.Stderr, "\r\x1b[K%s%d seeds, %d not green, %.0f virtual s/s, %v", bar, s.seeds,
		s.seeds-s.verdicts["green"], s.virtual/elapsed.Seconds(), elapsed.Round(time.Second))
}

// end prints what was done.
func (s *simSum) end() {
	s.clear()
	if s.options.json || s.span.count() == 1 && !s.options.coverage {
		return
	}
	elapsed := time.Since(s.started).Seconds()
	fmt.Fprintf(s.out, "%d seeds, %.0f virtual seconds in %.1fs: %.0f virtual seconds a second\n",
		s.seeds, s.virtual, elapsed, s.virtual/elapsed)
	fmt.Fprintf(s.out, "%.0f virtual seconds a second and process, leader within %.0f election "+
		"time-outs of healing in %.2f%%\n", s.virtual/max(s.wall, 1e-9), leaderSoon,
		100*float64(s.seeds-s.late)/float64(max(s.seeds, 1)))
	for _, verdict := range sorted(s.verdicts) {
		fmt.Fprintf(s.out, "%-9s %d\n", verdict, s.verdicts[verdict])
	}
	if s.open > 0 {
		fmt.Fprintf(s.out, "in %d of them the checker could not decide; the other judges did\n", s.open)
	}
	if s.unopined > 0 {
		fmt.Fprintf(s.out, "in %d of them porcupine could not finish its window\n", s.unopined)
	}
	if s.options.coverage {
		s.matrix()
	}
	if s.span.count() != 1 {
		fmt.Fprintf(s.out, "go on with --seeds %s\n", s.span.rest())
	}
}

func sorted[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// matrix prints how often each kind of fault fired and each field of a request was set.
func (s *simSum) matrix() {
	class := faults.Class(0)
	for _, kind := range faults.Kinds() {
		info := kind.Info()
		if info.Class != class {
			class = info.Class
			fmt.Fprintf(s.out, "\n%s\n", class)
		}
		cold := ""
		if s.cold(info.Name) {
			cold = "  COLD"
		}
		fmt.Fprintf(s.out, "  %-22s %7d  %s%s\n", info.Name, s.fired[info.Name], info.Effect, cold)
	}
	fmt.Fprintf(s.out, "\nstates\n")
	for _, info := range sim.StateInfos() {
		cold := ""
		if s.states[info.Name] == 0 {
			cold = "  COLD"
		}
		fmt.Fprintf(s.out, "  %-28s %7d  %s%s\n", info.Name, s.states[info.Name], info.Meaning, cold)
	}
	fmt.Fprintf(s.out, "\nfields of requests\n")
	for _, name := range sorted(s.fields) {
		fmt.Fprintf(s.out, "  %-45s %7d\n", name, s.fields[name])
	}
}

// cold says that a kind of fault fired less than ten times in a thousand seeds.
func (s *simSum) cold(kind string) bool { return uint64(s.fired[kind])*100 < s.seeds }

// coldest returns the kinds that are cold, once there were enough seeds to tell.
func (s *simSum) coldest() (kinds []string) {
	if !s.options.coverage || s.options.profile != string(faults.Everything) || s.seeds < 1000 {
		return nil
	}
	for _, kind := range faults.Kinds() {
		if s.cold(kind.String()) {
			kinds = append(kinds, kind.String())
		}
	}
	return append(kinds, sim.ColdStates(s.states)...)
}

// verdict is the exit status of the worst that happened.
func (s *simSum) verdict() error {
	for _, worst := range []struct {
		verdict string
		status  int
	}{{"safety", exitViolated}, {"crash", exitCrash}, {"liveness", exitLiveness}} {
		if n := s.verdicts[worst.verdict]; n > 0 {
			return exitError{worst.status, fmt.Sprintf("%d of %d seeds: %s", n, s.seeds, worst.verdict)}
		}
	}
	if n := s.verdicts["lost"]; n > 0 && !s.options.mayLose {
		return exitError{exitLiveness, fmt.Sprintf("%d of %d seeds: lost", n, s.seeds)}
	}
	if cold := s.coldest(); len(cold) > 0 {
		return exitError{exitCold, fmt.Sprintf("fired less than ten times in a thousand seeds: %s",
			strings.Join(cold, ", "))}
	}
	return nil
}

// runJobs runs the seeds in several processes: raft's randomness belongs to a process, so a process
// runs one world at a time.
func runJobs(ctx context.Context, o *simOptions, span *seedSpan, each func(*simLine)) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	lines := make(chan *simLine)
	group, ctx := errgroup.WithContext(ctx)
	for job := range uint64(o.jobs) {
		group.Go(func() error {
			shard := fmt.Sprintf("%d/%d", span.part+job*span.step, uint64(o.jobs)*span.step)
			args := append(o.given("seed", "seeds", "shard", "jobs", "failures", "json"), "sim", "--json",
				fmt.Sprintf("--seeds=%d-%d", span.low, span.last), "--shard="+shard)
			return runJob(ctx, exec.CommandContext(ctx, self, args...), lines)
		})
	}
	done := make(chan error, 1)
	go func() { done <- group.Wait(); close(lines) }()
	for line := range lines {
		each(line)
	}
	return <-done
}

func runJob(ctx context.Context, cmd *exec.Cmd, lines chan<- *simLine) error {
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	scanner := bufio.NewScanner(stdout)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		line := new(simLine)
		if err := json.Unmarshal(scanner.Bytes(), line); err != nil {
			return fmt.Errorf("a job wrote %q: %w", scanner.Text(), err)
		}
		lines <- line
	}
	err = cmd.Wait()
	if exit, ok := err.(*exec.ExitError); ok && ctx.Err() == nil && exit.ExitCode() <= exitCrash &&
		exit.ExitCode() != exitUsage {
		return nil // its verdicts are in its lines
	}
	if err != nil {
		err = fmt.Errorf("a job: %w\n%s", err, &stderr)
	}
	return err
}
