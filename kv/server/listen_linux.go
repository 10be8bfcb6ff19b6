package server

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// giveUp lets the system end a connection whose other side acknowledges nothing for a while. gRPC
// does that for connections of the system; it does not see that one is inside of a place.
func giveUp(conn net.Conn, after time.Duration) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(socket uintptr) { // what fails is only that it takes longer
		_ = unix.SetsockoptInt(int(socket), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT,
			int(after.Milliseconds()))
	})
}
