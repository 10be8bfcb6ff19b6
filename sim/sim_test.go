package sim

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"detcd/faults"
)

var (
	traceSeed = flag.Uint64("story", 0, "tell the run of this seed")
	profile   = flag.String("profile", "everything", "")
	from      = flag.Uint64("from", 1, "")
	count     = flag.Uint64("count", 50, "")
)

func TestSeeds(t *testing.T) {
	wall, virtual := time.Duration(0), time.Duration(0)
	verdicts := map[Verdict]int{}
	fired := map[faults.Kind]int{}
	one := func(seed uint64) {
		o := Options{Seed: seed, Duration: time.Minute, Profile: *profile}
		o.Plan = faults.Draw(faults.Profile(*profile), seed, o.Duration)
		if *traceSeed > 0 {
			os.Stdout.WriteString(o.Plan.String())
			o.Listen = func(l Line) { os.Stdout.WriteString(l.String() + "\n") }
		}
		start := time.Now()
		r := Run(o)
		wall += time.Since(start)
		virtual += r.Virtual
		verdicts[r.Verdict]++
		for k, n := range r.Fired {
			fired[k] += n
		}
		if r.Verdict != Green {
			t.Errorf("seed %d: %v: %s %.1500s", seed, r.Verdict, r.Reason, r.Stack)
		}
	}
	if *traceSeed > 0 {
		one(*traceSeed)
	} else {
		for seed := range *count {
			one(*from + seed)
		}
	}
	t.Logf("%v in %v: %.0f virtual s/s %v", virtual, wall, virtual.Seconds()/wall.Seconds(), verdicts)
	for _, k := range faults.Kinds() {
		if fired[k] < 1 {
			fmt.Print(k, "=", fired[k], " ")
		}
	}
	fmt.Println()
}
