package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second Ctrl-C ends the program at once.
	context.AfterFunc(ctx, stop)
	status := execute(ctx, os.Args[1:], os.Stdin, &device{File: os.Stdout}, os.Stderr)
	stop()
	os.Exit(status)
}

// command is the tree of commands.
func command() *cobra.Command {
	root := &cobra.Command{
		Use:   "detcdlab",
		Short: "The laboratory: put a cluster under load, break it, measure it, judge it",
		Long: `detcdlab works on any server that speaks etcd's protocol and takes etcd's flags: detcd, and
etcd itself for comparison.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(hintFlag)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(simCommand(), replayCommand(), shrinkCommand(), exploreCommand())
	root.AddCommand(benchCommand(), demoCommand(), tortureCommand(), tortureKillCommand(),
		checkCommand())
	return root
}
