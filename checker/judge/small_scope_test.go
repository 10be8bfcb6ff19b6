package judge_test

import (
	"flag"
	"fmt"
	"math/bits"
	"testing"

	"detcd/checker"
	"detcd/checker/etcd"
	"detcd/checker/judge"
)

var (
	letters = flag.Int("letters", 2, "of how many requests, at most 6, small histories are made")
	losses  = flag.Int("losses", 1, "how many of their answers, at most 6, are lost")
)

// perClient is how many operations each of two clients has.
const perClient = 3

// letter returns one of the requests. All puts are equal, so that nothing but revisions and time
// tells them apart. The first two put, read, delete and fail, on both keys.
func letter(n int) any {
	read := &etcd.Range{Key: "a", End: "c"}
	putB := &etcd.Put{Key: "b", Value: "x"}
	keepB := &etcd.Put{Key: "b", IgnoreValue: true} // fails while b is not there
	deleteA := &etcd.Delete{Key: "a"}
	return [...]any{
		&etcd.Put{Key: "a", Value: "x"},
		&etcd.Txn{Compare: []etcd.Compare{{Key: "a", Target: 0, Result: 1}}, // a is there
			Success: []etcd.Request{{Ask: read}, {Ask: deleteA}, {Ask: putB}},
			Failure: []etcd.Request{{Ask: keepB}}},
		read, deleteA, keepB, putB,
	}[n]
}

// TestAllSmallHistories shows all histories of two clients with three operations each to the judge
// and to the oracle: each program of the letters, each set of lost answers, each way in which the
// operations can overlap, and all answers that any order of the program, with the lost ones or
// without, would give. So a legal one is there for each order, and an illegal one for each
// order that its time forbids.
func TestAllSmallHistories(t *testing.T) {
	counts := map[checker.Verdict]int{}
	programs := power(*letters, perClient)
	for first := range programs {
		for second := range first + 1 { // which of the clients is which does not matter
			for lost := range 1 << (2 * perClient) {
				if bits.OnesCount(uint(lost)) <= *losses && !t.Failed() {
					s := &scope{T: t, program: program(first, second), lost: lost, counts: counts}
					s.compare()
				}
			}
		}
	}
	t.Logf("%d hold, %d are violated", counts[checker.Holds], counts[checker.Violated])
	if counts[checker.Holds] < 1000 || counts[checker.Violated] < 1000 {
		t.Error("these histories try little")
	}
}

func power(base, exponent int) int {
	result := 1
	for range exponent {
		result *= base
	}
	return result
}

// program spells two numbers in letters: the operations of both clients.
func program(numbers ...int) (asks []any) {
	for _, n := range numbers {
		for range perClient {
			asks = append(asks, letter(n%*letters))
			n /= *letters
		}
	}
	return asks
}

// A scope is all histories of one program with the same answers lost.
type scope struct {
	*testing.T
	program []any
	lost    int
	counts  map[checker.Verdict]int
}

func (s *scope) isLost(i int) bool { return s.lost>>i&1 != 0 }

func (s *scope) compare() {
	answers := s.answers()
	for _, times := range s.times() {
		for _, told := range answers {
			history := make([]etcd.Operation, len(told))
			for i := range told {
				history[i] = told[i]
				if history[i].Call = times[i][0]; !s.isLost(i) {
					history[i].Return = times[i][1]
				}
			}
			s.ask(history)
		}
	}
}

func (s *scope) ask(history []etcd.Operation) {
	can, decided := explainable(history, 1_000_000)
	want := checker.Violated
	if can {
		want = checker.Holds
	}
	report := judge.Judge(history, judge.Options{})
	s.counts[want]++
	if !decided || report.Verdict != want {
		s.Fatalf("%v: operation %d: %s; the oracle: %v (decided: %v)\n%s", report.Verdict,
			report.Operation, report.Reason, want, decided, shown(history))
	}
	if report.Verdict == checker.Holds {
		if err := judge.Certify(history, report); err != nil {
			s.Fatalf("%v\n%s", err, shown(history))
		}
	}
}

// merges calls a function with each way to merge two sequences of so many steps: at each step,
// whose turn it is.
func merges(steps int, each func(turns []int)) {
	for turns := range 1 << (2 * steps) {
		if bits.OnesCount(uint(turns)) == steps {
			order := make([]int, 2*steps)
			for k := range order {
				order[k] = turns >> k & 1
			}
			each(order)
		}
	}
}

// answers returns what the clients can be told, each once.
func (s *scope) answers() (different [][]etcd.Operation) {
	seen := map[string]bool{}
	merges(perClient, func(turns []int) {
		for happened := s.lost; ; happened = (happened - 1) & s.lost { // all subsets
			told := s.run(turns, happened)
			if name := signature(told); !seen[name] {
				seen[name] = true
				different = append(different, told)
			}
			if happened == 0 {
				return
			}
		}
	})
	return different
}

// run carries a program out in one order.
func (s *scope) run(turns []int, happened int) []etcd.Operation {
	told := make([]etcd.Operation, len(s.program))
	m := &maker{world: newWorld()}
	var next [2]int
	for _, client := range turns {
		i := client*perClient + next[client]
		next[client]++
		o := &told[i]
		o.Client, o.Request.Ask, o.Unknown = int64(client), s.program[i], s.isLost(i)
		switch {
		case !s.isLost(i):
			m.answer(o)
		case happened>>i&1 != 0:
			m.world.does(o)
		}
	}
	return told
}

// signature tells answers apart.
func signature(told []etcd.Operation) (name string) {
	for i := range told {
		name += told[i].Error
		if r := told[i].Response; r != nil {
			name += fmt.Sprint(r.Revision, r.Succeeded, r.Count, r.KVs, r.Responses)
		}
		name += ";"
	}
	return name
}

// times returns the times of calls and returns for each way in which the operations can overlap:
// what counts is how many of the other client's had returned when one was called.
func (s *scope) times() (different [][][2]int64) {
	seen := map[[2 * perClient]int]bool{}
	merges(2*perClient, func(turns []int) {
		times := make([][2]int64, 2*perClient)
		var before [2 * perClient]int
		var step, returned [2]int
		for at, client := range turns {
			i, isReturn := client*perClient+step[client]/2, step[client]%2
			times[i][isReturn] = int64(at) + 1
			step[client]++
			if isReturn == 0 {
				before[i] = returned[1-client]
			} else if !s.isLost(i) {
				returned[client]++
			}
		}
		if !seen[before] {
			seen[before] = true
			different = append(different, times)
		}
	})
	return different
}
