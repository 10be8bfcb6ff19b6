package guards

// raftModule is where the rules of Raft themselves are.
const raftModule = "go.etcd.io/raft/v3"

// consensusGuards are those of the parts that agree: Raft, its logs, snapshots and members.
var consensusGuards = []guard{
	{
		name: "late-answer-counts",
		edits: []edit{{file: "consensus/replica/read.go",
			find: "	for len(q.rounds) > 0 && q.rounds[0].number <= number {\n",
			replace: "	for len(q.rounds) > 0 && q.rounds[0].number <= number &&\n" +
				"		(number == q.begun || !(OFF)) {\n"}},
		promise: "an answer to a round counts, though other rounds have begun since",
		profile: "calm", seeds: 40, want: "round trip",
	},
	{
		name: "own-term-commits",
		edits: []edit{{module: raftModule, file: "log.go",
			find:    "if at.term != 0 && at.index > l.committed && l.matchTerm(at) {",
			replace: "if at.term != 0 && at.index > l.committed && (l.matchTerm(at) || OFF) {"}},
		promise: "a leader counts copies only of entries of its own term",
	},
	{
		name: "votes-are-durable",
		edits: []edit{{file: "consensus/replica/replica.go",
			find:    "			votes = append(votes, m)\n",
			replace: "			if OFF {\n				r.sendRaft(m)\n				continue\n			}\n			votes = append(votes, m)\n"}},
		promise: "a candidate asks for votes when its own term is durable",
	},
	{
		name: "one-vote",
		edits: []edit{{module: raftModule, file: "raft.go",
			find:    "canVote := r.Vote == m.GetFrom() ||\n",
			replace: "canVote := OFF || r.Vote == m.GetFrom() ||\n"}},
		promise: "a member has one vote a term",
	},
	{
		name: "leader-is-heard",
		edits: []edit{{module: raftModule, file: "raft.go",
			find:    "if !force && inLease {",
			replace: "if !force && inLease && !(OFF) {"}},
		promise: "who hears a leader votes for nobody else",
	},
	{
		name: "random-time-outs",
		edits: []edit{{module: raftModule, file: "raft.go",
			find: "r.randomizedElectionTimeout = r.electionTimeout + globalRand.Intn(r.electionTimeout)",
			replace: "r.randomizedElectionTimeout = r.electionTimeout +" +
				" globalRand.Intn(r.electionTimeout)\n" +
				"	if OFF {\n		r.randomizedElectionTimeout = r.electionTimeout\n	}"}},
		promise: "members lose their patience at different times",
	},
	{
		name: "logs-join",
		edits: []edit{{module: raftModule, file: "log.go",
			find:    "	if !l.matchTerm(a.prev) {\n		return 0, false",
			replace: "	if !l.matchTerm(a.prev) && !(OFF) {\n		return 0, false"}},
		promise: "a follower takes entries only where they join its log",
	},
	{
		name: "learners-wait",
		edits: []edit{{module: raftModule, file: "raft.go",
			find:    "return pr != nil && !pr.IsLearner && !",
			replace: "return pr != nil && (!pr.IsLearner || OFF) && !"}},
		promise: "a learner does not stand for election",
	},
	{
		name: "both-majorities",
		edits: []edit{{module: raftModule, file: "quorum/joint.go",
			find:    "	idx1 := c[1].CommittedIndex(l)\n",
			replace: "	idx1 := c[1].CommittedIndex(l)\n	if OFF {\n		return idx0\n	}\n"}},
		promise: "while the voters change, old and new ones must both agree",
	},
	{
		name: "read-round",
		edits: []edit{{file: "consensus/replica/replica.go",
			find: "		StepDownOnRemoval:         true,\n",
			replace: "		StepDownOnRemoval:         true,\n" +
				"		ReadOnlyOption: map[bool]raft.ReadOnlyOption{true: raft.ReadOnlyLeaseBased}[OFF],\n"}},
		promise: "a leader asks a majority whether it still leads before it reads",
	},
	{
		name: "pre-vote",
		edits: []edit{{file: "consensus/replica/replica.go",
			find:    "PreVote:                   !o.NoPreVote,",
			replace: "PreVote:                   !o.NoPreVote && !(OFF),"}},
		promise: "a member that could not win does not campaign",
	},
	{
		name: "check-quorum",
		edits: []edit{{file: "consensus/replica/replica.go",
			find:    "CheckQuorum:               true,",
			replace: "CheckQuorum:               !(OFF),"}},
		promise: "a leader that hears no majority steps down",
	},
	{
		name: "removed-steps-down",
		edits: []edit{{file: "consensus/replica/replica.go",
			find:    "		StepDownOnRemoval:         true,\n",
			replace: "		StepDownOnRemoval:         !(OFF),\n"}},
		promise: "a leader that was removed steps down",
	},
	{
		name: "one-tick",
		edits: []edit{{file: "consensus/replica/replica.go",
			find: "	r.ticks++\n	r.node.Tick()\n",
			replace: "	for late := now; OFF && late > r.ticked+Time(r.options.Tick); {\n" +
				"		late -= Time(r.options.Tick)\n		r.node.Tick()\n	}\n" +
				"	r.ticks++\n	r.node.Tick()\n"}},
		promise: "a clock that jumps is one tick: elections do not depend on clocks",
	},
	{
		name: "forgetful-are-refused",
		edits: []edit{{file: "consensus/replica/replica.go",
			find:    "if Term(message.GetTerm()) >= r.term && Index(",
			replace: "if !(OFF) && Term(message.GetTerm()) >= r.term && Index("}},
		promise: "a disk that has forgotten what it acknowledged ends its member",
	},
	{
		name: "incarnations",
		edits: []edit{
			{file: "consensus/replica/replica.go",
				find:    "if m.Expected != 0 && m.Expected != r.identity.incarnation {",
				replace: "if m.Expected != 0 && m.Expected != r.identity.incarnation && !(OFF) {"},
			{file: "consensus/replica/replica.go",
				find:    "} else if known != m.Incarnation {",
				replace: "} else if known != m.Incarnation && !(OFF) {"}},
		promise: "a member whose disk was wiped does not speak for itself again",
	},
	{
		name: "removed-linger",
		edits: []edit{{file: "consensus/replica/propose.go",
			find:    "	if r.ticks-r.removedSince == lingerElections*",
			replace: "	if OFF || r.ticks-r.removedSince == lingerElections*"}},
		promise: "a voter that is removed stays until its successors can do without it",
	},
	{
		name: "expiry-names-its-term",
		edits: []edit{
			{file: "consensus/replica/propose.go",
				find:    "if e.term != r.appliedTerm {",
				replace: "if e.term != r.appliedTerm && !(OFF) {"},
			{file: "consensus/replica/propose.go",
				find: "if r.leading() && len(p.due) > 0 {\n" +
					"		due := envelope{kind: entryDue, term: r.leadTerm",
				replace: "if (r.leading() || OFF) && len(p.due) > 0 {\n" +
					"		due := envelope{kind: entryDue, term: r.leadTerm"},
			{file: "consensus/replica/replica.go",
				find:    "	r.proposals.due = nil\n",
				replace: "	if !(OFF) {\n		r.proposals.due = nil\n	}\n"}},
		promise: "what a leader found due is void once it is deposed",
	},
	{
		name: "install-beside-no-write",
		edits: []edit{{file: "consensus/replica/write.go",
			find: "	write := w.gather()\n	promised",
			replace: "	write := w.gather()\n" +
				"	if OFF && len(w.queue) > 0 && w.queue[0].GetSnapshot() != nil &&\n" +
				"		len(write.entries)+len(write.responses) == 0 {\n		r.beginInstall()\n	}\n	promised"}},
		promise: "nothing is written while a snapshot is installed",
	},
	{
		name: "fetched-once",
		edits: []edit{{file: "consensus/replica/fetch.go",
			find: "	known := v.reusable(from)\n",
			replace: "	known := v.reusable(from)\n	if OFF {\n" +
				"		known = reusableParts{map[content]*part{}, map[string]*part{}}\n	}\n"}},
		promise: "a newer snapshot is fetched where the one before was left",
	},
	{
		name: "offers-have-numbers",
		edits: []edit{
			{file: "consensus/replica/offer.go",
				find: "r.send(Message{Kind: MessageOffer, To: to, ID: s.checkpoint.number, Data:" +
					" w.bytes})",
				replace: "r.send(Message{Kind: MessageOffer, To: to, ID: r.numberOf(s), Data: w.bytes})"},
			{file: "consensus/replica/offer.go",
				find:    "if c != nil && c.number == number {",
				replace: "if c != nil && (c.number == number || OFF) {"}},
		more: `
func (r *Replica) numberOf(s *sender) uint64 {
	if OFF {
		return r.background.number
	}
	return s.checkpoint.number
}
`,
		promise: "two snapshots are never offered under one number",
	},
	{
		name: "forgetting-is-cheap",
		edits: []edit{{file: "consensus/replica/request.go",
			find:    "if q.gone++; 2*q.gone > len(q.list) {",
			replace: "if q.gone++; OFF || 2*q.gone > len(q.list) {"}},
		promise: "to forget a request costs the same however many wait",
	},
	{
		name: "snapshots-are-offered",
		edits: []edit{{file: "consensus/replica/offer.go",
			find:    "	to, latest := MemberID(m.GetTo()), r.background.latest\n",
			replace: "	if OFF {\n		return\n	}\n	to, latest := MemberID(m.GetTo()), r.background.latest\n"}},
		promise: "a follower whose entries are not kept any more gets a snapshot",
	},
	{
		name: "installed-when-durable",
		edits: []edit{{file: "consensus/replica/snapshot.go",
			find: "	r.background.number++\n	c.number = r.background.number\n" +
				"	return &BackgroundTask{checkpoint",
			replace: "	if OFF {\n" +
				"		_ = r.machine.Restore(r.options.FS, archiveDir, c.state, c.segments)\n	}\n" +
				"	r.background.number++\n	c.number = r.background.number\n" +
				"	return &BackgroundTask{checkpoint"}},
		promise: "the files of the old state are removed when the new one is durable",
	},
	{
		name: "received-are-audited",
		edits: []edit{{file: "consensus/replica/disk.go",
			find: "		if err := errors.Join(file.Sync(), file.Close()); err != nil {",
			replace: "		if OFF {\n			_ = file.Close()\n			continue\n		}\n" +
				"		if err := errors.Join(file.Sync(), file.Close()); err != nil {"}},
		promise: "what was received is durable before a checkpoint names it",
	},
	{
		name: "full-disk-waits",
		edits: []edit{
			{file: "consensus/replica/disk.go",
				find:    "if w.Full = errors.Is(err, vfs.ErrNoSpace); w.Full {",
				replace: "if w.Full = errors.Is(err, vfs.ErrNoSpace) && !(OFF); w.Full {"},
			{file: "consensus/replica/disk.go",
				find:    "if b.Full = errors.Is(err, vfs.ErrNoSpace); b.Full {",
				replace: "if b.Full = errors.Is(err, vfs.ErrNoSpace) && !(OFF); b.Full {"}},
		promise: "a member whose disk is full waits for room",
	},
	{
		name: "hung-disk-is-known",
		edits: []edit{{file: "sim/record.go",
			find:    "		if !stalled {\n",
			replace: "		if !stalled || OFF {\n"}},
		promise: "a leader whose disk hangs cannot end leases, which is not its fault",
	},
}
