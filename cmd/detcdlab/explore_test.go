package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestExploreSaysWhatItLookedAt(t *testing.T) {
	for _, test := range []struct {
		args   string
		status int
		want   string // in what is printed, or in the error
	}{
		{"--depth 3", 0, "everything holds up to depth 3"},
		{"--depth 99 --terms 2 --members 1 --crashes 0", 0, "nothing more can happen"},
		{"--depth 9 --states 50", 0, "there are too many states before the next was done"},
		{"--depth 9 --time 1ns", 0, "it was stopped before the next was done"},
		{"--members 6", exitUsage, "6 members, of 1 to 5"},
		{"--from 1>2", exitUsage, `"1>2" cannot be chosen here; these can: t1 c1`},
	} {
		var out bytes.Buffer
		cmd := command()
		cmd.SetArgs(append([]string{"explore"}, strings.Fields(test.args)...))
		cmd.SetOut(&out)
		status, text := 0, ""
		if err := cmd.Execute(); err != nil {
			var exit exitError
			if !errors.As(err, &exit) {
				t.Fatalf("%s: %v", test.args, err)
			}
			status, text = exit.status, err.Error()
		}
		if status != test.status || !strings.Contains(out.String()+text, test.want) {
			t.Errorf("%s: status %d, %s%s", test.args, status, out.String(), text)
		}
	}
}

func TestExploreReplaysAPath(t *testing.T) {
	var out bytes.Buffer
	cmd := command()
	cmd.SetArgs([]string{"explore", "--replay", "t1 1>2 2>1"})
	cmd.SetOut(&out)
	const elected = "m1 hears from m2 MsgVoteResp of term 2; becomes leader in term 2"
	if err := cmd.Execute(); err != nil || strings.Count(out.String(), "\n") != 3 ||
		!strings.Contains(out.String(), elected) {
		t.Errorf("%v\n%s", err, out.String())
	}
}
