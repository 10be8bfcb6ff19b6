package server

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"detcd/kv"
)

// snapshotOf is a file with one key, as it is on members that have been told different things.
func snapshotOf(t *testing.T, value string) string {
	t.Helper()
	one := start(t, testConfigs(t, 1)[0])
	ready(t, one)
	put(t, one, "a", value)
	put(t, one, "b", "the same")
	file := saved(t, one)
	stop(t, one)
	return file
}

// corrupt starts three members, of which the last one has another value for a key.
func corrupt(t *testing.T, upkeep Upkeep) []*Server {
	t.Helper()
	leavesNothing(t)
	right, wrong := snapshotOf(t, "right"), snapshotOf(t, "wrong")
	var servers []*Server
	for i, config := range testConfigs(t, 3) {
		file := right
		if i == 2 {
			file = wrong
		}
		if err := Restore(config, file, RestoreOptions{}); err != nil {
			t.Fatal(err)
		}
		config.Upkeep = upkeep
		servers = append(servers, start(t, config))
	}
	ready(t, servers...)
	return servers
}

// awaitAlarm waits for just this alarm.
func awaitAlarm(t *testing.T, s *Server, want kv.Alarm) {
	t.Helper()
	eventually(t, fmt.Sprintf("the alarm %v", want), func() bool {
		return slices.Contains(s.front.served.Status().Alarms, want)
	})
}

func (s *Server) id() uint64 { return s.front.served.Status().MemberID }

// Whoever leads, the one is found that differs from the two others; then nothing is written, and
// what is there can still be read.
func TestACorruptMemberIsFound(t *testing.T) {
	for name, leader := range map[string]int{"by a sound leader": 0, "by itself": 2} {
		t.Run(name, func(t *testing.T) {
			servers := corrupt(t, Upkeep{CheckEvery: 50 * time.Millisecond})
			_ = servers[0].front.served.MoveLeader(within(t), servers[leader].id())
			awaitAlarm(t, servers[1], kv.Alarm{Kind: pb.AlarmType_CORRUPT, Member: servers[2].id()})
			c := client(t, servers[0])
			if _, err := c.Put(within(t), "c", ""); !errors.Is(err, rpctypes.ErrCorrupt) {
				t.Errorf("a put gives %v", err)
			}
			expect(t, servers[1], "a", "right")
			if alarms := servers[1].front.served.Status().Alarms; len(alarms) != 1 {
				t.Errorf("the alarms are %v", alarms)
			}
		})
	}
}

// The hash of a compaction tells what was before it, although that is gone.
func TestACorruptMemberIsFoundByACompaction(t *testing.T) {
	servers := corrupt(t, Upkeep{CheckCompactions: 50 * time.Millisecond})
	put(t, servers[0], "a", "the same again")
	time.Sleep(200 * time.Millisecond)
	if alarms := servers[0].front.served.Status().Alarms; len(alarms) != 0 {
		t.Fatalf("the alarms are %v before there was a compaction", alarms)
	}
	c := client(t, servers[0])
	if _, err := c.Compact(within(t), 4, clientv3.WithCompactPhysical()); err != nil {
		t.Fatal(err)
	}
	awaitAlarm(t, servers[1], kv.Alarm{Kind: pb.AlarmType_CORRUPT, Member: servers[2].id()})
}

// Healthy members raise nothing, and compare each compaction once.
func TestSoundMembersAreLeftAlone(t *testing.T) {
	leavesNothing(t)
	var servers []*Server
	for _, config := range testConfigs(t, 3) {
		config.Upkeep = Upkeep{CheckEvery: 20 * time.Millisecond, CheckCompactions: 20 * time.Millisecond,
			CheckAtStart: true}
		servers = append(servers, start(t, config))
	}
	ready(t, servers...)
	c := client(t, servers[0])
	for i := range 100 {
		put(t, servers[i%3], "a", strings.Repeat("v", i))
		if i%20 == 19 {
			if _, err := c.Compact(within(t), int64(i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	time.Sleep(100 * time.Millisecond)
	for _, s := range servers {
		if alarms := s.front.served.Status().Alarms; len(alarms) != 0 {
			t.Errorf("the alarms are %v", alarms)
		}
	}
	eventually(t, "who leads has compared the last compaction", func() bool {
		reached, err := servers[leader(t, servers)].front.served.checkCompactions(0)
		return err == nil && reached == 99
	})
}

// Who differs when it starts does not serve, if it was told to look.
func TestACorruptMemberDoesNotStart(t *testing.T) {
	servers := corrupt(t, Upkeep{})
	put(t, servers[0], "c", "v")
	config := servers[2].config
	stop(t, servers[2])
	config.Upkeep.CheckAtStart = true
	s, err := Start(t.Context(), config)
	if err == nil {
		stop(t, s)
	}
	if !errors.Is(err, errInconsistent) {
		t.Fatalf("got %v", err)
	}
	sound := servers[1].config
	stop(t, servers[1])
	config.Upkeep.CheckAtStart = false
	start(t, config) // so that there are two
	sound.Upkeep.CheckAtStart = true
	if s, err := Start(t.Context(), sound); err == nil {
		stop(t, s) // nobody is right where one is left on each side
	}
}

// A member that finds its own files damaged says so, and is to blame.
func TestDamageOnDiskIsBlamed(t *testing.T) {
	leavesNothing(t)
	var servers []*Server
	var log lockedBuffer
	for i, config := range testConfigs(t, 3) {
		if i == 2 {
			config.Log = slog.New(slog.NewJSONHandler(&log, nil))
		}
		servers = append(servers, start(t, config))
	}
	ready(t, servers...)
	value := strings.Repeat("v", 1<<20)
	for range 40 { // more than a segment, so that it is read from the disk
		put(t, servers[0], "a", value)
	}
	own, err := servers[0].front.served.ownHash(0)
	if err != nil || own.Problem != "" {
		t.Fatalf("%+v, %v", own, err)
	}
	var files []string
	eventually(t, "a segment is full", func() bool {
		files, err = filepath.Glob(filepath.Join(servers[2].config.DataDir, "member/archive/*.seg"))
		return err != nil || len(files) > 1
	})
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(files[0], os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteAt([]byte("damage"), 5<<20); err != nil {
		t.Fatal(err)
	}
	name := filepath.Base(files[0])
	told := func() bool {
		return log.has(`"msg":"found damage in what this member has stored"`, `"file":"archive/`+name,
			`"offset":`, `"level":"ERROR"`)
	}
	if told() {
		t.Errorf("damage is told of that nobody has met")
	}
	c := client(t, servers[2])
	eventually(t, "what is read comes from the disk, and is damaged", func() bool {
		_, err := c.Get(within(t), "a", clientv3.WithRev(6))
		return err != nil
	})
	if !told() {
		t.Errorf("the member says nothing of the damage that a client has met:\n%s", log.String())
	}
	expect(t, servers[1], "a", value) // it has applied all
	answers, asked := servers[0].front.served.askHashes(own.Revision)
	if asked != 2 || !answers[servers[2].id()].Damaged || answers[servers[1].id()].Hash != own.Hash {
		t.Fatalf("of %d: %+v", asked, answers)
	}
	blamed := blame(servers[0].id(), own, answers)
	if !slices.Equal(blamed, []uint64{servers[2].id()}) {
		t.Errorf("blamed are %x", blamed)
	}
}

func TestWhoIsToBlame(t *testing.T) {
	at := func(hash uint32) hashAnswer { return hashAnswer{Hash: hash, Compacted: 3, Revision: 9} }
	other := hashAnswer{Hash: 7, Compacted: 4, Revision: 9}
	silent := hashAnswer{Problem: "mvcc: required revision is a future revision"}
	for _, c := range []struct {
		name    string
		own     hashAnswer
		answers map[uint64]hashAnswer
		want    []uint64
	}{
		{"all agree", at(1), map[uint64]hashAnswer{2: at(1), 3: at(1)}, nil},
		{"one differs", at(1), map[uint64]hashAnswer{2: at(1), 3: at(5)}, []uint64{3}},
		{"the leader differs", at(5), map[uint64]hashAnswer{2: at(1), 3: at(1)}, []uint64{1}},
		{"two of two", at(1), map[uint64]hashAnswer{2: at(5)}, []uint64{0}},
		{"three ways", at(1), map[uint64]hashAnswer{2: at(5), 3: at(6)}, []uint64{0}},
		{"another stretch", at(1), map[uint64]hashAnswer{2: other, 3: at(1)}, nil},
		{"who is behind", at(1), map[uint64]hashAnswer{2: silent, 3: at(1)}, nil},
		{"who is behind has a voice", at(1), map[uint64]hashAnswer{2: silent, 3: at(5)}, []uint64{0}},
		{"two of five", at(1), map[uint64]hashAnswer{2: at(1), 3: at(1), 4: at(5), 5: at(6)},
			[]uint64{4, 5}},
	} {
		if got := blame(1, c.own, c.answers); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
