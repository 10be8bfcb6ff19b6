package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"go.etcd.io/etcd/api/v3/version"

	"detcd/consensus/node"
	"detcd/kv/server"
	"detcd/storage/vfs"
)

const (
	exitClean = 0
	exitError = 1
	exitUsage = 2 // a flag is unknown, or its value none
)

func main() {
	reserve := reserveHeap()
	status, sig := run(os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	runtime.KeepAlive(reserve)
	if sig != nil {
		raise(sig)
	}
	os.Exit(status)
}

// raise ends the process as the signal would have ended it. The first process of a container is not
// ended by its own signals.
func raise(sig os.Signal) {
	number, ok := sig.(syscall.Signal)
	if !ok || os.Getpid() == 1 {
		os.Exit(exitClean)
	}
	signal.Reset(sig)
	if self, err := os.FindProcess(os.Getpid()); err == nil && self.Signal(sig) == nil {
		time.Sleep(time.Second)
	}
	os.Exit(128 + int(number))
}

// run is the program. It returns the status to exit with, and the signal that ended it, if one did.
func run(args, environ []string, stdout, stderr io.Writer) (int, os.Signal) {
	if len(args) > 0 {
		if status, known := runCommand(args, stdout, stderr); known {
			return status, nil
		}
	}
	s := newSettings()
	if err := s.parse(args, environ); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			s.usage(stdout)
			return exitClean, nil
		}
		fmt.Fprintf(stderr, "detcd: %v\nRun 'detcd --help' for the flags.\n",
			hinted(err, s.flags, commandNames()))
		if errors.Is(err, errFlag) {
			return exitUsage, nil
		}
		return exitError, nil
	}
	if s.version {
		printVersion(stdout)
		return exitClean, nil
	}
	output, err := s.openOutput(stdout, stderr)
	var log *slog.Logger
	if err == nil {
		log, err = newLog(output, s.logLevel, s.logFormat)
	}
	if err != nil {
		fmt.Fprintf(stderr, "detcd: %v\n", err)
		return exitError, nil
	}
	s.config.Log = log
	s.report(log)
	err = s.secure(log)
	if err == nil {
		err = s.config.Validate()
	}
	if err != nil {
		log.Error("failed to verify flags", slog.Any("error", err))
		return exitError, nil
	}
	log.Info("starting an etcd server", s.effective()...)
	return serve(s.config)
}

// printVersion tells this program's version, and that of etcd whose protocol it serves: tools look
// for the latter.
func printVersion(out io.Writer) {
	fmt.Fprintf(out, "detcd Version: %s\netcd Version: %s\nGo Version: %s\nGo OS/Arch: %s/%s\n",
		detcdVersion, version.Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// detcdVersion is this program's own version.
const detcdVersion = "0.1.0"

// serve runs the member until it ends or is told to.
func serve(config server.Config) (int, os.Signal) {
	log := config.Log
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	s, sig, err := begin(ctx, config, signals)
	switch {
	case sig != nil:
		log.Info("received signal while starting", slog.String("signal", sig.String()))
		return exitClean, sig
	case err != nil:
		return ended(config, "failed to start", err), nil
	}
	go notify(s, log)
	select {
	case <-s.Done():
		return ended(config, "the member has ended", s.Err()), nil
	case sig := <-signals:
		log.Info("received signal; shutting down", slog.String("signal", sig.String()))
		tell(log, daemon.SdNotifyStopping)
		go func() {
			<-signals
			log.Warn("received a second signal; not waiting for a clean end")
			cancel()
		}()
		stopping, done := context.WithTimeout(ctx, stopTime)
		defer done()
		if err := s.Stop(stopping); err != nil {
			log.Error("the member did not stop cleanly", slog.Any("error", err))
			return exitError, nil
		}
		log.Info("closed detcd", slog.String("data-dir", config.DataDir))
		return exitClean, sig
	}
}

// begin starts the server. A signal ends that: to find the other members may take for ever.
func begin(ctx context.Context, config server.Config, signals <-chan os.Signal) (
	s *server.Server, sig os.Signal, err error,
) {
	starting, cancel := context.WithCancel(ctx)
	defer cancel()
	started := make(chan struct{})
	go func() {
		s, err = server.Start(starting, config)
		close(started)
	}()
	select {
	case <-started:
		return s, nil, err
	case sig = <-signals:
	}
	cancel()
	<-started
	if s != nil {
		stopping, done := context.WithTimeout(ctx, stopTime)
		defer done()
		err = s.Stop(stopping)
	}
	return nil, sig, err
}

// stopTime is how long a clean end may take; a disk that does not answer may take for ever.
const stopTime = 20 * time.Second

// ended logs why, and returns the exit status. A member that was removed has nothing left to do.
func ended(config server.Config, what string, err error) int {
	log := config.Log
	if errors.Is(err, node.ErrRemoved) {
		log.Error("the member has been permanently removed from the cluster")
		log.Error("the data-dir used by this member must be removed",
			slog.String("data-dir", config.DataDir))
		return exitClean
	}
	if err == nil {
		err = errors.New("it was stopped")
	}
	var damage *vfs.CorruptionError
	if errors.As(err, &damage) {
		log = log.With(slog.String("file", damage.File), slog.Int64("offset", damage.Offset))
	}
	log.Error(what, slog.Any("error", err))
	return exitError
}

// verify audits a data directory.
func verify(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("verify", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	dataDir := flags.String("data-dir", "default.etcd", "")
	walDir := flags.String("wal-dir", "", "")
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, "Usage: detcd verify [--data-dir default.etcd] [--wal-dir '']\n"+
			"Audits every byte of a data directory that no member uses, and changes nothing.\n")
		return exitClean
	case err == nil && flags.NArg() > 0:
		err = fmt.Errorf("%q is not a valid flag", flags.Arg(0))
	}
	if err != nil {
		fmt.Fprintf(stderr, "detcd verify: %v\n", hinted(err, flags, nil))
		return exitError
	}
	if err := server.Verify(*dataDir, *walDir, stdout); err != nil {
		fmt.Fprintf(stderr, "detcd verify: %v\n", err)
		return exitError
	}
	return exitClean
}
