package nemesis

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// A spaced network has a network namespace for each member, with an address of its own on a bridge
// of this process. All is made with Debian's iproute2.
//
// A wire is cut where the packets leave: the sender is told a wrong hardware address for the
// receiver, so that they go to nobody. Unlike a filter this needs no other program, and no part of
// the kernel that may be missing.

// The addresses of a spaced network; the enclosure keeps them apart from those of the machine.
const (
	bridgeName    = "members"
	bridgeAddress = "10.231.0.254/24"
	clientPort    = 2379
	peerPort      = 2380
	spacedMax     = 100 // members
)

// address returns that of a member.
func address(member int) string { return fmt.Sprintf("10.231.0.%d", member+1) }

// hardware returns the hardware address of a member; of none, that of nobody.
func hardware(member int) string {
	if member < 0 {
		return "02:00:00:00:ff:ff"
	}
	return fmt.Sprintf("02:00:00:00:00:%02x", member+1)
}

// makeSpaces makes namespaces and devices for members.
func makeSpaces(members []*Member) error {
	switch {
	case !Enclosed():
		return errors.New("nemesis: a spaced network needs an enclosed process")
	case len(members) > spacedMax:
		return fmt.Errorf("nemesis: a spaced network has at most %d members", spacedMax)
	}
	// The names of namespaces are files: of this process alone.
	if err := os.MkdirAll("/run/netns", 0o755); err != nil {
		return fmt.Errorf("nemesis: namespaces: %w", err)
	}
	if err := syscall.Mount("detcd", "/run/netns", "tmpfs", 0, ""); err != nil {
		return fmt.Errorf("nemesis: namespaces: %w", err)
	}
	err := errors.Join(
		ip("link set lo up"),
		ip("link add %s type bridge", bridgeName),
		ip("addr add %s dev %s", bridgeAddress, bridgeName),
		ip("link set %s up", bridgeName))
	for i, m := range members {
		err = errors.Join(err,
			ip("netns add %s", m.name),
			ip("link add to-%s type veth peer name eth0 netns %s", m.name, m.name),
			ip("link set to-%s master %s up", m.name, bridgeName),
			ip("-n %s link set eth0 address %s", m.name, hardware(i)),
			ip("-n %s link set lo up", m.name),
			ip("-n %s link set eth0 up", m.name),
			ip("-n %s addr add %s/24 dev eth0", m.name, address(i)))
	}
	for from := range members {
		for to := range members {
			if from != to {
				err = errors.Join(err, direct(members, from, to, wire{}))
			}
		}
	}
	return err
}

// direct tells a member where the packets to another go: to it, or to nobody.
func direct(members []*Member, from, to int, w wire) error {
	receiver := to
	if w.cuts > 0 {
		receiver = -1
	}
	return ip("-n %s neigh replace %s lladdr %s dev eth0 nud permanent", members[from].name,
		address(to), hardware(receiver))
}

// ip runs iproute2.
func ip(format string, arguments ...any) error {
	words := strings.Fields(fmt.Sprintf(format, arguments...))
	output, err := exec.Command("ip", words...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("nemesis: ip %s: %w: %s", strings.Join(words, " "), err, output)
	}
	return nil
}

// inSpace returns the command that runs a program in the namespace of a member. It becomes the
// program: the process is the same.
func (m *Member) inSpace(binary string, args []string) (string, []string) {
	return "ip", append([]string{"netns", "exec", m.name, binary}, args...)
}
