package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"detcd/bench"
)

// diskCommand is `detcdlab bench disk`.
func diskCommand() *cobra.Command {
	var dir string
	var each time.Duration
	var asJSON bool
	command := &cobra.Command{
		Use:   "disk",
		Short: "Measure what writes and syncs of a directory cost, and what puts to expect",
		Long: `disk writes to a file in a directory, as a log is written, with an fdatasync after every
write, for a while with each of some sizes, and says how many puts a second the disk would allow.
The file has 64 MiB and is removed.`,
		Example: `  detcdlab bench disk --dir /var/lib/detcd`,
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if each <= 0 {
				return usagef("the duration must be positive")
			}
			report, err := bench.ProbeDisk(command.Context(), dir, each)
			if err != nil {
				return err
			}
			return print(command.OutOrStdout(), report, asJSON)
		},
	}
	command.Flags().StringVar(&dir, "dir", ".", "the directory")
	command.Flags().DurationVar(&each, "duration", 2*time.Second, "of each size")
	command.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	return command
}

// floorCommand is `detcdlab bench floor`.
func floorCommand() *cobra.Command {
	o := bench.Options{Workload: bench.Empty, WarmUp: time.Second}
	var serve, asJSON bool
	command := &cobra.Command{
		Use:   "floor",
		Short: "Measure the empty gRPC call, below which no server comes",
		Long: `floor starts a server that answers empty calls with nothing, in a process of its own, and
measures what such a call costs it: no store that speaks gRPC with the same library costs less. Run
it with one client for the latency and with many for the processor.`,
		Example: `  detcdlab bench floor --clients 1
  detcdlab bench floor --clients 100 --conns 10`,
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if serve {
				return serveFloor(command.Context(), command.InOrStdin(), command.OutOrStdout())
			}
			if o.Clients < 1 || o.Connections < 1 || o.Duration <= 0 {
				return usagef("clients, conns and duration must be positive")
			}
			floor, pid, stop, err := launchFloor()
			if err != nil {
				return err
			}
			defer stop()
			o.Endpoints, o.PIDs = []string{floor}, []int{pid}
			say := newSpeaker(command.ErrOrStderr())
			o.Progress = func(p bench.Progress) { say.line(benchLine("", p)) }
			report, err := bench.Run(command.Context(), o)
			say.clear()
			if err != nil {
				return err
			}
			return print(command.OutOrStdout(), report, asJSON)
		},
	}
	flags := command.Flags()
	flags.IntVar(&o.Clients, "clients", 100, "requests under way at once")
	flags.IntVar(&o.Connections, "conns", 10, "connections that the clients share")
	flags.DurationVar(&o.Duration, "duration", 5*time.Second, "how long to send")
	flags.BoolVar(&asJSON, "json", false, "print the report as JSON")
	flags.BoolVar(&serve, "serve", false, "be the server: print its address, end with the input")
	return command
}

// serveFloor serves empty calls until its input ends, so that no server outlives its parent.
func serveFloor(ctx context.Context, in io.Reader, out io.Writer) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		// However the input ends, so does the server.
		_, _ = io.Copy(io.Discard, in)
		cancel()
	}()
	fmt.Fprintln(out, listener.Addr())
	return bench.ServeFloor(ctx, listener)
}

// launchFloor starts this program as a server of empty calls.
func launchFloor() (endpoint string, pid int, stop func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return "", 0, nil, err
	}
	child := exec.Command(self, "bench", "floor", "--serve")
	input, err := child.StdinPipe()
	if err != nil {
		return "", 0, nil, err
	}
	output, err := child.StdoutPipe()
	if err != nil {
		return "", 0, nil, err
	}
	if err := child.Start(); err != nil {
		return "", 0, nil, err
	}
	stop = func() {
		// It ends when its input does; there is nothing to learn from how.
		_ = input.Close()
		_ = child.Wait()
	}
	line, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		stop()
		return "", 0, nil, fmt.Errorf("the server of empty calls did not start: %w", err)
	}
	return strings.TrimSpace(line), child.Process.Pid, stop, nil
}
