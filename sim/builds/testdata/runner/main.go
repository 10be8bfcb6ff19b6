// Command runner runs seeds of the simulator, or a scenario, and prints what they came to: a line
// for each run, or for each event of one. It is as small as can be, so that it builds for every
// platform; the tests that compare builds with each other start it.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"detcd/faults"
	"detcd/sim"
)

func main() {
	first := flag.Uint64("first", 1, "the first seed")
	count := flag.Uint64("count", 1, "how many seeds")
	length := flag.Duration("duration", 20*time.Second, "virtual time until everything heals")
	profile := flag.String("profile", string(faults.Everything), "what goes wrong")
	scenario := flag.String("scenario", "", "run this file instead of seeds")
	red := flag.Bool("until-red", false, "stop at the first run that is not green")
	trace := flag.Bool("trace", false, "print every event")
	disturb := flag.Duration("disturb", 0, "crash a member at this moment, as no other build does")
	flag.Parse()
	debug.SetGCPercent(400)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for seed := *first; seed < *first+*count; seed++ {
		o := sim.Drawn(faults.Profile(*profile), seed, *length)
		if *scenario != "" {
			o = read(*scenario)
		}
		if *disturb > 0 {
			o.Plan = append(o.Plan, faults.Fault{At: *disturb, Kind: faults.CrashKeep})
			o.Plan.Sort()
		}
		if *trace {
			o.Listen = func(l sim.Line) {
				fmt.Fprintf(out, "%d %016x %v\n", l.Number, l.Hash, l)
			}
		}
		r := sim.Run(o)
		fmt.Fprintf(out, "seed %d: %v, %d events, %d operations, hash %016x\n", seed, r.Verdict,
			r.Events, r.Operations, r.Hash)
		if *red && r.Verdict != sim.Green {
			fmt.Fprintln(out, r.Reason)
			return
		}
	}
}

func read(file string) sim.Options {
	text, err := os.ReadFile(file)
	if err != nil {
		panic(err)
	}
	s, err := sim.ParseScenario(string(text))
	if err != nil {
		panic(fmt.Sprintf("%s: %v", file, err))
	}
	return s.Options
}
