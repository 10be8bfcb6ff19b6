package server

import (
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"go.etcd.io/etcd/client/pkg/v3/types"
)

func TestUnsecuredAddressesThatOthersReach(t *testing.T) {
	for url, bare := range map[string]bool{
		"http://10.0.0.1:2379": true, "http://0.0.0.0:2379": true, "http://[::]:2379": true,
		"http://192.168.1.1:2379": true, "http://127.0.0.1:2379": false, "http://127.9.9.9:1": false,
		"http://[::1]:2379": false, "http://localhost:2379": false, "https://10.0.0.1:2379": false,
		"unix://m1.sock:1": false, "unixs://m1.sock:1": false,
	} {
		if got := len(withoutTLS(types.MustNewURLs([]string{url}))) > 0; got != bare {
			t.Errorf("%s: %v, want %v", url, got, bare)
		}
	}
}

// A member that nothing is to be said of is started, and one that should not be left as it is.
func TestAMemberWarnsOfHowItIsRun(t *testing.T) {
	warned := func(change func(*Config)) string {
		t.Helper()
		var log lockedBuffer
		config := testConfig(t, "m0")
		config.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
		config.InitialCluster = types.URLsMap{config.Name: config.AdvertisePeerURLs}
		change(&config)
		stop(t, start(t, config))
		return log.String()
	}
	if said := warned(func(*Config) {}); said != "" {
		t.Errorf("of a member on the loopback: %s", said)
	}
	public := warned(func(c *Config) {
		port := c.ListenClientURLs[0].Port()
		c.ListenClientURLs = types.MustNewURLs([]string{"http://0.0.0.0:" + port})
	})
	if !strings.Contains(public, "clients are served without TLS") ||
		!strings.Contains(public, "http://0.0.0.0:") || strings.Contains(public, "members are served") {
		t.Errorf("of a public address: %s", public)
	}
	named := warned(func(c *Config) {
		c.Name = "default"
		c.InitialCluster = types.URLsMap{"default": c.AdvertisePeerURLs, "other": freeURL(t)}
	})
	if !strings.Contains(named, "it isn't recommended to use default name") {
		t.Errorf("of the default name: %s", named)
	}
	if alone := warned(func(c *Config) {
		c.Name, c.InitialCluster = "default", types.URLsMap{"default": c.AdvertisePeerURLs}
	}); alone != "" {
		t.Errorf("of the default name of the only member: %s", alone)
	}
	if runtime.GOOS == "windows" {
		return
	}
	open := warned(func(c *Config) {
		c.WALDir = filepath.Join(t.TempDir(), "wal")
		for _, dir := range []string{c.DataDir, c.WALDir} {
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(dir, 0o777); err != nil {
				t.Fatal(err)
			}
		}
	})
	if n := strings.Count(open, "other users of this machine may write"); n != 2 {
		t.Errorf("%d lines of two directories: %s", n, open)
	}
}
