package sim

import "sort"

// State is a situation that a run can come into and that matters: where a rule of the program is
// decided. They are counted, as faults are: a rule whose situation never occurs is not tested,
// however many seeds are green. (FoundationDB and Antithesis call such a thing a "sometimes".)
type State int

// stateInfos names the states in groups; a state is its place here. The meaning completes "it
// happened that ...".
var stateInfos = []StateInfo{
	{"two-leaders", "two members believed that they lead, in different terms"},
	{"deposed-read", "a member that was deposed and did not know it was asked to read"},
	{"deposed-write", "such a member was asked to write"},
	{"deposed-renewal", "such a member was asked to renew a lease"},
	{"deposed-due", "such a member found a lease due"},
	{"split-vote", "two members campaigned in one term"},
	{"vote-refused", "a vote was refused"},
	{"prevote-refused", "a vote that was asked for beforehand was refused"},
	{"vote-beside-entries", "a vote was asked of a member whose entries were not on its disk yet"},
	{"steps-down", "a leader stepped down for want of a majority"},
	{"campaign-fails", "a candidate became a follower again"},
	{"transfer", "a member was told to campaign at once"},
	{"new-leader-old-tail", "who became the leader had entries of earlier terms, not committed"},
	{"tail-overwritten", "entries in the log of a member were replaced"},
	{"append-refused", "a follower refused entries that did not join its log"},
	{"no-pre-vote", "a member campaigned unasked"},

	{"lanes-both", "a write and a step in the background were under way at once"},
	{"write-of-ten", "ten records shared a sync"},
	{"write-of-hundred", "a hundred records shared a sync"},
	{"entry-of-three", "an entry had three commands"},
	{"entry-of-thirty", "an entry had thirty commands"},
	{"disk-late", "a write took longer than an election time-out"},
	{"torn-tail", "recovery cut a torn end off the log"},
	{"crash-in-write", "a member crashed while it wrote its log"},
	{"crash-in-bulk", "a member crashed during a step in the background"},
	{"crash-in-both", "a member crashed during both"},
	{"crash-in-checkpoint", "a member crashed while it saved a checkpoint"},
	{"crash-in-stage", "a member crashed while it stored a part of a snapshot"},
	{"crash-in-verify", "a member crashed while it audited a received snapshot"},
	{"crash-leading", "the leader crashed"},
	{"crash-alone", "the only voter crashed"},
	{"image-recovers", "a member would have recovered from a crash that did not happen"},
	{"replay-long", "recovery applied more than fifty entries of the log again"},
	{"recovers-uncommitted", "a member recovered with entries that were not committed"},

	{"snapshot-offered", "a snapshot was offered"},
	{"snapshot-installed", "a snapshot was installed"},
	{"snapshot-given-up", "a snapshot was given up"},
	{"snapshot-restarts", "a snapshot was begun while another was being received"},
	{"snapshot-two-receivers", "two members received snapshots at once"},
	{"snapshot-learner", "a learner received a snapshot"},
	{"snapshot-beside-election", "the leader changed while a snapshot was being received"},
	{"snapshot-beside-write", "a member that received a snapshot wrote its log"},
	{"snapshot-beside-vote", "a member that received a snapshot was asked for a vote"},
	{"compacts-while-sending", "history was compacted while a snapshot was under way"},
	{"checkpoint-while-sending", "a leader saved a checkpoint while it sent an older one"},
	{"caught-up-by-log", "a member that was down for long caught up from the log"},

	{"voter-added", "a voter was added"},
	{"learner-added", "a learner was added"},
	{"member-removed", "a member learned that it was removed"},
	{"change-beside-crash", "a member crashed while a change of membership was under way"},
	{"leads-though-removed", "a leader had applied its own removal"},
	{"refused-incarnation", "a member with another data directory was refused"},
	{"one-voter", "a cluster had one voter"},
	{"even-voters", "a cluster had an even number of voters"},

	{"read-at-follower", "a follower was asked to read"},
	{"read-without-leader", "a member that knew no leader was asked to read"},
	{"read-longer-than-heartbeat", "a read waited longer than a heartbeat"},
	{"read-across-leaders", "a read was answered in a later term than it was asked in"},
	{"serializable-stale", "a read that may be stale was"},
	{"revision-compacted", "a read of a compacted revision was refused"},
	{"revision-future", "a read of a revision to come was refused"},
	{"write-unknown-done", "a write whose answer was lost was carried out"},
	{"write-unknown-undone", "a write whose answer was lost was not"},
	{"client-gave-up", "a client gave up"},
	{"server-forgot", "a member forgot a request that took too long"},
	{"request-refused-busy", "a member refused a request for want of room"},

	{"txn-else", "a transaction took its else"},
	{"txn-nested", "a transaction within a transaction was carried out"},
	{"txn-of-many", "a revision changed three keys"},
	{"range-more", "a range was cut by its limit"},
	{"delete-nothing", "a delete found no key"},
	{"compact-twice", "a compaction at or below the last one was refused"},

	{"lease-expired", "a lease ended for want of renewal"},
	{"lease-expired-with-keys", "so did one with keys"},
	{"lease-storm", "twenty leases were due at once"},
	{"lease-revoked", "a lease was revoked on request"},
	{"lease-renewed-across-leaders", "a lease was renewed in a later term than it was granted in"},
	{"lease-renewed-at-follower", "a follower was asked to renew a lease"},
	{"lease-gone", "a renewal found the lease gone"},
	{"lease-id-taken", "a lease was asked for under an ID that was taken"},
	{"lease-missing", "a put named a lease that was not there"},

	{"watch-compacted", "a watch was cancelled because its history was compacted"},
	{"watch-at-compacted", "a watch began at the compacted revision itself"},
	{"watch-behind", "a watch began a hundred revisions behind"},
	{"watch-future", "a watch began at a revision to come"},
	{"watch-fragment", "a response of a watch came in pieces"},
	{"watch-progress", "a watch was told how far it is"},
	{"watch-previous", "a watch was told the previous value"},
	{"watch-moved", "a watch was taken up again at another member"},
	{"watch-many-events", "a response of a watch carried twenty events"},

	{"alarm-space", "a write was refused because a member was full"},
	{"alarm-corrupt", "a request was refused because a member was corrupt"},
	{"disk-full", "a log had no room"},
	{"disk-room-again", "a log had room again"},
	{"permission-denied", "a request was refused for want of a right"},
	{"auth-revision-old", "a request was checked against rights that had changed"},

	{"link-slow", "a link's round trip was longer than a heartbeat"},
	{"queue-long", "a member found a hundred inputs when it woke"},
	{"clock-ahead", "the clock of a member was more than a second ahead of another's"},
}

// StateInfo describes a state.
type StateInfo struct {
	Name    string
	Meaning string
}

// StateInfos describes every state, in order.
func StateInfos() []StateInfo { return append([]StateInfo(nil), stateInfos...) }

// states finds a state by its name.
var states = func() map[string]State {
	m := make(map[string]State, len(stateInfos))
	for i, info := range stateInfos {
		m[info.Name] = State(i)
	}
	return m
}()

// saw counts a state. A name that is not in the table is a mistake of the simulator.
func (w *world) saw(name string) {
	s, ok := states[name]
	if !ok {
		panic("no such state: " + name)
	}
	w.states[s]++
}

// sawIf counts a state if it holds.
func (w *world) sawIf(holds bool, name string) {
	if holds {
		w.saw(name)
	}
}

// seenStates returns the states that occurred, by name.
func (w *world) seenStates() map[string]int {
	seen := map[string]int{}
	for i, n := range w.states {
		if n > 0 {
			seen[stateInfos[i].Name] = n
		}
	}
	return seen
}

// ColdStates returns the states that never occurred, sorted.
func ColdStates(seen map[string]int) (cold []string) {
	for _, info := range stateInfos {
		if seen[info.Name] == 0 {
			cold = append(cold, info.Name)
		}
	}
	sort.Strings(cold)
	return cold
}
