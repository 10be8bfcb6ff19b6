package sim

import (
	"strings"
	"testing"
	"time"

	"detcd/faults"
)

// A cluster that is full, or called corrupt, refuses what its alarm forbids, and goes on when the
// operator has disarmed it; with a crash in between.
func TestAlarmsForbidAndAreDisarmed(t *testing.T) {
	for kind, text := range map[faults.Kind]string{
		faults.Quota: "database space exceeded", faults.Accuse: "corrupt cluster",
	} {
		alarm := faults.Fault{Kind: kind, At: 4 * time.Second, For: 6 * time.Second}
		if kind == faults.Quota {
			alarm.Amount = 90
		}
		refused, last, put := 0, time.Duration(0), time.Duration(0)
		o := Options{Seed: 7, Members: 3, Duration: 20 * time.Second, Plan: faults.Plan{
			alarm,
			{Kind: faults.CrashLeader, At: 6 * time.Second},
		}}
		o.Listen = func(line Line) {
			switch {
			case strings.Contains(line.Text, text):
				refused, last = refused+1, line.At
			case strings.Contains(line.Text, "done at revision"):
				put = line.At
			}
		}
		r := Run(o)
		if r.Verdict != Green || refused < 20 || last > 11*time.Second || put < last {
			t.Errorf("%v: %v; %d were refused, until %v, and some done until %v", kind, r.Verdict,
				refused, last, put)
		}
	}
}
