package clienttest

import (
	"context"
	"flag"
	"os"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"detcd/cmd/detcd/testbed"
	"detcd/faults/nemesis"
)

// A scenario is something that a client does with a running cluster. Scenarios of one cluster run
// at the same time, so each keeps to keys that begin with its own name.
type scenario struct {
	name string
	run  func(t *testing.T, u *user)
}

// A user is who runs a scenario.
type user struct {
	t       *testing.T
	ctx     context.Context
	cluster *nemesis.Cluster
	prefix  string // of the keys of the scenario
}

// scenarioTimeout ends a scenario that hangs. Some thirty run at the same time, with clusters of
// their own, so on a slow machine one that does not may take minutes.
const scenarioTimeout = 10 * time.Minute

// client returns a new client that knows every member.
func (u *user) client() *clientv3.Client {
	u.t.Helper()
	return testbed.Client(u.t, u.cluster.Endpoints()...)
}

// key returns a key of the scenario's own.
func (u *user) key(name string) string { return u.prefix + name }

// must ends the scenario at an error.
func (u *user) must(err error) {
	u.t.Helper()
	if err != nil {
		u.t.Fatal(err)
	}
}

// TestMain lets more scenarios run at the same time than there are processors: they mostly wait.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "32"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// scenarios are those that need nothing but a healthy cluster.
func scenarios() []scenario {
	return []scenario{
		{"put and get", putAndGet},
		{"prefix and pages", prefixAndPages},
		{"the future", theFuture},
		{"transaction", transaction},
		{"serializable reads", serializableReads},
		{"watch from the past", watchFromThePast},
		{"watch through any member", watchThroughAnyMember},
		{"watch progress", watchProgress},
		{"lease expires", leaseExpires},
		{"lease kept alive", leaseKeptAlive},
		{"mutex", mutex},
		{"mutex of a lost session", mutexOfALostSession},
		{"election", election},
		{"transactional memory", transactionalMemory},
		{"queue", queue},
		{"double barrier", doubleBarrier},
		{"readers and writers", readersAndWriters},
		{"barrier", barrier},
		{"priority queue", priorityQueue},
		{"keys on loan", keysOnLoan},
		{"the kubernetes interface", theKubernetesInterface},
	}
}

// run runs scenarios against a new cluster of each size.
func run(t *testing.T, binary string) {
	for _, size := range []int{1, 3} {
		t.Run(map[int]string{1: "one member", 3: "three members"}[size], func(t *testing.T) {
			t.Parallel()
			cluster := testbed.Launch(t, testbed.Options{Binary: binary, Members: size})
			t.Run("healthy", func(t *testing.T) {
				for _, s := range scenarios() {
					t.Run(s.name, func(t *testing.T) {
						t.Parallel()
						s.start(t, cluster)
					})
				}
			})
			t.Run("members agree", func(t *testing.T) {
				scenario{"agree", membersAgree}.start(t, cluster)
			})
			for _, s := range disturbances(size) {
				t.Run(s.name, func(t *testing.T) { s.start(t, cluster) })
			}
			t.Run("members still agree", func(t *testing.T) {
				scenario{"agree", membersAgree}.start(t, cluster)
			})
		})
	}
}

// start runs a scenario.
func (s scenario) start(t *testing.T, cluster *nemesis.Cluster) {
	ctx, cancel := context.WithTimeout(t.Context(), scenarioTimeout)
	defer cancel()
	s.run(t, &user{t: t, ctx: ctx, cluster: cluster, prefix: s.name + "/"})
}

func TestClientsOfEtcd(t *testing.T) {
	t.Parallel()
	run(t, testbed.Tool(t, "etcd"))
}

func TestClientsOfDetcd(t *testing.T) {
	t.Parallel()
	run(t, testbed.Detcd(t))
}
