package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

// The exit statuses of all commands; each command's help says which it has.
const (
	exitViolated  = 1   // a promise was broken
	exitUsage     = 2   // the command line is wrong, or a file that it names; nothing was begun
	exitUndecided = 3   // a history could not be decided
	exitLiveness  = 3   // a simulated cluster did not come back
	exitCrash     = 4   // the simulated program crashed
	exitCold      = 5   // a kind of fault, or a state, did not occur
	exitUnjudged  = 6   // nothing was judged
	exitFailed    = 7   // what was to be done could not be: a device is full, a server does not start
	exitStopped   = 130 // by Ctrl-C or SIGTERM
)

// exitError ends the program with a status of its own.
type exitError struct {
	status int
	text   string
}

func (e exitError) Error() string { return e.text }

// usage says what is wrong with a command line. It is nil for nil.
func usage(err error) error {
	if err == nil {
		return nil
	}
	return exitError{exitUsage, err.Error()}
}

// usagef makes the error of a command line that is wrong.
func usagef(format string, arguments ...any) error {
	return exitError{exitUsage, fmt.Sprintf(format, arguments...)}
}

// A device is an output that remembers that something could not be written to it, for a result that
// nobody has is none.
type device struct {
	*os.File
	err error
}

// Write writes to the file.
func (d *device) Write(bytes []byte) (int, error) {
	n, err := d.File.Write(bytes)
	d.err = errors.Join(d.err, err)
	return n, err
}

// execute carries out a command line and returns the status with which the program ends.
func execute(
	ctx context.Context, arguments []string, in io.Reader, out *device, say io.Writer,
) int {
	root := command()
	begun := false // whether the words were understood
	beforeRun(root, func() { begun = true })
	root.SetArgs(arguments)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(say)
	err := root.ExecuteContext(ctx)
	if err == nil && out.err != nil {
		err = out.err
	}
	status := exitError{status: exitFailed}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(say, "interrupted; everything was stopped")
		return exitStopped
	case errors.As(err, &status):
	case !begun:
		status.status = exitUsage
	}
	fmt.Fprintln(say, "Error:", err)
	return status.status
}

// beforeRun has a command, and all below it, do something before it runs: what fails earlier is
// cobra's reading of the command line.
func beforeRun(command *cobra.Command, do func()) {
	if run := command.RunE; run != nil {
		command.RunE = func(command *cobra.Command, arguments []string) error {
			do()
			return run(command, arguments)
		}
	}
	for _, below := range command.Commands() {
		beforeRun(below, do)
	}
}

// writable returns why a file cannot be written, before there is anything to write. Nothing is left
// where nothing was; an empty name stands for no file.
func writable(names ...string) error {
	for _, name := range names {
		if name == "" {
			continue
		}
		_, before := os.Stat(name)
		file, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o644)
		if err == nil {
			err = file.Close()
		}
		if err == nil && errors.Is(before, os.ErrNotExist) {
			err = os.Remove(name)
		}
		if err != nil {
			return usage(err)
		}
	}
	return nil
}
