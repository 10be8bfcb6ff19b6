package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"detcd/checker"
	"detcd/checker/etcd"
	"detcd/checker/judge"
)

// windowMax is how many operations around a violation are shown.
const windowMax = 14

// checkOptions are the flags of check.
type checkOptions struct {
	leases  leaseTimes
	certify bool
	json    bool
	html    string
	backup  string
}

func checkCommand() *cobra.Command {
	o := &checkOptions{}
	cmd := &cobra.Command{
		Use:   "check FILE...",
		Short: "Judge a history: was every answer one that etcd promises?",
		Long: `check reads a history of operations (docs/formats/operations.md; - is standard input) and
judges it: linearizability of everything about keys, transactions, compactions and leases, what
serializable reads may see, the guarantees of watches, and that no lease ended early or, as far as
the terms in the history show that one leader led, late. The store must have been empty when the
history began.

If the history holds, there is an order of all operations that explains every answer; it is
confirmed with the specification alone. If not, the operation is named, and those it contradicts;
--html draws them and what happened around them.

--backup adds a second witness: a snapshot of the store that was saved when the history was over
(etcdctl snapshot save). It counts as a watch that has shown every revision since the last
compaction; in what is printed its lines follow those of the file.

Of several files each is judged by itself. A history that could not be decided says why: a watch of
everything from revision 1 on leaves nearly nothing to be tried, --effort tries more.

Exit status: 0 it holds, 1 it is violated, 2 wrong usage, or a file that cannot be read, 3 it could
not be decided, 6 nothing was judged, for no operation was answered, 7 the verdict could not be
written. Of several files that of the worst, in the order 1, 2, 6, 3, 0.`,
		Example: "  detcdlab check history.jsonl\n" +
			"  detcdlab check --backup store.db history.jsonl\n" +
			"  detcdlab check --tolerance 100ms --html verdict.html history.jsonl",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.runAll(cmd, args)
		},
	}
	flags := cmd.Flags()
	o.leases.define(flags)
	flags.BoolVar(&o.certify, "certify", true, "confirm the order that was found")
	flags.BoolVar(&o.json, "json", false, "the verdict as JSON")
	flags.StringVar(&o.backup, "backup", "", "snapshot of the store, as a second witness")
	flags.StringVar(&o.html, "html", "", "file for a page that draws what the verdict is about")
	return cmd
}

// runAll judges every file. Its error is the worst of theirs.
func (o *checkOptions) runAll(cmd *cobra.Command, names []string) (worst error) {
	if err := o.leases.check(); err != nil {
		return err
	}
	if err := writable(o.html); err != nil {
		return err
	}
	if len(names) == 1 {
		return o.run(cmd, names[0])
	}
	if o.html != "" || o.backup != "" {
		return usagef("--html and --backup are for one file")
	}
	rank := func(err error) int {
		var status exitError
		if !errors.As(err, &status) {
			return 0
		}
		order := []int{exitUndecided, exitUnjudged, exitUsage, exitViolated}
		return slices.Index(order, status.status) + 1
	}
	for _, name := range names {
		if !o.json {
			fmt.Fprintf(cmd.OutOrStdout(), "%s:\n", name)
		}
		err := o.run(cmd, name)
		if err != nil && rank(err) == 0 {
			return err
		}
		var status exitError
		if errors.As(err, &status) && rank(err) > 1 && status.status != exitViolated {
			fmt.Fprintln(cmd.ErrOrStderr(), err)
		}
		if rank(err) > rank(worst) {
			worst = err
		}
	}
	return worst
}

// judged tells whether there is anything in a history that can be wrong.
func judged(history []etcd.Operation) bool {
	return slices.ContainsFunc(history, func(o etcd.Operation) bool {
		return !o.Unknown && (o.Error == "" || etcd.Explained(o.Error))
	})
}

// run reads, judges and reports.
func (o *checkOptions) run(cmd *cobra.Command, name string) error {
	start := time.Now()
	history, err := readHistory(cmd, name)
	if cmd.Context().Err() != nil {
		return cmd.Context().Err()
	}
	if err != nil {
		return usagef("%s: %v", name, err)
	}
	if o.backup != "" {
		if history, err = withBackup(history, o.backup); err != nil {
			return usagef("%s: %v", o.backup, err)
		}
	}
	if !judged(history) {
		return exitError{exitUnjudged, name + ": nothing was judged: no operation was answered"}
	}
	read := time.Now()
	report, err := decide(cmd.Context(), history, o.leases.options(history))
	if err != nil {
		return err
	}
	judged := time.Now()
	if o.certify {
		confirm(history, report)
	}
	var unwritten error
	if o.html != "" {
		unwritten = writeCheckPage(o.html, name, history, report)
	}
	out := cmd.OutOrStdout() // which remembers what cannot be written
	if o.json {
		_ = json.NewEncoder(out).Encode(newCheckLine(report))
	} else {
		show(out, history, report)
		fmt.Fprintf(out, "read in %v, judged in %v, confirmed in %v\n",
			read.Sub(start).Round(time.Millisecond), judged.Sub(read).Round(time.Millisecond),
			time.Since(judged).Round(time.Millisecond))
	}
	return errors.Join(statusOf(report), unwritten)
}

// statusOf returns the error that ends the program with the status of a verdict.
func statusOf(report *judge.Report) error {
	switch report.Verdict {
	case checker.Violated:
		return exitError{exitViolated, "the history is violated"}
	case checker.Undecided:
		return exitError{exitUndecided, "the history could not be decided"}
	}
	return nil
}

// readHistory reads a whole history, and says how far it is on a terminal.
func readHistory(cmd *cobra.Command, name string) ([]etcd.Operation, error) {
	in := cmd.InOrStdin()
	size := int64(0)
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer func() { _ = file.Close() }()
		if info, err := file.Stat(); err == nil {
			size = info.Size()
		}
		in = file
	}
	meter := &meter{ctx: cmd.Context(), in: in, size: size, quiet: !isTerminal(os.Stderr)}
	history, err := etcd.Read(meter)
	if err != nil {
		return nil, err
	}
	meter.end()
	return history, nil
}

// meter shows how much of a file was read.
type meter struct {
	ctx        context.Context // of the command: nothing is read any more when it ends
	in         io.Reader
	size, read int64
	shown      time.Time
	quiet      bool
}

// Read reads, and shows progress twice a second.
func (m *meter) Read(into []byte) (int, error) {
	if err := m.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := m.in.Read(into)
	m.read += int64(n)
	if !m.quiet && m.size > 0 && time.Since(m.shown) > time.Second/2 {
		m.shown = time.Now()
		fmt.Fprintf(os.Stderr, "\rreading: %3d%%", 100*m.read/m.size)
	}
	return n, err
}

// end removes what was shown.
func (m *meter) end() {
	if !m.quiet {
		fmt.Fprint(os.Stderr, "\r\x1b[K")
	}
}

// checkLine is the verdict in JSON.
type checkLine struct {
	Verdict    string  `json:"verdict"`
	Line       int     `json:"line,omitempty"` // of the operation that breaks the promise
	Reason     string  `json:"reason,omitempty"`
	Core       []int32 `json:"core_lines,omitempty"`
	Operations int     `json:"operations"`
	Unknown    int     `json:"unknown"`
	Happened   int     `json:"unknown_that_happened"`
	Revisions  int64   `json:"revisions"`
	Watches    int     `json:"watches"`
	Events     int     `json:"events"`
}

func newCheckLine(r *judge.Report) checkLine {
	l := checkLine{Verdict: r.Verdict.String(), Reason: r.Reason, Operations: r.Operations,
		Unknown: r.Unknown, Happened: r.Happened, Revisions: r.Revisions, Watches: r.Watches,
		Events: r.Events}
	if r.Operation >= 0 {
		l.Line = lineNumber(r.Operation)
	}
	for _, i := range r.Core {
		l.Core = append(l.Core, int32(lineNumber(i)))
	}
	return l
}

// lineNumber returns the line of an operation: the first line of a history is its heading.
func lineNumber(i int32) int { return int(i) + 2 }

// show prints a verdict on one screen.
func show(out io.Writer, history []etcd.Operation, r *judge.Report) {
	say := func(format string, arguments ...any) { _, _ = fmt.Fprintf(out, format+"\n", arguments...) }
	say("%d operations up to revision %d, %d of unknown outcome; %d watches with %d events",
		r.Operations, r.Revisions, r.Unknown, r.Watches, r.Events)
	switch r.Verdict {
	case checker.Holds:
		say("HOLDS: an order of all operations explains every answer")
		if r.Unknown > 0 {
			say("of those of unknown outcome, %d happened", r.Happened)
		}
		if r.Locks != nil {
			showLocks(say, r.Locks)
		}
		return
	case checker.Undecided:
		say("UNDECIDED: %s", r.Reason)
		return
	}
	say("VIOLATED by line %d: %s", lineNumber(r.Operation), r.Reason)
	window, err := checker.Window(history, append([]int32{r.Operation}, r.Core...))
	if err != nil {
		return
	}
	say("\n  line   client  call                 return               operation")
	for _, i := range nearest(window, r, windowMax) {
		say("%s", row(&history[i], i, slices.Contains(r.Core, i) || i == r.Operation))
	}
	if hidden := len(window) - windowMax; hidden > 0 {
		say("  and %d more at the same time", hidden)
	}
}

// showLocks prints what was found about locks.
func showLocks(say func(format string, arguments ...any), l *judge.Locks) {
	say("locks: believed to be held %d times, %d of them while another client believed it too; "+
		"%d writes under them", l.Holders, l.Together, l.Writes)
	if len(l.Unsafe) == 0 {
		return
	}
	say("UNSAFE USE, not a broken promise of etcd: %d writes by those who had lost the lock, %d of "+
		"which destroyed what the next holder wrote; a fence would have refused them",
		len(l.Unsafe), l.Lost)
	for _, u := range l.Unsafe[:min(len(l.Unsafe), unsafeShown)] {
		lines := make([]string, 0, len(u.Core))
		for _, i := range u.Core {
			lines = append(lines, strconv.Itoa(lineNumber(i)))
		}
		say("  lines %s: %s", strings.Join(lines, ", "), u.Text)
	}
}

// unsafeShown bounds how many unsafe writes are printed.
const unsafeShown = 3

// nearest returns the part of a window that is shown: the core, and what stands next to it.
func nearest(window []int32, r *judge.Report, most int) []int32 {
	if len(window) <= most {
		return window
	}
	shown := append([]int32{r.Operation}, r.Core...)
	slices.Sort(shown)
	shown = slices.Compact(shown)
	at := slices.Index(window, r.Operation)
	for distance := 0; len(shown) < most && distance < len(window); distance++ {
		for _, k := range []int{at - distance, at + distance} {
			if k >= 0 && k < len(window) && !slices.Contains(shown, window[k]) {
				shown = append(shown, window[k])
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(window), func(i int32) bool {
		return !slices.Contains(shown, i)
	})
}

// row is one operation as a line of the screen.
func row(o *etcd.Operation, i int32, marked bool) string {
	mark, returned, outcome := " ", fmt.Sprint(o.Return), o.Error
	if marked {
		mark = ">"
	}
	request, err := json.Marshal(o.Request)
	if o.Succeeded() {
		response, failed := json.Marshal(o.Response)
		outcome, err = string(response), errors.Join(err, failed)
	} else if o.Unknown {
		returned, outcome = "?", "?"
	}
	if err != nil {
		return err.Error()
	}
	text := fmt.Sprintf("%s %-6d %-7d %-20d %-20s %s -> %s", mark, lineNumber(i), o.Client, o.Call,
		returned, request, outcome)
	if runes := []rune(text); len(runes) > 240 {
		text = string(runes[:240]) + "…"
	}
	return strings.ToValidUTF8(text, "?")
}
