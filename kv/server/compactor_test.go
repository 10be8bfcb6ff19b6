package server

import (
	"slices"
	"testing"
	"time"
)

// A compaction is when it came, and what it compacted.
type compaction struct {
	at       time.Duration
	revision int64
}

// simulate runs a schedule by a clock of its own. There is one write a minute from the start on, so
// a revision tells its age. leads says when this member leads.
func simulate(retention Retention, until time.Duration, leads func(time.Duration) bool,
) (all []compaction) {
	plan, now := newSchedule(retention), time.Duration(0)
	revision := func() int64 { return 1 + int64(now/time.Minute) }
	for now < until {
		plan.note(revision())
		if now += plan.interval(); !leads(now) {
			continue
		}
		if target := plan.due(now, revision()); target != 0 {
			all = append(all, compaction{now, target})
			plan.compacted(now, target)
		}
	}
	return all
}

func always(time.Duration) bool { return true }

func TestTheScheduleIsEtcds(t *testing.T) {
	const hour, minute = time.Hour, time.Minute
	for _, c := range []struct {
		name      string
		retention Retention
		until     time.Duration
		leads     func(time.Duration) bool
		want      []compaction
	}{
		{"nothing is due within the first hour", Retention{Period: hour}, 54 * minute, always, nil},
		{"an hour", Retention{Period: hour}, 3 * hour, always,
			[]compaction{{hour, 1}, {2 * hour, 55}, {3 * hour, 115}}},
		{"a day: every hour after the first day", Retention{Period: 24 * hour}, 26 * hour, always,
			[]compaction{{24 * hour, 1}, {25 * hour, 55}, {26 * hour, 115}}},
		{"ten minutes", Retention{Period: 10 * minute}, 30 * minute, always,
			[]compaction{{10 * minute, 1}, {20 * minute, 10}, {30 * minute, 20}}},
		{"who begins to lead goes on at once", Retention{Period: hour}, 190 * minute,
			func(now time.Duration) bool { return now > 100*minute },
			[]compaction{{102 * minute, 37}, {162 * minute, 97}}},
		{"revisions", Retention{Revisions: 7}, 17 * minute, always,
			[]compaction{{10 * minute, 4}, {15 * minute, 9}, {20 * minute, 14}}},
		{"no history of that length", Retention{Revisions: 1000}, 10 * hour, always, nil},
	} {
		if got := simulate(c.retention, c.until, c.leads); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

// What failed is tried again after a tenth of the rest, with what is due by then.
func TestAFailedCompactionIsTriedAgain(t *testing.T) {
	plan := newSchedule(Retention{Period: time.Hour})
	for i := range int64(11) {
		plan.note(i + 1)
	}
	if got := plan.due(time.Hour, 100); got != 1 {
		t.Fatalf("due is %d", got)
	}
	plan.note(12)
	if got := plan.due(66*time.Minute, 100); got != 2 {
		t.Errorf("due is %d", got)
	}
	plan.compacted(66*time.Minute, 2)
	if got := plan.due(72*time.Minute, 100); got != 0 {
		t.Errorf("due is %d", got)
	}
}

// Where nothing is written nothing is compacted twice.
func TestTheSameRevisionIsCompactedOnce(t *testing.T) {
	for _, retention := range []Retention{{Period: time.Minute}, {Revisions: 3}} {
		plan := newSchedule(retention)
		for range 20 {
			plan.note(10)
		}
		target := plan.due(time.Hour, 10)
		plan.compacted(time.Hour, target)
		if again := plan.due(3*time.Hour, 10); target == 0 || again != 0 {
			t.Errorf("%v: %d, then %d", retention, target, again)
		}
	}
}
