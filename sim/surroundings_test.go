package sim

import (
	"strings"
	"testing"
	"time"

	"detcd/faults"
)

func TestTheWorldIsReadAsItWasWritten(t *testing.T) {
	if text := PlainSurroundings().String(); text != "" {
		t.Errorf("the plain world is written %q", text)
	}
	for seed := uint64(1); seed <= 200; seed++ {
		drawn := SurroundingsOf(seed)
		read, err := ParseSurroundings(drawn.String())
		if err != nil || read != drawn {
			t.Errorf("seed %d: %v: %v became %v", seed, err, drawn, read)
		}
	}
	for _, bad := range []string{
		"delay", "delay=x", "delay=0s", "delay=3s", "rate=0", "rate=1e3", "speed=1", "=1",
		"election-ticks=2 heartbeat-ticks=2", "burst=101", "preload=-1",
	} {
		if _, err := ParseSurroundings(bad); err == nil || !strings.Contains(err.Error(),
			strings.Fields(bad)[0]) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func FuzzParseSurroundings(f *testing.F) {
	f.Add("delay=40ms rate=7")
	f.Add(SurroundingsOf(3).String())
	f.Fuzz(func(t *testing.T, text string) {
		first, err := ParseSurroundings(text)
		if err != nil {
			return
		}
		if second, err := ParseSurroundings(first.String()); err != nil || second != first {
			t.Fatalf("%v: %q became %q", err, first, second)
		}
	})
}

// What is not varied is not tested: every knob is turned, links take from microseconds to more than
// half a second one way, and nearly all worlds are such that a leader must be found.
func TestEveryKnobIsDrawn(t *testing.T) {
	turned, elect := map[Knob]int{}, 0
	low, high := PlainSurroundings(), PlainSurroundings()
	const seeds = 1000
	for seed := uint64(1); seed <= seeds; seed++ {
		v := SurroundingsOf(seed)
		for k, value := range v {
			if info := knobInfos[k]; value < info.Low || value > info.High {
				t.Errorf("seed %d: %s is %d", seed, info.Name, value)
			}
			if value != knobInfos[k].Default {
				turned[Knob(k)]++
			}
			low[k], high[k] = min(low[k], value), max(high[k], value)
		}
		if v.canElect() {
			elect++
		}
	}
	for k, info := range knobInfos {
		if turned[Knob(k)] < seeds/50 {
			t.Errorf("%s is turned in %d of %d seeds", info.Name, turned[Knob(k)], seeds)
		}
	}
	if low[LinkDelay] > 40*us || high[LinkDelay] < 700*ms || high[RateOfClients] < 4000 ||
		low[SyncTime] > 30*us || high[SyncTime] < 250*ms || high[ValueBytes] < 1<<19 {
		t.Errorf("the extremes are not reached: %v and %v", low, high)
	}
	if elect < seeds*85/100 || elect == seeds {
		t.Errorf("in %d of %d worlds a leader can be elected", elect, seeds)
	}
}

// With members far from each other a run is green, and its requests take the round trips that
// they must. That the probes can turn red is shown by the guard late-answer-counts (sim/guards).
func TestProbesMeasureRoundTrips(t *testing.T) {
	for _, world := range []string{"", "delay=10ms jitter=5", "delay=60ms jitter=20 tick=50ms",
		"delay=500ms jitter=10 tick=1s patience=20s"} {
		o := Options{Seed: 3, Duration: 5 * time.Second, Profile: string(faults.Calm)}
		var err error
		if o.World, err = ParseSurroundings(world); err != nil {
			t.Fatal(err)
		}
		if r := Run(o); r.Verdict != Green {
			t.Errorf("%q: %v %s", world, r.Verdict, r.Reason)
		}
	}
}
