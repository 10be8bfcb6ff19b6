package server

import (
	"fmt"
	"io"
	"testing"

	"go.etcd.io/etcd/client/pkg/v3/types"
)

// Of three members two are lost with their disks. The third goes on alone with all that it has, and
// others can be added.
func TestAClusterIsForcedToBeOne(t *testing.T) {
	leavesNothing(t)
	configs := testConfigs(t, 3)
	var servers []*Server
	for _, config := range configs {
		servers = append(servers, start(t, config))
	}
	ready(t, servers...)
	for i := range 200 {
		put(t, servers[i%3], fmt.Sprint("k", i), "v")
	}
	expect(t, servers[2], "k199", "v")
	for _, s := range servers {
		stop(t, s)
	}
	config := configs[2]
	config.Members.ForceAlone = true
	for range 2 { // the flag is often left where it is
		alone := start(t, config)
		ready(t, alone)
		for i := range 200 {
			expect(t, alone, fmt.Sprint("k", i), "v")
		}
		put(t, alone, "after", "v")
		members := alone.node.Load().Members()
		if len(members.Members) != 1 || len(members.Removed) != 2 {
			t.Errorf("the members are %+v", members)
		}
		stop(t, alone)
		if err := Verify(config.DataDir, "", io.Discard); err != nil {
			t.Error(err)
		}
	}
	config.Members.ForceAlone = false
	alone := start(t, config)
	ready(t, alone)
	late := testConfig(t, "late")
	late.Existing = true
	late.InitialCluster = types.URLsMap{
		config.Name: config.AdvertisePeerURLs, "late": late.AdvertisePeerURLs,
	}
	c := client(t, alone)
	if _, err := c.MemberAdd(within(t), late.AdvertisePeerURLs.StringSlice()); err != nil {
		t.Fatal(err)
	}
	joined := start(t, late)
	ready(t, joined)
	expect(t, joined, "after", "v")
}

// Without the check a member may be added that nobody can reach, and more than one learner if that
// is allowed.
func TestMemberRules(t *testing.T) {
	leavesNothing(t)
	config := testConfigs(t, 1)[0]
	config.Members = MemberRules{Lax: true, LearnersMax: 2}
	s := start(t, config)
	ready(t, s)
	c := client(t, s)
	for i := range 3 {
		urls := freeURL(t).StringSlice()
		_, err := c.MemberAddAsLearner(within(t), urls)
		if (err != nil) != (i == 2) {
			t.Errorf("learner %d: %v", i, err)
		}
	}
	if _, err := c.MemberAdd(within(t), freeURL(t).StringSlice()); err != nil {
		t.Error(err)
	}
}
