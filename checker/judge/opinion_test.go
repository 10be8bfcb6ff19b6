package judge

import (
	"flag"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"detcd/checker"
	"detcd/checker/etcd"
)

func TestMain(m *testing.M) {
	flag.Int("opinions", 1500, "how many histories porcupine gives a second opinion on")
	os.Exit(m.Run())
}

// tally counts what became of the histories of one kind.
type tally struct{ made, holds, violated, undecided, open int }

// TestPorcupineAgrees compares the judge with porcupine on small histories, legal and mutated.
func TestPorcupineAgrees(t *testing.T) {
	total := flag.Lookup("opinions").Value.(flag.Getter).Get().(int)
	kinds := mutations()
	tallies := map[string]*tally{}
	undecided := 0
	for n := range total {
		seed := uint64(n)
		g := small(seed)
		g.leases = false
		history := slices.DeleteFunc(g.run(), func(o Operation) bool {
			return o.Succeeded() && !etcd.OfThePresent(&o)
		})
		if len(history) == 0 {
			continue
		}
		kind := "legal"
		if r := rand.New(rand.NewPCG(seed, 9)); n%4 > 0 {
			m := kinds[r.IntN(len(kinds))]
			if !m.do(r, history) {
				continue
			}
			kind = m.name
		}
		if tallies[kind] == nil {
			tallies[kind] = &tally{}
		}
		c := tallies[kind]
		c.made++
		report := Judge(history, Options{})
		want := opinion(history)
		switch {
		case want == checker.Undecided:
			c.open++
			continue
		case report.Verdict == checker.Undecided:
			c.undecided++
			undecided++
			continue
		case report.Verdict == checker.Holds:
			c.holds++
		default:
			c.violated++
		}
		if report.Verdict != want {
			t.Fatalf("seed %d, %s: %v, porcupine: %v: operation %d: %s\n%s", seed, kind,
				report.Verdict, want, report.Operation, report.Reason, text(history))
		}
		if report.Verdict == checker.Holds {
			if err := Certify(history, report); err != nil {
				t.Fatalf("seed %d, %s: %v %v\n%s", seed, kind, err, report.Order, text(history))
			}
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(tallies)) {
		t.Logf("%-28s %+v", kind, *tallies[kind])
	}
	if undecided*100 > total {
		t.Errorf("%d of %d are undecided", undecided, total)
	}
}
