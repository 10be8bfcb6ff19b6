package explore

import (
	"fmt"
	"strings"

	"go.etcd.io/raft/v3/raftpb"

	"detcd/consensus/replica"
)

// Story plays the choices of a path and tells them in words, a line each. broken is what does not
// hold then; empty: everything holds.
func Story(o Options, path string) (lines []string, broken string, err error) {
	if err := o.check(); err != nil {
		return nil, "", err
	}
	defer fixTimeouts()()
	x := &explorer{options: o, space: newSpace(&o)}
	c := x.root()
	for number, name := range strings.Fields(path) {
		by, err := x.choose(c, name)
		if err != nil {
			return lines, "", err
		}
		lines = append(lines, fmt.Sprintf("%3d  %-6s m%d %s", number+1, name, by.member+1, x.tell(c, by)))
		if c, broken = x.after(c, by); broken != "" {
			return lines, broken, nil
		}
	}
	return lines, "", nil
}

// tell puts a choice and what it leads to into words.
func (x *explorer) tell(c *cluster, by choice) string {
	m := x.space.live(c.members[by.member])
	x.space.execute(m, by.in)
	words := []string{x.what(by.in)}
	for _, e := range m.events {
		words = append(words, eventText(e))
	}
	for _, message := range m.sent {
		words = append(words, fmt.Sprintf("sends m%d %s", message.To, messageText(&message)))
	}
	for _, a := range m.answers {
		switch count, ok := a.Value.(int); {
		case a.Err != nil:
			words = append(words, fmt.Sprintf("refuses operation %d: %v", a.ID, a.Err))
		case ok:
			words = append(words, fmt.Sprintf("answers operation %d: %d commands are applied", a.ID, count))
		}
	}
	if m.broken != "" {
		words = append(words, m.broken)
	}
	return strings.Join(words, "; ")
}

func (x *explorer) what(in input) string {
	var text string
	switch in.kind {
	case inputDeliver, inputLate:
		p := &x.space.packets[in.arg]
		text = fmt.Sprintf("hears from m%d %s", p.from+1, messageText(x.space.message(packetID(in.arg))))
		if in.kind == inputLate {
			text = "has not heard of its leader for an election time-out, and " + text
		}
	case inputTimeout:
		text = "waits in vain for an election time-out"
	case inputBeat:
		text = "ticks"
	case inputPropose:
		text = fmt.Sprintf("is asked for operation %d, a command", in.arg)
	case inputRead:
		text = fmt.Sprintf("is asked for operation %d, a read", in.arg)
	case inputWritten:
		text = "has on its disk what it wrote"
	case inputCrash:
		text = "crashes, without what it wrote, and starts again"
	case inputCrashKept:
		text = "crashes when its disk has what it wrote, and starts again"
	}
	if in.slow {
		text += " (its disk is slow)"
	}
	return text
}

func eventText(e replica.Event) string {
	switch {
	case e.Kind == replica.EventRole:
		return fmt.Sprintf("becomes %s in term %d", e.Text, e.Term)
	case e.Member == 0:
		return "knows no leader"
	}
	return fmt.Sprintf("follows m%d", e.Member)
}

// messageText writes what of a message matters here.
func messageText(m *replica.Message) string {
	r := m.Raft
	text := r.GetType().String()
	if r.GetTerm() > 0 {
		text += fmt.Sprintf(" of term %d", r.GetTerm())
	}
	switch r.GetType() {
	case raftpb.MsgApp:
		text += fmt.Sprintf(" behind %d/%d", r.GetIndex(), r.GetLogTerm())
		for _, e := range r.GetEntries() {
			text += fmt.Sprintf(", entry %d/%d", e.GetIndex(), e.GetTerm())
		}
		text += fmt.Sprintf(", commit %d", r.GetCommit())
	case raftpb.MsgVote, raftpb.MsgPreVote:
		text += fmt.Sprintf(" with a log to %d/%d", r.GetIndex(), r.GetLogTerm())
	case raftpb.MsgAppResp, raftpb.MsgReadIndexResp:
		text += fmt.Sprintf(" to %d", r.GetIndex())
	case raftpb.MsgHeartbeat:
		text += fmt.Sprintf(", commit %d", r.GetCommit())
	}
	if r.GetReject() {
		text += ", refused"
	}
	return text
}
