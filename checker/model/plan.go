package model

import (
	"cmp"
	"slices"
	"sort"
)

// Bounds on a plan. What is beyond them is left to the replay.
const (
	planReach = 96  // gaps that one job is tried at
	planChain = 256 // gaps whose jobs are moved to make room for one more
)

// A plan says, before anything is replayed, who shall make the revisions of which nothing was seen.
//
// The evidence says of each key how often it must have been changed between two sightings, and
// where a change would not have been noticed. Whoever is needed is a job that must be done; whoever
// would not be noticed is one that may be done; each can be done at the gaps while its client
// waited for an answer. That is a bipartite graph of jobs and gaps, and its edges are few, for few
// answers are lost at one time. First jobs that must be done are matched, then gaps that are still
// empty; a path that augments a matching never leaves alone who was matched before. So if there is
// a matching for those jobs and one for all gaps, the result does both.
//
// It is a guess of what to try first: everybody else follows.
type plan struct {
	judge *judge
	gaps  []int64 // revisions without owner of which nothing was seen, ascending
	jobs  []job
	edges []edge  // by job
	of    []int32 // by gap: where its edges begin in byGap
	byGap []int32
	done  []int32        // by gap: the edge that was taken; nobody: none
	busy  map[int32]bool // operations that are taken
	seen  []int32        // by gap: in which search it was visited last
	turn  int32
	left  int // gaps that the search may visit still

	pairs  map[int32]int32 // the jobs of operations that would be noticed without another one
	needed map[int32]bool  // operations that some need may be met by
}

// A job is to be done once: by one of its members.
type job struct {
	members  []member
	from, to int32 // its edges
	taken    int32 // the edge that was taken; nobody: none
	last     int64 // the last revision that will do
	paired   bool  // it would be noticed without another one
}

// A member is who can do a job, in revisions [from, to].
type member struct {
	candidate
	from, to int64
}

// An edge is a gap that a member can fill.
type edge struct {
	job, gap int32
	who      candidate
}

// makePlan finds who shall make revisions.
func (j *judge) makePlan() *plan {
	p := &plan{judge: j, busy: map[int32]bool{}, needed: map[int32]bool{},
		pairs: map[int32]int32{}}
	for r := int64(2); r <= j.last; r++ {
		if j.owner[r] == nobody && len(j.evidence.facts[r]) == 0 {
			p.gaps = append(p.gaps, r)
		}
	}
	p.addRevokes()
	for k := range j.evidence.needs {
		p.addNeed(&j.evidence.needs[k])
	}
	must := len(p.jobs)
	p.addOthers()
	p.connect()
	p.match(must)
	return p
}

// match lets jobs fill gaps: first those that must be done, soonest first.
func (p *plan) match(must int) {
	order := make([]int32, must)
	for k := range order {
		order[k] = int32(k)
	}
	slices.SortStableFunc(order, func(a, b int32) int {
		return cmp.Compare(p.jobs[a].last, p.jobs[b].last)
	})
	for _, k := range order {
		p.turn, p.left = p.turn+1, planChain
		p.place(k)
	}
	for g := range p.gaps {
		if p.done[g] == nobody {
			p.turn, p.left = p.turn+1, planChain
			p.serve(int32(g))
		}
	}
	for k := must; k < len(p.jobs); k++ {
		if p.jobs[k].paired {
			p.pairs[p.jobs[k].members[0].op] = int32(k)
		}
	}
	for g := range p.gaps {
		if p.done[g] == nobody {
			p.pair(int32(g))
		}
	}
}

// at returns who shall make a revision.
func (p *plan) at(r int64) (candidate, bool) {
	g, ok := slices.BinarySearch(p.gaps, r)
	if !ok || p.done[g] == nobody {
		return candidate{}, false
	}
	return p.edges[p.done[g]].who, true
}

// elsewhere tells whether somebody is needed for another revision.
func (p *plan) elsewhere(c candidate) bool { return c.op != nobody && p.busy[c.op] }

// pair lets two operations fill gaps that nobody else can: one puts a key that nobody saw, and the
// other deletes it.
func (p *plan) pair(g int32) bool {
	j := p.judge
	for _, e := range p.byGap[p.of[g]:p.of[g+1]] {
		job := p.edges[e].job
		if !p.jobs[job].paired || p.jobs[job].taken != nobody || !p.free(e) {
			continue
		}
		p.take(e)
		key := keysOf(j.history[p.edges[e].who.op].Request.Ask, nil)[0]
		for _, other := range j.evidence.keys[key].lost {
			k, ok := p.pairs[other]
			if ok && k != job && p.jobs[k].taken == nobody {
				p.turn, p.left = p.turn+1, planChain
				p.seen[g] = p.turn
				if p.place(k) {
					return true
				}
			}
		}
		p.release(e)
	}
	return false
}

// connect finds which gaps each job can fill.
func (p *plan) connect() {
	counts := make([]int32, len(p.gaps)+1)
	for k := range p.jobs {
		job := &p.jobs[k]
		job.from = int32(len(p.edges))
		for _, m := range job.members {
			g := sort.Search(len(p.gaps), func(g int) bool { return p.gaps[g] >= m.from })
			for n := 0; n < planReach && g < len(p.gaps) && p.gaps[g] <= m.to; n, g = n+1, g+1 {
				if p.judge.hidden(m.candidate, p.gaps[g]) {
					p.edges = append(p.edges, edge{int32(k), int32(g), m.candidate})
					counts[g+1]++
				}
			}
		}
		job.to = int32(len(p.edges))
	}
	for g := range p.gaps {
		counts[g+1] += counts[g]
	}
	p.of = slices.Clone(counts)
	p.byGap = make([]int32, len(p.edges))
	for e := range p.edges {
		g := p.edges[e].gap
		p.byGap[counts[g]] = int32(e)
		counts[g]++
	}
	p.done, p.seen = make([]int32, len(p.gaps)), make([]int32, len(p.gaps))
	for g := range p.done {
		p.done[g] = nobody
	}
}

// hidden tells whether no watch has shown that a candidate's key did not change at a revision.
func (j *judge) hidden(c candidate, r int64) bool {
	if c.op == nobody || len(j.evidence.views) == 0 {
		return true
	}
	for _, key := range keysOf(j.history[c.op].Request.Ask, nil) {
		if !j.shown(&KeyValue{Key: key, Version: 1}, r, nil) {
			return false
		}
	}
	return true
}

// take lets an edge's member fill its gap.
func (p *plan) take(e int32) {
	edge := &p.edges[e]
	if old := p.jobs[edge.job].taken; old != nobody {
		p.release(old)
	}
	if old := p.done[edge.gap]; old != nobody {
		p.release(old)
	}
	p.done[edge.gap], p.jobs[edge.job].taken = e, e
	if edge.who.op != nobody {
		p.busy[edge.who.op] = true
	}
}

// release undoes take.
func (p *plan) release(e int32) {
	edge := &p.edges[e]
	p.done[edge.gap], p.jobs[edge.job].taken = nobody, nobody
	delete(p.busy, edge.who.op)
}

// free tells whether an edge's member is not taken for another job.
func (p *plan) free(e int32) bool {
	edge := &p.edges[e]
	if !p.busy[edge.who.op] || edge.who.op == nobody {
		return true
	}
	taken := p.jobs[edge.job].taken
	return taken != nobody && p.edges[taken].who.op == edge.who.op
}

// place finds a gap for a job, and moves others if that helps.
func (p *plan) place(k int32) bool {
	job := &p.jobs[k]
	for e := job.from; e < job.to; e++ {
		if p.done[p.edges[e].gap] == nobody && p.free(e) {
			p.take(e)
			return true
		}
	}
	for e := job.from; e < job.to && p.left > 0; e++ {
		g := p.edges[e].gap
		if p.seen[g] == p.turn || !p.free(e) {
			continue
		}
		p.seen[g] = p.turn
		p.left--
		if other := p.done[g]; other == nobody || p.place(p.edges[other].job) {
			p.take(e)
			return true
		}
	}
	return false
}

// serve finds a job for a gap, and moves others if that helps.
func (p *plan) serve(g int32) bool {
	p.seen[g] = p.turn
	p.left--
	edges := p.byGap[p.of[g]:p.of[g+1]]
	for _, e := range edges {
		if job := &p.jobs[p.edges[e].job]; job.taken == nobody && !job.paired && p.free(e) {
			p.take(e)
			return true
		}
	}
	for _, e := range edges {
		taken := p.jobs[p.edges[e].job].taken
		if taken == nobody || p.left <= 0 || p.seen[p.edges[taken].gap] == p.turn || !p.free(e) {
			continue
		}
		if p.serve(p.edges[taken].gap) {
			p.take(e)
			return true
		}
	}
	return false
}
