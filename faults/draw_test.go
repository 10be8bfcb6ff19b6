package faults

import (
	"strings"
	"testing"
	"time"
)

func TestEveryKindIsDrawnBySomeSeed(t *testing.T) {
	drawn := map[Kind]int{}
	for seed := range uint64(1000) {
		for _, f := range Draw(Everything, seed, time.Minute) {
			drawn[f.Kind]++
		}
	}
	for _, k := range Kinds() {
		if drawn[k] < 10 {
			t.Errorf("%v was drawn %d times by 1000 seeds", k, drawn[k])
		}
	}
}

func TestTheSamePlanIsDrawnAgain(t *testing.T) {
	for _, p := range Profiles() {
		first := Draw(p, 7, time.Minute).String()
		if second := Draw(p, 7, time.Minute).String(); first != second {
			t.Errorf("%s: %s\n%s", p, first, second)
		}
		read, err := Parse(strings.NewReader(first))
		if err != nil || read.String() != first {
			t.Errorf("%s: %v: the plan reads as\n%v", p, err, read)
		}
		if found, err := ParseProfile(string(p)); err != nil || found != p {
			t.Errorf("%s: %v", p, err)
		}
	}
	if _, err := ParseProfile("stormy"); err == nil || !strings.Contains(err.Error(), "lossy") {
		t.Errorf("an unknown profile: %v", err)
	}
}
