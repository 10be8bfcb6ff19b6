package main

import (
	"fmt"
	"time"
)

// picture draws the whole scene.
func (s *scene) picture(now time.Duration, views []memberView, counts counts) []string {
	p := s.palette
	head := fmt.Sprintf("detcd demo   %d members, %d clients", len(views), s.drill.workers)
	lines := []string{
		fmt.Sprintf("  %s   %s %s", p.paint(bold, head),
			bar(min(now.Seconds()/s.length.Seconds(), 1), 20), s.phase),
		"",
		p.paint(faint, "  member   state           pid   term   revision   starts"),
	}
	for _, v := range views {
		lines = append(lines, s.memberLine(v))
	}
	lines = append(lines, "", fmt.Sprintf("  writes acknowledged: %s, %s",
		p.paint(bold, fmt.Sprintf("%.0f a second", s.rate())),
		fmt.Sprintf("%d in all", counts.Acknowledged)))
	lines = append(lines, s.chart.lines(now, p)...)
	lines = append(lines,
		fmt.Sprintf("  reads %d   watch events %d over %d resumptions   leases %d kept, %d ended",
			counts.Reads, counts.Delivered, s.drill.resumed.Load(), keptLeases, counts.LeasesEnded),
		"")
	room := max(height(s.out)-len(lines)-2, 3)
	return append(lines, s.events[max(len(s.events)-room, 0):]...)
}

// memberLine shows one member.
func (s *scene) memberLine(v memberView) string {
	sign, c := "●", green
	switch v.state {
	case "leader":
		sign = "★"
	case "follower":
		c = cyan
	case "dead":
		sign, c = "✗", red
	default:
		sign, c = "○", yellow
	}
	pid := "-"
	if v.pid != 0 {
		pid = fmt.Sprint(v.pid)
	}
	state := s.palette.paint(c, fmt.Sprintf("%s %-9s", sign, v.state))
	return fmt.Sprintf("  %-6s   %s %7s %6d %10d   %6d", v.name, state, pid, v.term, v.revision,
		v.starts)
}

// An outcome is what the demo found.
type outcome struct {
	counts
	elections int
	resumed   int64
	kills     int64
	longest   time.Duration
	last      int64
	readBack  int64
}

// verdict draws the result of a demo in which nothing was found wrong: each line rests on a check
// that would have ended it otherwise.
func (o *outcome) verdict(p palette) []string {
	good := func(what, result string) string {
		return fmt.Sprintf("  %s %-34s %s", p.paint(green, "✓"), what, result)
	}
	return []string{
		p.paint(bold, fmt.Sprintf("  Verdict after %d × kill -9 of the leader", o.kills)),
		good("acknowledged writes lost", fmt.Sprintf("0 of %d", o.Acknowledged)),
		good("values read back", fmt.Sprintf("%d, each at the revision that wrote it", o.readBack)),
		good("writes without an answer",
			fmt.Sprintf("%d, of which %d happened, whole and once", o.Unknown, o.Recovered)),
		good("watch events missed or repeated",
			fmt.Sprintf("0 of %d, over %d resumptions", o.Delivered, o.resumed)),
		good("revisions taken back", fmt.Sprintf("0 of %d", o.last)),
		good("leases lost", fmt.Sprintf("0 of %d kept alive, %d others ended in time",
			keptLeases, o.LeasesEnded)),
		good("members that differ", "0: state, history and hash are the same"),
		fmt.Sprintf("  • %-34s %.2f s (%d leaders elected)", "longest interruption of writes",
			o.longest.Seconds(), o.elections),
	}
}
