package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// watchFlags are the flags of watch, also on the lines of the interactive one.
type watchFlags struct {
	prefix, prevKV, progress, interactive bool
	rev                                   int64
}

func (f *watchFlags) register(flags *pflag.FlagSet) {
	flags.BoolVarP(&f.interactive, "interactive", "i", false, "read what to watch, line by line")
	flags.BoolVar(&f.prefix, "prefix", false, "watch all keys that begin with the key")
	flags.Int64Var(&f.rev, "rev", 0, "begin with the changes of this revision (0: from now on)")
	flags.BoolVar(&f.prevKV, "prev-kv", false, "print what was there before each change, too")
	flags.BoolVar(&f.progress, "progress-notify", false, "let the server tell how far it is")
}

// A watching is what to watch, and the command to run for each change, if any.
type watching struct {
	keys  []string
	shell []string
	flags watchFlags
}

// complete adds what the environment names, and checks the rest.
func (w watching) complete(environ []string, separated bool) (watching, error) {
	key := environment(environ, "ETCDCTL_WATCH_KEY")
	end := environment(environ, "ETCDCTL_WATCH_RANGE_END")
	switch {
	case key == "" && end != "":
		return w, bad("ETCDCTL_WATCH_KEY is empty but got ETCDCTL_WATCH_RANGE_END=%q", end)
	case separated && len(w.shell) == 0:
		return w, bad("bad number of arguments (found separator --, but no commands)")
	case key != "" && len(w.keys) > 0:
		return w, bad("bad number of arguments (found conflicting environment key)")
	case key != "" && end != "":
		w.keys = []string{key, end}
	case key != "":
		w.keys = []string{key}
	}
	switch {
	case len(w.keys) == 0:
		return w, bad("bad number of arguments")
	case len(w.keys) > 2:
		return w, bad("bad number of arguments (what to run stands behind --)")
	case len(w.keys) == 2 && w.flags.prefix:
		return w, bad("`range_end` and `--prefix` are mutually exclusive")
	}
	return w, nil
}

// environment returns the value of a variable.
func environment(environ []string, name string) string {
	for _, entry := range slices.Backward(environ) {
		if value, found := strings.CutPrefix(entry, name+"="); found {
			return value
		}
	}
	return ""
}

func (p *program) watchCommand() *cobra.Command {
	var flags watchFlags
	return p.command(verb{
		use:   "watch [options] [key] [range_end] [-- command arg...]",
		short: "Print changes as they happen",
		long: `Prints each change of a key, or of a range of keys, until Ctrl-C. What is behind "--" is
run for each change, with ETCD_WATCH_REVISION, ETCD_WATCH_EVENT_TYPE, ETCD_WATCH_KEY and
ETCD_WATCH_VALUE in its environment.

With -i each line of standard input is a watch, as on the command line, or the word progress,
which asks the server how far it is.`,
		example: `  detcdctl watch greeting
  detcdctl watch --prefix jobs/ --rev 7
  detcdctl watch --prefix jobs/ -- sh -c 'echo $ETCD_WATCH_KEY'`,
		formats: asBoth, flags: flags.register,
		run: func(s *session, args []string) error {
			if flags.interactive {
				return s.watchLines()
			}
			w := watching{keys: args, flags: flags}
			at := s.command.ArgsLenAtDash()
			if at >= 0 {
				w.keys, w.shell = args[:at], args[at:]
			}
			w, err := w.complete(p.environ, at >= 0)
			if err != nil {
				return err
			}
			if err := s.follow(w, new(sync.Mutex)); err != nil {
				return err
			}
			return fail(exitInterrupted, "watch is canceled by the server")
		},
	})
}

// watchLines begins a watch for each line. A line that makes no sense is told, and skipped.
func (s *session) watchLines() error {
	var printing sync.Mutex
	for {
		line, err := s.in.ReadString('\n')
		if err != nil {
			return fail(exitInvalidInput, "error reading watch request line: %w", err)
		}
		line = strings.TrimSpace(line)
		words, err := split(line)
		switch {
		case err != nil:
		case len(words) == 0 || words[0] != "watch" && words[0] != "progress":
			err = errors.New("watch and progress are known")
		case words[0] == "progress":
			err = s.client.RequestProgress(clientv3.WithRequireLeader(s.context))
		default:
			var w watching
			if w, err = parseWatch(words[1:], s.environ); err == nil {
				go func() {
					var told *failure
					if err := s.follow(w, &printing); err != nil && !errors.As(err, &told) {
						s.warn("%v", err)
					}
				}()
			}
		}
		if err != nil {
			s.warn("Invalid command %s (%v)", line, err)
		}
	}
}

// parseWatch reads a line of the interactive watch, without its first word.
func parseWatch(words, environ []string) (watching, error) {
	var w watching
	flags := pflag.NewFlagSet("watch", pflag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	w.flags.register(flags)
	if err := flags.Parse(words); err != nil {
		return w, err
	}
	w.keys = flags.Args()
	at := flags.ArgsLenAtDash()
	if at >= 0 {
		w.keys, w.shell = w.keys[:at], w.keys[at:]
	}
	return w.complete(environ, at >= 0)
}

// follow prints changes until the watch ends. The lock is held while one is printed.
func (s *session) follow(w watching, printing *sync.Mutex) error {
	options := []clientv3.OpOption{clientv3.WithRev(w.flags.rev)}
	key := w.keys[0]
	switch {
	case len(w.keys) == 2:
		options = append(options, clientv3.WithRange(w.keys[1]))
	case w.flags.prefix && key == "":
		key = "\x00"
		options = append(options, clientv3.WithFromKey())
	case w.flags.prefix:
		options = append(options, clientv3.WithPrefix())
	}
	if w.flags.prevKV {
		options = append(options, clientv3.WithPrevKV())
	}
	if w.flags.progress {
		options = append(options, clientv3.WithProgressNotify())
	}
	for r := range s.client.Watch(clientv3.WithRequireLeader(s.context), key, options...) {
		if err := s.tell(r, w.shell, printing); err != nil {
			return err
		}
	}
	return nil
}

// tell prints a response and runs the command for each of its changes.
func (s *session) tell(r clientv3.WatchResponse, shell []string, printing *sync.Mutex) error {
	printing.Lock()
	defer printing.Unlock()
	if r.Canceled {
		s.warn("watch was canceled (%v)", r.Err())
		if hint := hint(r.Err()); hint != "" {
			s.warn("Hint: %s", hint)
		}
	}
	if r.IsProgressNotify() {
		if _, err := fmt.Fprintf(s.out, "progress notify: %d\n", r.Header.GetRevision()); err != nil {
			return err
		}
	}
	if err := s.show(changed(&r)); err != nil || len(shell) == 0 {
		return err
	}
	for _, event := range r.Events {
		if err := s.shell(s.context, shell, r.Header.GetRevision(), event); err != nil {
			s.warn("command %q error (%v)", shell, err)
			return &failure{status: exitError}
		}
	}
	return nil
}

// shell runs the command for a change.
func (s *session) shell(
	ctx context.Context, shell []string, revision int64, event *mvccpb.Event,
) error {
	command := exec.CommandContext(ctx, shell[0], shell[1:]...)
	command.Env = append(os.Environ(),
		fmt.Sprintf("ETCD_WATCH_REVISION=%d", revision),
		fmt.Sprintf("ETCD_WATCH_EVENT_TYPE=%q", event.GetType()),
		fmt.Sprintf("ETCD_WATCH_KEY=%q", event.GetKv().GetKey()),
		fmt.Sprintf("ETCD_WATCH_VALUE=%q", event.GetKv().GetValue()))
	command.Stdout, command.Stderr = s.out, s.errors
	return command.Run()
}
