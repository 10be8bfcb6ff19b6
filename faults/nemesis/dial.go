package nemesis

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
)

// Dial returns a connection to a host:port that tries again every few hundred milliseconds at the
// latest: gRPC's own back-off of up to two minutes would hide a server that is back after one. Like
// etcd's own client it takes answers of any size.
func Dial(endpoint string) (*grpc.ClientConn, error) {
	conn, err := grpc.NewClient("passthrough:///"+endpoint,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32)),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{
				BaseDelay:  20 * time.Millisecond,
				Multiplier: 1.5,
				Jitter:     0.2,
				MaxDelay:   200 * time.Millisecond,
			},
			MinConnectTimeout: time.Second,
		}))
	if err != nil {
		return nil, fmt.Errorf("nemesis: dial %s: %w", endpoint, err)
	}
	return conn, nil
}

// The ports are drawn below 32768, where the range of outgoing connections begins on Linux. A
// member whose port lay inside that range could lose it while it is down: to any client of the
// machine, or to a client that, by connecting again and again, ends up connected to itself.
const (
	portMin = 12000
	portMax = 32000
)

// freePorts returns ports that nobody listened on a moment ago. They start at a random place so
// that several test processes seldom meet.
func freePorts(count int) ([]int, error) {
	var ports []int
	start := rand.IntN(portMax - portMin)
	for i := 0; i < portMax-portMin && len(ports) < count; i++ {
		port := portMin + (start+i)%(portMax-portMin)
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		if err := listener.Close(); err != nil {
			return nil, fmt.Errorf("nemesis: probe of port %d: %w", port, err)
		}
		ports = append(ports, port)
	}
	if len(ports) < count {
		return nil, fmt.Errorf("nemesis: no %d free ports in %d..%d", count, portMin, portMax)
	}
	return ports, nil
}
