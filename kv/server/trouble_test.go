package server

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/types"

	"detcd/consensus/replica"
	"detcd/consensus/transport"
	"detcd/kv/rpc"
)

// The clock ticks every half second, as the reporter's does.
func TestAReminderComesWhileSomethingLasts(t *testing.T) {
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(seconds float64) time.Time {
		return begin.Add(time.Duration(seconds * float64(time.Second)))
	}
	r := reminder{every: 10 * time.Second}
	var told []float64
	for second := 0.0; second < 60; second += 0.5 {
		since := time.Time{}
		switch {
		case second < 25: // it lasts from 3 to 25, and from 28 on
			if second >= 3 {
				since = at(3)
			}
		case second >= 28:
			since = at(28)
		}
		if r.due(since, at(second)) {
			told = append(told, second)
		}
	}
	if want := []float64{13, 23, 38, 48, 58}; !slices.Equal(told, want) {
		t.Errorf("told at %v, want %v", told, want)
	}
}

func TestHowOftenTheLackOfALeaderIsTold(t *testing.T) {
	for election, want := range map[time.Duration]time.Duration{
		20 * time.Millisecond: time.Second,
		time.Second:           10 * time.Second,
		50 * time.Second:      30 * time.Second,
	} {
		c := Config{ElectionTimeout: election}
		if got := c.leaderlessEvery(); got != want {
			t.Errorf("with elections of %v every %v, want %v", election, got, want)
		}
	}
}

func TestTheReachOfAMemberSaysWhoIsMissingAndWhy(t *testing.T) {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	voters := replica.Membership{Members: []replica.Member{
		{ID: 1, Name: "a"}, {ID: 2, Name: "b"}, {ID: 3},
		{ID: 4, Name: "d", Learner: true},
	}}
	config := &Config{InitialCluster: types.URLsMap{
		"c": types.MustNewURLs([]string{"http://10.0.0.3:2380"}),
	}}
	down := transport.PeerStats{ID: 3, Since: noon, Addresses: []string{"http://10.0.0.3:2380"},
		Error: "dial tcp 10.0.0.3:2380: connect: connection refused"}
	words := "c at http://10.0.0.3:2380 since 2026-01-01T12:00:00Z: " +
		"dial tcp 10.0.0.3:2380: connect: connection refused"
	for _, c := range []struct {
		name    string
		members replica.Membership
		peers   []transport.PeerStats
		up      string
		down    []string
		summary string
	}{
		{"a majority", voters,
			[]transport.PeerStats{{ID: 2, Up: true}, down, {ID: 4, Up: true}},
			"b d", []string{words}, "2 of 3 voters can be reached; an election is under way"},
		{"a learner does not count", voters,
			[]transport.PeerStats{{ID: 2, Since: noon}, down, {ID: 4, Up: true}},
			"d", []string{"b at  since 2026-01-01T12:00:00Z: no attempt to connect has ended yet", words},
			"1 of 3 voters can be reached, and 2 are needed"},
		{"who joins does not know the members", replica.Membership{},
			[]transport.PeerStats{down}, "", []string{words},
			"this member has yet to hear from the cluster that it joins"},
		{"who is nowhere named", voters, []transport.PeerStats{{ID: 0xabc, Up: true}},
			"abc", nil, "1 of 3 voters can be reached, and 2 are needed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := reachOf(1, c.members, transport.Stats{Peers: c.peers}, config)
			if strings.Join(r.up, " ") != c.up || !slices.Equal(r.down, c.down) ||
				r.summary() != c.summary {
				t.Errorf("up %q, down %q, %s", r.up, r.down, r.summary())
			}
		})
	}
}

// statusErrors are what a member says of itself to who asks for its status.
func statusErrors(t *testing.T, s *Server) string {
	t.Helper()
	r, err := client(t, s).Status(within(t), s.ClientAddresses()[0])
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(r.Errors, "\n")
}

// page fetches a page of a member.
func page(t *testing.T, s *Server, path string) string {
	t.Helper()
	r, err := http.Get("http://" + s.ClientAddresses()[0] + path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// has says whether one line has all of the words.
func (l *lockedBuffer) has(words ...string) bool {
	for line := range strings.Lines(l.String()) {
		if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(line, word) }) {
			return true
		}
	}
	return false
}

func TestAMemberWithoutLeaderSaysWhoIsMissing(t *testing.T) {
	configs := testConfigs(t, 3)
	var log lockedBuffer
	configs[0].Log = slog.New(slog.NewJSONHandler(&log, nil))
	s := start(t, configs[0])
	where := configs[1].AdvertisePeerURLs.String()
	eventually(t, "the log names who is missing", func() bool {
		return log.has("there is no leader; nothing can be agreed on", `"level":"WARN"`,
			"1 of 3 voters can be reached, and 2 are needed", "m1 at "+where, "m2 at ",
			"connection refused", `"since":"20`, `"reachable":[]`)
	})
	missing := func(what, said string) {
		t.Helper()
		for _, want := range []string{"no leader since 20", "1 of 3 voters can be reached",
			"not reachable: m1 at " + where + " since 20", "connection refused"} {
			if !strings.Contains(said, want) {
				t.Errorf("%s does not say %q:\n%s", what, want, said)
			}
		}
	}
	missing("/readyz", page(t, s, "/readyz"))
	missing("/livez?verbose", page(t, s, "/livez?verbose"))
	others := []*Server{start(t, configs[1]), start(t, configs[2])}
	ready(t, append(others, s)...)
	eventually(t, "all is well", func() bool {
		return statusErrors(t, s) == "" &&
			!strings.Contains(page(t, s, "/readyz?verbose"), "leader since")
	})
	for _, other := range others {
		stop(t, other)
	}
	eventually(t, "it knows why there is no leader", func() bool {
		said := statusErrors(t, s)
		return strings.Contains(said, "no leader since") && strings.Count(said, "refused") == 2
	})
	missing("Status", statusErrors(t, s))
}

func TestChangesOfTheMembershipSayWhoAndWhat(t *testing.T) {
	config := testConfig(t, "m0")
	config.InitialCluster = types.URLsMap{"m0": config.AdvertisePeerURLs}
	var log lockedBuffer
	config.Log = slog.New(slog.NewJSONHandler(&log, nil))
	s := start(t, config)
	ready(t, s)
	learner := freeURL(t)
	c := client(t, s)
	added, err := c.MemberAddAsLearner(within(t), learner.StringSlice())
	if err != nil {
		t.Fatal(err)
	}
	id := hex(added.Member.ID)
	moved := freeURL(t).StringSlice()
	if _, err := c.MemberUpdate(within(t), added.Member.ID, moved); err != nil {
		t.Fatal(err)
	}
	if _, err := c.MemberRemove(within(t), added.Member.ID); err != nil {
		t.Fatal(err)
	}
	self := `"local-member-id":"` + hex(s.id()) + `"`
	for _, line := range [][]string{
		{`"msg":"added member"`, `"added-peer-id":"` + hex(s.id()), self, `"cluster-id":"`},
		{`"msg":"a member has published itself"`, `"peer-name":"m0"`,
			config.AdvertiseClientURLs.String()},
		{`"msg":"added member"`, `"added-peer-id":"` + id, learner.String(),
			`"added-peer-is-learner":true`, self},
		{`"msg":"updated member"`, `"updated-remote-peer-id":"` + id, moved[0], learner.String()},
		{`"msg":"removed member"`, `"removed-remote-peer-id":"` + id, moved[0]},
	} {
		eventually(t, strings.Join(line, " "), func() bool { return log.has(line...) })
	}
	stop(t, s)
	ready(t, start(t, config))
	if !log.has(`"msg":"recovered/added member from store"`, `"recovered-remote-peer-name":"m0"`,
		config.AdvertisePeerURLs.String()) {
		t.Errorf("a restart does not say who is in the cluster:\n%s", log.String())
	}
}

func TestAPromotionIsTold(t *testing.T) {
	var log lockedBuffer
	c := Config{Log: slog.New(slog.NewJSONHandler(&log, nil))}
	learner := replica.Member{ID: 2, Name: "b", Learner: true}
	voter := replica.Member{ID: 2, Name: "b"}
	c.toldOfMembers(1, 9, replica.Membership{Members: []replica.Member{learner}},
		replica.Membership{Members: []replica.Member{voter}})
	if !log.has(`"msg":"promote member"`, `"promoted-member-id":"2"`, `"promoted-member-name":"b"`) {
		t.Errorf("the log has only\n%s", log.String())
	}
}

// What the replica tells of its device is where an operator and his tools look.
func TestAFullDeviceIsSeenAndIsNotTheQuota(t *testing.T) {
	config := testConfig(t, "m0")
	config.InitialCluster = types.URLsMap{"m0": config.AdvertisePeerURLs}
	var log lockedBuffer
	config.Log = slog.New(slog.NewJSONHandler(&log, nil))
	s := start(t, config)
	ready(t, s)
	const gauge = "\ndetcd_disk_device_full "
	if said := page(t, s, "/metrics"); !strings.Contains(said, gauge+"0\n") {
		t.Error("the gauge does not say that there is room")
	}
	s.space(replica.Event{Kind: replica.EventSpace, Index: 1})
	for _, c := range []struct{ path, want string }{
		{"/health", `{"health":"false","reason":"NO SPACE LEFT ON DEVICE"}`},
		{"/readyz", "[-]device_space failed: no space left on the device"},
		{"/readyz", "no space left on the device of " + config.DataDir + " since 20"},
		{"/livez", "ok"}, {"/metrics", gauge + "1\n"},
	} {
		if said := page(t, s, c.path); !strings.Contains(said, c.want) {
			t.Errorf("%s does not say %q", c.path, c.want)
		}
	}
	if said := statusErrors(t, s); !strings.Contains(said, "no space left on the device") {
		t.Errorf("Status says %q", said)
	}
	if !log.has("no space left on the device", config.DataDir, `"level":"ERROR"`) {
		t.Errorf("the log says nothing:\n%s", log.String())
	}
	if err := outward(replica.ErrNoSpace); !errors.Is(err, rpc.ErrDeviceFull) ||
		!strings.Contains(err.Error(), "no space left on the device") {
		t.Errorf("a client is told %v", err)
	}
	s.space(replica.Event{Kind: replica.EventSpace})
	if said := page(t, s, "/health"); said != `{"health":"true","reason":""}` {
		t.Errorf("/health: %s", said)
	}
	if !log.has("there is room for the log again") {
		t.Error("the log does not say that there is room again")
	}
	s.space(replica.Event{Kind: replica.EventSpace, Index: 1})
	s.space(replica.Event{Kind: replica.EventSpace})
	if n := strings.Count(log.String(), "no room for the log"); n != 1 {
		t.Errorf("%d lines about a device that is full and is not, and is", n)
	}
}

// A lack of files that may be open is not told of as one of room on the device.
func TestTooManyOpenFilesAreSeenAsThat(t *testing.T) {
	config := testConfig(t, "m0")
	config.InitialCluster = types.URLsMap{"m0": config.AdvertisePeerURLs}
	var log lockedBuffer
	config.Log = slog.New(slog.NewJSONHandler(&log, nil))
	s := start(t, config)
	ready(t, s)
	s.space(replica.Event{Kind: replica.EventSpace, Index: 2})
	for _, c := range []struct{ path, want string }{
		{"/health", `{"health":"false","reason":"TOO MANY OPEN FILES"}`},
		{"/readyz", "[-]device_space failed: too many open files"},
		{"/livez", "ok"}, {"/metrics", "\ndetcd_disk_device_full 0\n"},
	} {
		if said := page(t, s, c.path); !strings.Contains(said, c.want) {
			t.Errorf("%s does not say %q:\n%s", c.path, c.want, said)
		}
	}
	said := statusErrors(t, s)
	if !strings.Contains(said, "too many open files since 20") || strings.Contains(said, "device") {
		t.Errorf("Status says %q", said)
	}
	if err := outward(replica.ErrTooManyFiles); !errors.Is(err, rpc.ErrTooManyFiles) {
		t.Errorf("a client is told %v", err)
	}
	s.reportFull()
	for _, line := range []string{"too many open files: no room", "still too many open files"} {
		if !log.has(line, config.DataDir, `"level":"ERROR"`) {
			t.Errorf("no line %q:\n%s", line, log.String())
		}
	}
	if strings.Contains(log.String(), "no space left") {
		t.Errorf("the log speaks of the device:\n%s", log.String())
	}
	s.space(replica.Event{Kind: replica.EventSpace, Index: 1}) // while it lasts
	if said := statusErrors(t, s); !strings.Contains(said, "no space left on the device of ") {
		t.Errorf("Status says %q", said)
	}
	s.space(replica.Event{Kind: replica.EventSpace})
	if said := page(t, s, "/health"); said != `{"health":"true","reason":""}` {
		t.Errorf("/health: %s", said)
	}
}
