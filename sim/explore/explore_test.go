package explore

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"detcd/consensus/replica"
	"detcd/storage/vfs"
)

// small is a world that can be looked at whole: an election, a command, and a crash.
var small = Options{Depth: 100, Terms: 2, Crashes: 1, Proposals: 1, Ordered: true, InFlight: 1}

func TestASmallWorldIsLookedAtWholeAndHolds(t *testing.T) {
	r, err := Run(small)
	if err != nil || !r.Complete || r.Broken != "" {
		t.Fatalf("%+v, %v", r, err)
	}
	again, err := Run(small)
	if err != nil || again != r {
		t.Errorf("the second time it is %+v, %v, and was %+v", again, err, r)
	}
	t.Logf("%+v", r)
}

func TestMessagesMayArriveTwiceAndInAnyOrderAndDisksBeSlow(t *testing.T) {
	for _, o := range []Options{
		{Depth: 6, Terms: 4, Crashes: 1, Duplicates: 1, SlowWrites: 1, Proposals: 1, Reads: 1},
		{Depth: 8, Terms: 3, Crashes: 1, Beats: 2, Proposals: 1, Reads: 1, PreVote: true},
		{Depth: 8, Terms: 3, Members: 2, Crashes: 2, SlowWrites: 2, Duplicates: 1, Proposals: 1},
		{Depth: 6, Terms: 3, Members: 4, Proposals: 1},
	} {
		if r, err := Run(o); err != nil || r.Broken != "" || r.Depth != o.Depth || r.States < 100 {
			t.Errorf("%+v: %+v, %v", o, r, err)
		}
	}
}

// A disk that says that it has written, and has not, breaks a promise: the trace tells which, and
// plays again.
func TestADiskThatLiesIsFound(t *testing.T) {
	o := Options{Depth: 8, Terms: 3, Crashes: 1, Ordered: true, InFlight: 1,
		disk: func(fs vfs.FS) vfs.FS {
			started := 0
			return vfs.Wrap(fs, func(op vfs.Op) vfs.Verdict {
				if op.Kind == vfs.Sync && strings.HasPrefix(op.Name, "wal/") {
					started++
				}
				return vfs.Verdict{Lie: started > syncsOfStart}
			})
		}}
	r, err := Run(o)
	if err != nil || r.Path != "t1 1>2 c2" || !strings.Contains(r.Broken, "m2 spoke in term 2") {
		t.Fatalf("%+v, %v", r, err)
	}
	lines, broken, err := Story(o, r.Path)
	if err != nil || broken != r.Broken || len(lines) != 3 {
		t.Errorf("%q, %q, %v", lines, broken, err)
	}
}

// syncsOfStart is how often a member syncs its log until it has begun.
const syncsOfStart = 2

func TestWhatCannotBeChosenIsRefused(t *testing.T) {
	o := Options{Depth: 3, Terms: 3, From: "t1 2>1"}
	if _, err := Run(o); !errors.Is(err, errBounds) || !strings.Contains(err.Error(), "1>2") {
		t.Error(err)
	}
	for _, o := range []Options{{Members: 6, Terms: 2}, {Members: -1, Terms: 2}, {Depth: 2},
		{Depth: 2, Terms: 2, Crashes: -1}, {Depth: 2, Terms: 2, Proposals: 200, Reads: 200},
		{Depth: 2, Terms: 2, InFlight: -1}, {Depth: -1, Terms: 2}} {
		if _, err := Run(o); !errors.Is(err, errBounds) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	r, err := Run(Options{Depth: 9, Terms: 3, States: 100})
	if err != nil || r.Why == "" || r.States < 100 || r.States > 200 {
		t.Errorf("%+v, %v", r, err)
	}
}

// explored returns an explorer that has looked at a small part of a world.
func explored(t *testing.T, o Options) *search {
	t.Helper()
	if err := o.check(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fixTimeouts())
	s, err := newSearch(o)
	if err != nil {
		t.Fatal(err)
	}
	for range o.Depth {
		s.layer()
	}
	if s.result.Broken != "" {
		t.Fatal(s.result)
	}
	return s
}

var wide = Options{Depth: 5, Terms: 4, Crashes: 1, Duplicates: 1, SlowWrites: 1, Proposals: 1,
	Reads: 1, Beats: 1}

// The members' states under other names are states of the real code; so to rename them back must
// lead to where it began, and a world that does not know of symmetry must not be larger than all
// the names of this one.
func TestWhoIsWhoDoesNotMatter(t *testing.T) {
	s := explored(t, wide)
	for by, renaming := range s.space.renaming {
		back := slices.IndexFunc(s.space.renaming, func(other []int) bool {
			return !slices.ContainsFunc([]int{0, 1, 2}, func(i int) bool { return other[renaming[i]] != i })
		})
		for id := 1; id < len(s.space.locals); id++ {
			if got := s.space.rename(s.space.rename(localID(id), by), back); got != localID(id) {
				t.Fatalf("state %d under the names %v and back is state %d", id, renaming, got)
			}
		}
	}
	o := wide
	o.Asymmetric = true
	whole := explored(t, o)
	if n := len(whole.visits); n <= 5*len(s.visits) || n > 6*len(s.visits) {
		t.Errorf("%d states, and %d where who is who matters", len(s.visits), n)
	}
}

// Two ways that lead to one state of a member must lead on to the same: else the digest leaves out
// something that decides.
func TestStatesOfOneDigestBehaveAlike(t *testing.T) {
	s := explored(t, wide)
	sp, merged, compared := s.space, 0, 0
	next := map[localID][]input{}
	for id := range sp.locals { // a fixed order, though a map would do
		for at := range sp.outcomes {
			if at.from == localID(id) {
				next[at.from] = append(next[at.from], at.in)
			}
		}
		if id > 150 {
			break
		}
	}
	for from, inputs := range next {
		for _, in := range inputs {
			to := sp.outcomes[step{from, in}].to
			if l := &sp.locals[to]; l.parent == from && l.via == in {
				continue
			}
			merged++
			for _, then := range next[to] {
				want := *sp.outcomes[step{to, then}]
				m := sp.live(from)
				sp.execute(m, in)
				sp.execute(m, then)
				got := outcome{to: sp.intern(m, to, then), wrote: m.wrote}
				if got.to != want.to || got.wrote != want.wrote || len(m.sent) != len(want.sent) ||
					len(m.answers) != len(want.answers) {
					t.Fatalf("from %d by %+v to %d, then %+v: %+v and %d messages, want %+v", from, in, to,
						then, got, len(m.sent), want)
				}
				compared++
			}
		}
	}
	if compared < 1000 {
		t.Errorf("only %d steps were compared, of %d ways", compared, merged)
	}
	t.Logf("%d steps of %d ways", compared, merged)
}

func TestWhatTheDigestIgnoresExists(t *testing.T) {
	names := map[string]bool{}
	seen := map[reflect.Type]bool{}
	var walk func(of reflect.Type)
	walk = func(of reflect.Type) {
		if seen[of] {
			return
		}
		seen[of] = true
		switch of.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array:
			walk(of.Elem())
		case reflect.Map:
			walk(of.Key())
			walk(of.Elem())
		case reflect.Struct:
			for i := range of.NumField() {
				names[of.String()+"."+of.Field(i).Name] = true
				walk(of.Field(i).Type)
			}
		}
	}
	walk(reflect.TypeFor[replica.Replica]())
	for name := range ignored {
		if !names[name] {
			t.Errorf("no member has a field %s", name)
		}
	}
}
