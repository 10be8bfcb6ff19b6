// Package testbed gives tests real servers: it finds etcd's binaries, builds detcd, and starts
// clusters of either that are gone when the test ends.
//
//	cluster := testbed.Launch(t, testbed.Options{Binary: testbed.Detcd(t), Members: 3})
//	client := testbed.Client(t, cluster.Endpoints()...)
//
// Data and logs of a cluster lie in one directory. It is removed when the test passes and kept,
// with its path in the test's output, when it fails.
//
// It is for tests only: no shipped code imports it.
package testbed

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"detcd/faults/nemesis"
)

// startTimeout ends a test whose cluster never serves.
const startTimeout = 2 * time.Minute

// Tool returns the path of one of etcd's own binaries: etcd, etcdctl or etcdutl. A test that needs
// one which was not built is skipped; `make test` builds them first.
func Tool(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(root(t), ".cache", "etcd", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("%s was not built: run `make tools`", name)
	}
	return path
}

// Detcd builds the server into a directory of the test and returns its path.
func Detcd(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "detcd")
	command := exec.Command("go", "build", "-o", path, "./cmd/detcd")
	command.Dir = root(t)
	noteSources(t, command.Dir)
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("go build ./cmd/detcd: %v\n%s", err, output)
	}
	return path
}

// noteSources lists every directory of the module. The go command notes what a test reads, and runs
// the test again when it has changed; it cannot know that this one builds a server from all of it.
func noteSources(t testing.TB, root string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if entry != nil && entry.IsDir() && path != root && strings.HasPrefix(entry.Name(), ".") {
			return fs.SkipDir
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// root returns the directory of the module.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("no go.mod above the working directory")
		}
		dir = parent
	}
}

// Options says which cluster to start. Its zero values are those of nemesis.Options; Dir is chosen.
type Options struct {
	Binary  string
	Members int
	Args    []string
}

// Alike returns flags that make a single member equal to any other that is started with them, in
// all that a client can see: the same addresses are advertised, although each listens at its own,
// and so the IDs of member and cluster are the same.
func Alike() []string {
	return []string{
		"--initial-cluster=m1=http://127.0.0.1:2380",
		"--initial-advertise-peer-urls=http://127.0.0.1:2380",
		"--advertise-client-urls=http://127.0.0.1:2379",
	}
}

// Launch starts a cluster, waits until every member serves and ends it with the test.
func Launch(t testing.TB, options Options) *nemesis.Cluster {
	t.Helper()
	cluster, end, err := Start(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Exited(); err != nil {
			t.Error(err)
		}
		if kept := end(!t.Failed()); kept != "" {
			t.Logf("data and logs are in %s", kept)
		}
	})
	return cluster
}

// Start is Launch for those who start more clusters in one test than should be alive at its end.
// The returned function ends the cluster; it removes the directory, or else returns its path.
func Start(options Options) (*nemesis.Cluster, func(remove bool) string, error) {
	dir, err := os.MkdirTemp("", "detcd-test-")
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	cluster, err := nemesis.Launch(ctx, nemesis.Options{
		Binary: options.Binary, Members: options.Members, Dir: dir,
		Args: append([]string{"--log-level=warn"}, options.Args...),
	})
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	end := func(remove bool) string {
		closed := cluster.Close()
		if remove && closed == nil {
			closed = os.RemoveAll(dir)
		}
		if remove && closed == nil {
			return ""
		}
		return dir
	}
	return cluster, end, nil
}
