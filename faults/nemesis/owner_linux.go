package nemesis

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// owner returns the number of the member that made a connection, -1 if none did. The kernel lists
// the sockets of both ends; the one at the far end has an inode, and a process has that among its
// files.
func owner(conn *net.TCPConn, members []*Member) int {
	inode := inodeOf(conn)
	if inode == "" {
		return -1
	}
	for i, m := range members {
		files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", m.PID()))
		if err != nil {
			continue
		}
		for _, file := range files {
			if target, err := os.Readlink(file); err == nil && target == "socket:["+inode+"]" {
				return i
			}
		}
	}
	return -1
}

// inodeOf finds the socket of the far end of an IPv4 connection of this machine.
func inodeOf(conn *net.TCPConn) string {
	far, here := tableAddress(conn.RemoteAddr()), tableAddress(conn.LocalAddr())
	for _, name := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		table, err := os.Open(name)
		if err != nil {
			continue
		}
		lines := bufio.NewScanner(table)
		for lines.Scan() {
			fields := strings.Fields(lines.Text())
			if len(fields) > 9 && strings.HasSuffix(fields[1], far) && strings.HasSuffix(fields[2], here) {
				_ = table.Close()
				return fields[9]
			}
		}
		_ = table.Close()
	}
	return ""
}

// tableAddress writes an IPv4 address as the kernel does in its table: the bytes in the order of a
// little-endian number, in hexadecimal, with the port.
func tableAddress(address net.Addr) string {
	tcp, ok := address.(*net.TCPAddr)
	if !ok {
		return "?"
	}
	ip := tcp.IP.To4()
	if ip == nil {
		return "?"
	}
	return fmt.Sprintf("%02X%02X%02X%02X:%04X", ip[3], ip[2], ip[1], ip[0], tcp.Port)
}

// knowsOwners says that owner works on this system.
const knowsOwners = true
