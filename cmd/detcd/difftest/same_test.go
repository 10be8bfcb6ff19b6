package difftest

import (
	"flag"
	"os"
	"testing"
	"time"

	"pgregory.net/rapid"

	"detcd/cmd/detcd/testbed"
)

// duration is how long TestSame goes on; 0: as many sessions as rapid.checks says.
func duration() time.Duration {
	value, _ := time.ParseDuration(flag.Lookup("difftest.for").Value.String())
	return value
}

func TestMain(m *testing.M) {
	flag.Duration("difftest.for", 0, "how long to look for differences")
	for name, value := range map[string]string{
		"rapid.checks": "5", "rapid.steps": "250", "rapid.shrinktime": "30s",
		"rapid.seed": "20151013", // the same requests in every build; `make diff` draws others
	} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// same runs sessions until one finds a difference or enough have found none.
func same(t *testing.T, pair *pair) {
	t.Cleanup(func() {
		pair.stop()
		if t.Failed() {
			t.Logf("the difference as it was first found: %s", pair.story)
		}
	})
	requests, sessions, start := 0, 0, time.Now()
	for {
		rapid.Check(t, func(t *rapid.T) {
			s := begin(t, pair)
			t.Repeat(map[string]func(*rapid.T){"step": s.step})
			s.end()
			requests += len(s.transcript)
			sessions++
		})
		if time.Since(start) >= duration() {
			break
		}
	}
	t.Logf("%d requests in %d sessions, %v", requests, sessions, time.Since(start).Round(time.Second))
}

// sameRestarted also kills both servers now and then: what they have stored must be what they
// answered.
func sameRestarted(t *testing.T, pair *pair) {
	setFlag(t, "rapid.checks", "1")
	setFlag(t, "rapid.steps", "120")
	pair.kinds = append(pair.kinds, "restart")
	same(t, pair)
}

func TestSameEtcdAndEtcd(t *testing.T) {
	etcd := testbed.Tool(t, "etcd")
	same(t, newPair(etcd, etcd))
}

func TestSameEtcdAndEtcdRestarted(t *testing.T) {
	etcd := testbed.Tool(t, "etcd")
	sameRestarted(t, newPair(etcd, etcd))
}

func TestSameEtcdAndDetcdRestarted(t *testing.T) {
	pair := newPair(testbed.Tool(t, "etcd"), testbed.Detcd(t))
	sameRestarted(t, pair)
}

func TestSameEtcdAndDetcd(t *testing.T) {
	pair := newPair(testbed.Tool(t, "etcd"), testbed.Detcd(t))
	same(t, pair)
}
