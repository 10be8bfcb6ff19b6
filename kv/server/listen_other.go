//go:build !linux

package server

import (
	"net"
	"time"
)

// giveUp does nothing on a system that has no such setting.
func giveUp(net.Conn, time.Duration) {}
