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
		profile: "everything", seeds: 40,
	},
	{
		name: "random-time-outs",
		edits: []edit{{module: raftModule, file: "raft.go",
			find: "r.randomizedElectionTimeout = r.electionTimeout + globalRand.Intn(r.electionTimeout)",
			replace: "r.randomizedElectionTimeout = r.electionTimeout +" +
				" globalRand.Intn(r.electionTimeout)\n" +
				"	if OFF {\n		r.randomizedElectionTimeout = r.electionTimeout\n	}"}},
		promise: "members lose their patience at different times",
		profile: "everything", seeds: 40,
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
		profile: "everything", seeds: 300,
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
		name: "snapshots-are-offered",
		edits: []edit{{file: "consensus/replica/offer.go",
			find:    "	to, latest := MemberID(m.GetTo()), r.background.latest\n",
			replace: "	if OFF {\n		return\n	}\n	to, latest := MemberID(m.GetTo()), r.background.latest\n"}},
		promise: "a follower whose entries are not kept any more gets a snapshot",
		profile: "everything", seeds: 40, want: "with clients at work",
	},
	{
		name: "received-are-audited",
		edits: []edit{{file: "consensus/replica/disk.go",
			find: "		if err := errors.Join(file.Sync(), file.Close()); err != nil {",
			replace: "		if OFF {\n			_ = file.Close()\n			continue\n		}\n" +
				"		if err := errors.Join(file.Sync(), file.Close()); err != nil {"}},
		promise: "what was received is durable before a checkpoint names it",
	},
}
