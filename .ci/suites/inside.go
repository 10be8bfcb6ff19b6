package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// insideWord is the first argument of this program when it is the first process of namespaces of
// its own. All others of them end with it.
const insideWord = "inside-a-namespace"

// isolated is a command that runs in namespaces of its own: of the network, so that ports are free
// and nobody outside is reached, and of processes, so that none is left behind.
func isolated(args ...string) *exec.Cmd {
	c := exec.Command("/proc/self/exe", append([]string{insideWord}, args...)...)
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID |
			syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		Pdeathsig:   syscall.SIGKILL,
	}
	return c
}

// inside runs a command in the namespaces, and returns its status.
func inside(args []string) int {
	if err := furnish(); err != nil {
		fmt.Fprintln(os.Stderr, "suites:", err)
		return 1
	}
	c := exec.Command(args[0], args[1:]...)
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	if err := c.Run(); err != nil {
		if ended, ok := err.(*exec.ExitError); ok && ended.ExitCode() > 0 {
			return ended.ExitCode()
		}
		fmt.Fprintln(os.Stderr, "suites:", err)
		return 1
	}
	return 0
}

// outsideAddress is another address of the loopback, with the network of its class around it:
// a test asks from which address it would call a server there (8.8.8.8).
var outsideAddress = [4]byte{8, 0, 0, 1}

// furnish makes a network of a loopback with two addresses, and shows the right processes in /proc.
func furnish() error {
	if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mount /proc: %w", err)
	}
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	for _, link := range []struct {
		name    string
		address [4]byte
	}{{"lo", [4]byte{127, 0, 0, 1}}, {"lo:1", outsideAddress}} {
		request, err := unix.NewIfreq(link.name)
		if err != nil {
			return err
		}
		if err := request.SetInet4Addr(link.address[:]); err != nil {
			return err
		}
		if err := unix.IoctlIfreq(socket, unix.SIOCSIFADDR, request); err != nil {
			return fmt.Errorf("set the address of %s: %w", link.name, err)
		}
	}
	up, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	up.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, up); err != nil {
		return fmt.Errorf("bring up lo: %w", err)
	}
	return nil
}
