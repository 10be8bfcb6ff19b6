package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"detcd/cmd/detcd/testbed"
)

// The process ends as etcd's does: it stops cleanly, and then by the signal that it got.
func TestASignalStopsItCleanlyAndEndsIt(t *testing.T) {
	binary := testbed.Detcd(t)
	dir := filepath.Join(t.TempDir(), "data")
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		log := serveUntilReady(t, binary, dir, func(p *os.Process) { p.Signal(sig) })
		for _, want := range []string{"received signal; shutting down", "closed detcd"} {
			if !strings.Contains(log.text, want) {
				t.Errorf("%v: the log lacks %q:\n%s", sig, want, log.text)
			}
		}
		if strings.Contains(log.text, `"level":"error"`) {
			t.Errorf("%v: a clean end is no error:\n%s", sig, log.text)
		}
		if log.status.Signal() != sig {
			t.Errorf("it ended with %v, not with %v", log.status, sig)
		}
	}
	verify, err := exec.Command(binary, "verify", "--data-dir", dir).CombinedOutput()
	if err != nil || !strings.Contains(string(verify), "archive     ok") {
		t.Errorf("%v\n%s", err, verify)
	}
}

func TestADirectoryInUseIsSaidToBe(t *testing.T) {
	binary := testbed.Detcd(t)
	dir := filepath.Join(t.TempDir(), "data")
	serveUntilReady(t, binary, dir, func(p *os.Process) {
		defer p.Signal(syscall.SIGTERM)
		const used = "in use by another process"
		output, err := exec.Command(binary, "verify", "--data-dir="+dir).CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != exitError ||
			!strings.Contains(string(output), used) {
			t.Errorf("%v\n%s", err, output)
		}
		second := exec.Command(binary, append(ports(), "--data-dir="+dir)...)
		stderr, err := second.StderrPipe()
		if err == nil {
			err = second.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(stderr)
		for lines.Scan() && !strings.Contains(lines.Text(), used) {
		}
		if lines.Err() != nil || !strings.Contains(lines.Text(), "waiting") {
			t.Errorf("the second member does not say that it waits: %v, %s", lines.Err(), lines.Text())
		}
		second.Process.Signal(syscall.SIGTERM)
		for lines.Scan() {
		}
		if err := second.Wait(); !errors.As(err, &exit) || exit.ExitCode() != -1 {
			t.Errorf("it ended with %v, not by the signal", err)
		}
	})
}

// ports let the system choose where to listen. Nobody needs to know.
func ports() []string {
	return []string{
		"--listen-client-urls=http://127.0.0.1:0", "--advertise-client-urls=http://127.0.0.1:1",
		"--listen-peer-urls=http://127.0.0.1:0",
	}
}

type served struct {
	text   string
	status syscall.WaitStatus
}

// serveUntilReady runs a member, does something to it when it serves, and waits for its end.
func serveUntilReady(t *testing.T, binary, dir string, then func(*os.Process)) served {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, binary, append(ports(), "--data-dir="+dir)...)
	pipe, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	acted := false
	part := make([]byte, 4096)
	for {
		n, err := pipe.Read(part)
		log.Write(part[:n])
		if !acted && strings.Contains(log.String(), "ready to serve client requests") {
			acted = true
			then(command.Process)
		}
		if err != nil {
			break
		}
	}
	command.Wait()
	if !acted {
		t.Fatalf("it never served:\n%s", &log)
	}
	return served{log.String(), command.ProcessState.Sys().(syscall.WaitStatus)}
}

// A member that systemd has started tells it when it serves, and when it ends.
func TestSystemdIsTold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	member := exec.Command(testbed.Detcd(t), append(ports(), "--data-dir="+t.TempDir())...)
	if err := socket.SetReadDeadline(time.Now().Add(time.Minute)); err != nil { // after the build
		t.Fatal(err)
	}
	member.Env = append(os.Environ(), "NOTIFY_SOCKET="+path)
	if err := member.Start(); err != nil {
		t.Fatal(err)
	}
	defer member.Wait()
	defer member.Process.Kill()
	for _, want := range []string{"READY=1", "STOPPING=1"} {
		text := make([]byte, 100)
		n, err := socket.Read(text)
		if err != nil || string(text[:n]) != want {
			t.Fatalf("got %q, %v, want %s", text[:n], err, want)
		}
		member.Process.Signal(syscall.SIGTERM)
	}
}

// Who waits for other members can be told to stop.
func TestASignalEndsTheWaitForOthers(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	member := exec.Command(testbed.Detcd(t), append(ports(), "--data-dir="+t.TempDir(),
		"--discovery-token=t", "--discovery-endpoints="+listener.Addr().String())...)
	if err := member.Start(); err != nil {
		t.Fatal(err)
	}
	defer member.Process.Kill()
	time.Sleep(500 * time.Millisecond)
	member.Process.Signal(syscall.SIGTERM)
	ended := make(chan error, 1)
	go func() { ended <- member.Wait() }()
	select {
	case err := <-ended:
		var exit *exec.ExitError
		status, _ := member.ProcessState.Sys().(syscall.WaitStatus)
		if !errors.As(err, &exit) || status.Signal() != syscall.SIGTERM {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("it goes on waiting")
	}
}
