package server

import (
	"log/slog"
	"net"
	"os"
	"runtime"

	"go.etcd.io/etcd/client/pkg/v3/types"
)

// warn tells of what works and should not be left so.
func (c *Config) warn() {
	for _, side := range []struct {
		text string
		urls types.URLs
	}{
		{"clients are served without TLS at an address that other machines reach", c.ListenClientURLs},
		{"members are served without TLS at an address that other machines reach", c.ListenPeerURLs},
	} {
		if bare := withoutTLS(side.urls); len(bare) > 0 {
			c.Log.Warn(side.text, slog.Any("urls", bare))
		}
	}
	c.warnOfWriters(c.DataDir)
	if c.WALDir != "" {
		c.warnOfWriters(c.WALDir)
	}
}

// withoutTLS are the URLs that are not secure and not only of this machine.
func withoutTLS(urls types.URLs) (bare []string) {
	for _, url := range urls {
		ip := net.ParseIP(url.Hostname())
		local := isUnix(url.Scheme) || url.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
		if !isSecure(url.Scheme) && !local {
			bare = append(bare, url.String())
		}
	}
	return bare
}

// Who else may write to a directory of the member.
const (
	othersWrite = 0o022
	ownersOnly  = os.FileMode(0o700)
)

// warnOfWriters looks at who may write to a directory. Windows has no such modes.
func (c *Config) warnOfWriters(dir string) {
	info, err := os.Stat(dir)
	if err != nil || runtime.GOOS == "windows" || info.Mode().Perm()&othersWrite == 0 {
		return
	}
	c.Log.Warn("other users of this machine may write to the data", slog.String("directory", dir),
		slog.String("mode", info.Mode().Perm().String()),
		slog.String("recommended-mode", ownersOnly.String()))
}

// warnOfName warns, in etcd's words, of the default name in a cluster of several.
func (c *Config) warnOfName(members int) {
	if c.Name == Default().Name && members > 1 {
		c.Log.Warn("it isn't recommended to use default name, please set a value for --name. "+
			"Note that etcd might run into issue when multiple members have the same default name",
			slog.String("name", c.Name), slog.Int("members", members))
	}
}
