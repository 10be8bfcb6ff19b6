package explore

import (
	"strings"
	"testing"

	"detcd/consensus/replica"
)

// logOf returns a state of a member with entries of these terms, of which it has applied some.
func logOf(term replica.Term, leads bool, applied int, terms ...replica.Term) local {
	l := local{term: term, leading: leads, applied: applied, prefix: []sum{0}}
	for _, t := range terms {
		one := entry{term: t}
		one.sum.mix(uint64(t))
		l.entries = append(l.entries, one)
		all := l.prefix[len(l.prefix)-1]
		all.mix(uint64(one.sum))
		l.prefix = append(l.prefix, all)
	}
	return l
}

// Each row is three members, of which the first has just taken a step. Entry 2 of term 2 is
// committed, in term 2, where m3 led; and the command 7 was applied.
func TestTheJudgeSeesWhatIsBroken(t *testing.T) {
	other := logOf(3, false, 1, 2, 3)
	other.prefix[2]++ // before the entry of term 3 there is another one than elsewhere
	applied := logOf(2, false, 1, 2)
	applied.journal = "8"
	for _, test := range []struct {
		members [3]local
		want    string
	}{
		{[3]local{logOf(2, false, 1, 2), logOf(2, false, 0, 2), logOf(2, true, 1, 2)}, ""},
		{[3]local{logOf(3, true, 1, 2, 3), logOf(3, false, 0), logOf(2, true, 1, 2)}, ""},
		{[3]local{logOf(2, true, 1, 2), logOf(2, false, 0, 2), logOf(2, true, 1, 2)},
			"m3 and m1 both lead in term 2"},
		{[3]local{logOf(3, true, 0, 3), logOf(2, false, 0, 2), logOf(2, true, 1, 2)},
			"m1 leads in term 3 without entry 2 of term 2, which was committed in term 2"},
		{[3]local{other, logOf(3, false, 0, 2, 3), logOf(2, true, 1, 2)},
			"m1 and m2 have different logs up to entry 3, which has term 3 in both"},
		{[3]local{logOf(3, false, 1, 3), logOf(2, false, 0, 2), logOf(2, true, 1, 2)},
			"m1 applies entry 2 of term 3, where another member applied one of term 2"},
		{[3]local{applied, logOf(2, false, 0, 2), logOf(2, true, 1, 2)},
			"m1 applied the commands [56], and another member [55]"},
		{[3]local{logOf(2, false, 0), logOf(2, false, 0), logOf(2, true, 1, 2)},
			"entry 2 of term 2 is committed, and on the disks of 1 of 3 members"},
	} {
		x := &explorer{space: &space{locals: append([]local{{}}, test.members[:]...)}}
		c := &cluster{members: []localID{1, 2, 3}}
		c.history = history{leaders: []uint8{0, 0, 3}, log: 3, terms: []uint8{2}, journal: "7"}
		if got := x.judge(c, 0); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}

func TestTheJudgeHearsWhatClientsAreTold(t *testing.T) {
	for _, test := range []struct {
		read  bool
		count int
		want  string
	}{
		{true, 2, ""}, {true, 1, "a read at m1 sees 1"}, {false, 3, ""}, {false, 2, "in place 2"},
	} {
		c := &cluster{told: 2, open: []open{{number: 5, read: test.read, floor: 2}, {number: 6}}}
		got := c.answer([]answer{{operation: 5, count: test.count}})
		if !strings.Contains(got, test.want) || got != "" && test.want == "" || len(c.open) != 1 {
			t.Errorf("%+v: %q, open %v", test, got, c.open)
		}
	}
}
