package nemesis

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"syscall"
)

// The ports are drawn below 32768, where the range of outgoing connections begins on Linux. A
// member whose port lay inside that range could lose it while it is down: to any client of the
// machine, or to a client that, by connecting again and again, ends up connected to itself.
const (
	portMin   = 12000
	portMax   = 32000
	portBlock = 100 // ports that one cluster has to itself
)

// freePorts returns ports that nobody listens on. They are of a block that no other cluster of this
// machine uses until hold is closed: it would take the ports of members that are down, if only for
// the moment in which it looks whether they are free.
func freePorts(count int) (ports []int, hold io.Closer, err error) {
	const blocks = (portMax - portMin) / portBlock
	if count > portBlock {
		return nil, nil, fmt.Errorf("nemesis: %d ports, at most %d", count, portBlock)
	}
	start := rand.IntN(blocks)
	for i := range blocks {
		first := portMin + (start+i)%blocks*portBlock
		hold, err := holdBlock(first)
		if err != nil {
			continue
		}
		var ports []int
		for port := first; port < first+portBlock && len(ports) < count; port++ {
			if free(port) {
				ports = append(ports, port)
			}
		}
		if len(ports) == count {
			return ports, hold, nil
		}
		_ = hold.Close()
	}
	return nil, nil, fmt.Errorf("nemesis: no %d free ports in %d..%d", count, portMin, portMax)
}

// free tells whether nobody listens on a port. Meanwhile no process is begun: until it has become
// another program it would have the listener too, and the port would not be free when it is closed.
func free(port int) bool {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	return err == nil && listener.Close() == nil
}

// holdBlock takes a block of ports. On Linux the name of a socket in the abstract namespace says
// so: one process has it, and it is gone with that process. Elsewhere nothing does.
func holdBlock(first int) (io.Closer, error) {
	if runtime.GOOS != "linux" {
		return io.NopCloser(nil), nil
	}
	return net.Listen("unix", fmt.Sprintf("@detcd-ports-%d", first))
}
