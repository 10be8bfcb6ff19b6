package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/types"

	"detcd/consensus/node"
	"detcd/consensus/replica"
	"detcd/storage/vfs"
)

// The values are those that etcd gives; the first ones are in its documentation of 2015.
func TestIdentitiesAreEtcds(t *testing.T) {
	for _, c := range []struct {
		cluster, token string
		member, id     string
	}{
		{"default=http://localhost:2380,default=http://localhost:7001", "etcd-cluster",
			"ce2a822cea30bfca", "7e27652122e8b2ae"},
		{"default=http://localhost:2380", "etcd-cluster", "8e9e05c52164694d", "cdf818194e3a8c32"},
	} {
		cluster, err := types.NewURLsMap(c.cluster)
		if err != nil {
			t.Fatal(err)
		}
		members := firstMembers(cluster, c.token)
		if got := hex(uint64(members[0].ID)); got != c.member {
			t.Errorf("%s: member %s, want %s", c.cluster, got, c.member)
		}
		if got := hex(clusterID(members)); got != c.id {
			t.Errorf("%s: cluster %s, want %s", c.cluster, got, c.id)
		}
	}
}

func TestABadBeginningIsRefusedInEtcdsWords(t *testing.T) {
	for _, c := range []struct {
		name, cluster, advertised, want string
	}{
		{"a", "b=http://127.0.0.1:1", "http://127.0.0.1:1",
			`couldn't find local name "a" in the initial cluster configuration`},
		{"a", "a=http://127.0.0.1:1,b=http://127.0.0.1:1", "http://127.0.0.1:1", "has duplicate url"},
		{"a", "a=http://127.0.0.1:1", "http://127.0.0.1:2",
			"--initial-cluster has a=http://127.0.0.1:1 but missing from " +
				"--initial-advertise-peer-urls=http://127.0.0.1:2"},
		{"a", "a=http://127.0.0.1:1", "http://127.0.0.1:1,http://127.0.0.1:2",
			"--initial-advertise-peer-urls has http://127.0.0.1:2 but missing from --initial-cluster="},
	} {
		config := testConfig(t, c.name)
		var err error
		if config.InitialCluster, err = types.NewURLsMap(c.cluster); err != nil {
			t.Fatal(err)
		}
		config.AdvertisePeerURLs = types.MustNewURLs(strings.Split(c.advertised, ","))
		s, err := Start(t.Context(), config)
		if err == nil {
			stop(t, s)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.cluster, err, c.want)
		}
	}
}

// change changes the membership by way of a server.
func change(t *testing.T, s *Server, c replica.Change) {
	t.Helper()
	if _, err := s.node.Load().Change(within(t), []replica.Change{c}); err != nil {
		t.Fatal(err)
	}
}

func TestAMemberJoinsARunningCluster(t *testing.T) {
	leavesNothing(t)
	first := start(t, testConfigs(t, 1)[0])
	ready(t, first)
	put(t, first, "before", "v")
	config := testConfig(t, "late")
	config.Existing = true
	config.InitialCluster = types.URLsMap{
		"m0": first.config.AdvertisePeerURLs, "late": config.AdvertisePeerURLs,
	}
	if s, err := Start(t.Context(), config); err == nil {
		stop(t, s)
		t.Fatal("who was not added could join")
	} else if !strings.Contains(err.Error(), "error validating peerURLs") ||
		!strings.Contains(err.Error(), "member count is unequal") {
		t.Error(err)
	}
	peers := config.AdvertisePeerURLs.StringSlice()
	id := memberID(peers, "1")
	change(t, first, replica.Change{
		Kind: replica.ChangeAdd, Member: replica.Member{ID: id, PeerURLs: peers},
	})
	late := start(t, config)
	ready(t, late)
	expect(t, late, "before", "v")
	put(t, late, "after", "v")
	expect(t, first, "after", "v")
	stop(t, late)
	late = start(t, config)
	ready(t, late)
	expect(t, late, "after", "v")
	got, cluster := late.node.Load().Status(), first.node.Load().Status().Cluster
	if got.ID != id || got.Cluster != cluster {
		t.Errorf("it joined as %x of cluster %x", got.ID, got.Cluster)
	}
}

func TestAJoinerWhoReachesNobodySaysSo(t *testing.T) {
	config := testConfig(t, "late")
	config.Existing = true
	config.InitialCluster = types.URLsMap{"late": config.AdvertisePeerURLs, "gone": freeURL(t)}
	s, err := Start(t.Context(), config)
	if err == nil {
		stop(t, s)
	}
	if err == nil || !strings.Contains(err.Error(), "cannot fetch cluster info from peer urls") {
		t.Error(err)
	}
}

func TestARemovedMemberEndsAndStaysOut(t *testing.T) {
	leavesNothing(t)
	configs := testConfigs(t, 3)
	var servers []*Server
	for _, c := range configs {
		servers = append(servers, start(t, c))
	}
	ready(t, servers...)
	put(t, servers[0], "k", "v")
	victim := servers[2]
	change(t, servers[0], replica.Change{
		Kind: replica.ChangeRemove, Member: replica.Member{ID: victim.node.Load().Status().ID},
	})
	for range 2 {
		select {
		case <-victim.Done():
		case <-time.After(time.Minute):
			t.Fatal("a removed member goes on")
		}
		if !errors.Is(victim.Err(), node.ErrRemoved) {
			t.Errorf("it ended with %v", victim.Err())
		}
		again, err := Start(t.Context(), configs[2])
		if errors.Is(err, node.ErrRemoved) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { stop(t, again) })
		victim = again
	}
	// The victim may have led: what was sent to it in its last moments is lost, as in etcd.
	eventually(t, "the others go on", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err := client(t, servers[1]).Put(ctx, "k", "w")
		return err == nil
	})
}

func TestVerifyFindsDamage(t *testing.T) {
	config := testConfigs(t, 1)[0]
	s := start(t, config)
	ready(t, s)
	put(t, s, "k", "v")
	stop(t, s)
	var report bytes.Buffer
	if err := Verify(config.DataDir, "", &report); err != nil {
		t.Fatalf("%v\n%s", err, &report)
	}
	for _, part := range []string{"checkpoint", "member", "log", "archive"} {
		if part = fmt.Sprintf("%-11s ok", part); !strings.Contains(report.String(), part) {
			t.Errorf("the report lacks %q:\n%s", part, &report)
		}
	}
	damaged := 0
	for _, part := range []string{"checkpoint", "wal"} {
		files, err := filepath.Glob(filepath.Join(config.DataDir, "member", part, "*"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%v, %v", files, err)
		}
		flip(t, slices.Max(files), 20)
		report.Reset()
		err = Verify(config.DataDir, "", &report)
		var found *vfs.CorruptionError
		if !errors.As(err, &found) || !strings.Contains(report.String(), "BAD") {
			t.Errorf("%s: %v\n%s", part, err, &report)
		} else {
			damaged++
		}
		flip(t, slices.Max(files), 20)
	}
	if damaged != 2 {
		t.Errorf("%d of 2 damages were found", damaged)
	}
	if err := Verify(t.TempDir(), "", &report); err == nil {
		t.Error("an empty directory was found to be in order")
	}
}

// flip inverts one byte of a file.
func flip(t *testing.T, name string, offset int64) {
	t.Helper()
	file, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var b [1]byte
	if _, err := file.ReadAt(b[:], offset); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 0xff
	if _, err := file.WriteAt(b[:], offset); err != nil {
		t.Fatal(err)
	}
}
