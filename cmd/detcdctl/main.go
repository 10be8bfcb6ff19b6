package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// The exit statuses are etcdctl's.
const (
	exitError         = 1
	exitBadConnection = 2
	exitInvalidInput  = 3
	exitBadFeature    = 4
	exitInterrupted   = 5
	exitBadArguments  = 128
)

func main() {
	// cobra has no other switch than this one, for the process: detcdctl mem li
	prefixes := &cobra.EnablePrefixMatching
	*prefixes = true
	p := &program{
		in: bufio.NewReader(os.Stdin), out: os.Stdout, errors: os.Stderr, environ: os.Environ(),
		typed: term.IsTerminal(int(os.Stdin.Fd())), seen: term.IsTerminal(int(os.Stderr.Fd())),
	}
	os.Exit(p.run(context.Background(), os.Args[1:]))
}

// A program is one call of detcdctl.
type program struct {
	in       *bufio.Reader
	out      io.Writer
	errors   io.Writer
	environ  []string
	typed    bool // a person types what in reads
	seen     bool // a person sees what is written to errors
	settings settings
	session  *session // of a command that asks a server, once it knows whom
	blame    blame
}

// run runs the command and returns the status to exit with.
func (p *program) run(ctx context.Context, args []string) int {
	root := p.root()
	root.SetArgs(args)
	root.SetIn(p.in)
	root.SetErr(p.errors)
	defer func() {
		if p.session != nil { // after the error was explained, for which it may be asked again
			p.session.close()
		}
	}()
	command, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	if !command.SilenceErrors { // cobra has printed it, with the usage
		return exitError
	}
	status := exitError
	var failed *failure
	if errors.As(err, &failed) {
		status = failed.status
	}
	if failed == nil || failed.cause != nil {
		fmt.Fprintln(p.errors, "Error:", err)
		p.help(err)
	}
	return status
}

// A failure is an error with the status to exit with. Without a cause all has been said.
type failure struct {
	status int
	cause  error
}

// Error is the text of the cause.
func (f *failure) Error() string {
	if f.cause == nil {
		return "failed"
	}
	return f.cause.Error()
}

// Unwrap returns the cause.
func (f *failure) Unwrap() error { return f.cause }

// fail makes a failure of a text.
func fail(status int, format string, arguments ...any) error {
	return &failure{status, fmt.Errorf(format, arguments...)}
}

// bad is what to say of words that make no sense.
func bad(format string, arguments ...any) error {
	return fail(exitBadArguments, format, arguments...)
}

// warn writes a line to the person, not to the output.
func (p *program) warn(format string, arguments ...any) {
	fmt.Fprintf(p.errors, format+"\n", arguments...)
}
