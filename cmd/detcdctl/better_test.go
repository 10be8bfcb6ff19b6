package main

import (
	"strings"
	"testing"
)

// A saying is part of what a program says, on whichever stream, and how it exits. The dash is
// nothing at all.
type saying struct {
	part   string
	status string
}

const (
	done0   = "exit status 0"
	error1  = "exit status 1"
	panic2  = "exit status 2"
	input3  = "exit status 3"
	format4 = "exit status 4"
	words   = "exit status 128"
)

// repairs are commands that etcdctl gets wrong. What detcdctl does is what docs/compatibility.md
// promises.
func repairs() []struct {
	command, input string // as in the script
	theirs, ours   saying
} {
	type repair = struct {
		command, input string
		theirs, ours   saying
	}
	return []repair{
		// A format that does not exist is refused before anything is done.
		{"put table 1 -w table", "",
			saying{"not supported", format4}, saying{"not supported", format4}},
		{"get table", "", saying{"table\n1\n", done0}, saying{"-", done0}},
		// No panic.
		{"txn", "lease(\"a\") = \"0\"\n\n\n\n", saying{"panic", panic2}, saying{"SUCCESS", done0}},
		{"txn", "value(\"a\") ? \"0\"\n\n\n\n", saying{"panic", panic2}, saying{"one of", input3}},
		// No word is silently dropped.
		{"put words three here", "", saying{"OK", done0}, saying{"quote a value", words}},
		{"get a b c", "", saying{"-", done0}, saying{"needs one argument", words}},
		{"lease foo", "", saying{"Available", done0}, saying{"unknown command", error1}},
		{"watch a b c -- true", "", saying{}, saying{"what to run", words}},
		{"txn", "value(\"a\") = \"0\" oops\n\n\n\n",
			saying{"FAILURE", done0}, saying{"more behind", input3}},
		// An answer in protobuf is all of it, and not its header only.
		{"lease grant 100 -w protobuf", "", saying{"", done0}, saying{"\x18d", done0}},
		// What is wrong is named.
		{"member list --consistency x", "", saying{`"l"`, format4}, saying{`"x"`, format4}},
		{"--user root get a", "", saying{"stty", done0}, saying{"no password", words}},
		{"put a 1 --lease 77", "", saying{`{"level"`, error1}, saying{"Error: etcdserver", error1}},
		{"auth enable", "", saying{"root user does not exist\n", error1}, saying{"Hint: ", error1}},
		// Variables count for every flag; a flag beats its variable.
		{"env ETCDCTL_COMMAND_TIMEOUT=x get a", "",
			saying{"-", done0}, saying{"invalid value", words}},
		{"env ETCDCTL_ENDPOINTS=nowhere:1 get a", "",
			saying{"shadowed", error1}, saying{"-", done0}},
		{"env ETCDCTL_NOSUCH=1 get a", "", saying{`{"level"`, done0}, saying{"no flag", done0}},
		{"env ETCDCTL_API=3 get a", "", saying{`{"level"`, done0}, saying{"-", done0}},
		// A password is never shown.
		{"--debug --user root:secret get a", "",
			saying{"root:secret", done0}, saying{"ETCDCTL_USER=root\n", done0}},
	}
}

func TestWhereEtcdctlIsWrongDetcdctlIsNot(t *testing.T) {
	t.Parallel()
	operators := pair(t)
	for i, r := range repairs() {
		s := readStep(t, i+1, shellWords(r.command))
		s.input = r.input
		if r.theirs == (saying{}) { // it would not end
			ours, err := operators[1].run(s)
			if err != nil || !ours.is(r.ours) {
				t.Errorf("%v: %+v, %v; want %q", s, ours, err, r.ours)
			}
			continue
		}
		theirs, ours := both(t, operators, s)
		if !theirs.is(r.theirs) {
			t.Errorf("%v: etcdctl is not as it was: %+v; want %q", s, theirs, r.theirs)
		}
		if !ours.is(r.ours) {
			t.Errorf("%v: %+v; want %q", s, ours, r.ours)
		}
		if strings.Contains(ours.stderr, "secret") {
			t.Errorf("%v: a secret is shown:\n%s", s, ours.stderr)
		}
	}
}

// is tells whether a result is as it is wanted.
func (r result) is(want saying) bool {
	all := r.stdout + r.stderr
	if want.part == "-" {
		return all == "" && r.status == want.status
	}
	return strings.Contains(all, want.part) && r.status == want.status
}
