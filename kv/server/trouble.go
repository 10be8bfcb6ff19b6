package server

import (
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"detcd/consensus/replica"
	"detcd/consensus/transport"
	"detcd/kv/rpc"
)

// What keeps a member from all of its work is said wherever somebody may look: in its log, by
// Status (errors), at /readyz, and through these by the command line. A cluster that is down cannot
// be asked who is missing; each member that is there can say whom it does not reach, and why.

// A device is why nothing can be written below a data directory; nil: it can.
type device struct{ full atomic.Pointer[shortage] }

// A shortage is a lack of room, and since when there is one, of whichever kind.
type shortage struct {
	since time.Time
	files bool // that may be open; else of room on the device
}

// what names what there is too little of, as the system does.
func (s *shortage) what() string {
	if s.files {
		return "too many open files"
	}
	return "no space left on the device"
}

func (d *device) fullSince() time.Time {
	if now := d.full.Load(); now != nil {
		return now.since
	}
	return time.Time{}
}

// refusal is what who wants to write is told; nil: nothing.
func (d *device) refusal() error {
	switch now := d.full.Load(); {
	case now == nil:
		return nil
	case now.files:
		return rpc.ErrTooManyFiles
	}
	return rpc.ErrDeviceFull
}

// writeMax is how long a write to the log may take before it is said that the disk hangs.
const writeMax = 10 * time.Second

// Troubles says in words why this member cannot do all of its work; none: it can, as far as it
// knows.
func (a *adapter) Troubles() (all []string) {
	if now := a.device.full.Load(); now != nil {
		what := now.what()
		if !now.files {
			what += " of " + a.config.DataDir
		}
		all = append(all, what+" since "+stamp(now.since)+": writes are refused until there is room")
	}
	if since := a.Node.Stats().WritingSince; !since.IsZero() && time.Since(since) > writeMax {
		all = append(all, fmt.Sprintf("the disk of %s has not ended a write since %s",
			a.config.DataDir, stamp(since)))
	}
	if since := a.leaderlessSince(); !since.IsZero() {
		r := a.reach()
		all = append(all, fmt.Sprintf("no leader since %s: %s", stamp(since), r.summary()))
		for _, one := range r.down {
			all = append(all, "not reachable: "+one)
		}
	}
	return all
}

// stamp is a time as the log has it, to the second.
func stamp(at time.Time) string { return at.UTC().Format(time.RFC3339) }

// leaderlessSince is since when this member knows of no leader; zero: it knows one.
func (a *adapter) leaderlessSince() time.Time {
	now := a.Node.Status()
	switch {
	case now.Leader != 0:
		return time.Time{}
	case now.LeaderSince.IsZero():
		return a.begun
	}
	return now.LeaderSince
}

// A reach is whom this member is connected to: what an election depends on.
type reach struct {
	voters, reached int      // of those that vote, this one included
	up, down        []string // the others: who, and of those that are down where, since when and why
}

func (a *adapter) reach() reach {
	return reachOf(a.Node.Status().ID, a.Node.Members(), a.Node.Peers(), a.config)
}

func reachOf(
	self replica.MemberID, members replica.Membership, peers transport.Stats, config *Config,
) (r reach) {
	for i := range members.Members {
		if member := &members.Members[i]; !member.Learner {
			r.voters++
			if member.ID == self {
				r.reached++
			}
		}
	}
	for i := range peers.Peers {
		peer := &peers.Peers[i]
		member, known := members.Find(replica.MemberID(peer.ID))
		votes := known && !member.Learner
		who := config.nameOf(peer, member.Name)
		if peer.Up {
			r.up = append(r.up, who)
			if votes {
				r.reached++
			}
			continue
		}
		why := peer.Error
		if why == "" {
			why = "no attempt to connect has ended yet"
		}
		r.down = append(r.down, fmt.Sprintf("%s at %s since %s: %s",
			who, strings.Join(peer.Addresses, ","), stamp(peer.Since), why))
	}
	return r
}

// nameOf is what to call a peer: its name, or that of the initial cluster if it has never run, or
// its ID.
func (c *Config) nameOf(peer *transport.PeerStats, name string) string {
	if name != "" {
		return name
	}
	if name, ok := nameOf(c.InitialCluster, peer.Addresses); ok {
		return name
	}
	return hex(peer.ID)
}

// summary says whether an election could be won.
func (r *reach) summary() string {
	needed := majority(r.voters)
	switch {
	case r.voters == 0:
		return "this member has yet to hear from the cluster that it joins"
	case r.reached < needed:
		return fmt.Sprintf("%d of %d voters can be reached, and %d are needed",
			r.reached, r.voters, needed)
	}
	return fmt.Sprintf("%d of %d voters can be reached; an election is under way",
		r.reached, r.voters)
}
