package sim

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "write the golden stories anew")

// Each scenario in testdata is a classic situation: a few lines that a person can read and change,
// opening with what there is to see. Its story is compared with the golden one beside it, so that a
// change of behaviour is seen as a change of a story.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d scenarios: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			scenario, err := ParseScenario(string(text))
			if err != nil {
				t.Fatal(err)
			}
			if len(scenario.Story) < 2 {
				t.Error("it does not tell a student what there is to see")
			}
			compareStory(t, strings.TrimSuffix(file, ".txt")+".golden", tell(scenario))
		})
	}
}

// tell runs a scenario and tells what the members did.
func tell(s Scenario) string {
	var b strings.Builder
	o := s.Options
	o.Listen = func(l Line) {
		switch l.Kind {
		case "raft", "fault", "start", "stop":
			fmt.Fprintln(&b, l)
		}
	}
	r := Run(o)
	fmt.Fprintf(&b, "%v: %s\n", r.Verdict, r.Reason)
	if r.Verdict == Crash {
		b.WriteString(r.Stack)
	}
	return b.String()
}

func compareStory(t *testing.T, file, got string) {
	if *rewrite {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the story has changed; go test ./sim -run Scenarios -rewrite\n%s", firstChange(
			strings.Split(string(want), "\n"), strings.Split(got, "\n")))
	}
}

func firstChange(want, got []string) string {
	for i := range min(len(want), len(got)) {
		if want[i] != got[i] {
			return fmt.Sprintf("line %d:\n- %s\n+ %s", i+1, want[i], got[i])
		}
	}
	return fmt.Sprintf("%d lines became %d", len(want), len(got))
}

func TestAScenarioIsReadAsItWasWritten(t *testing.T) {
	text := "# A story\n#\n# in lines.\nseed 9\nmembers 5\nclients 2\nrate 7\nduration 4s\n" +
		"bug deposed-read\nunbudgeted\nno-pre-vote\nonly 1.2 102.3\n1s for 2s isolate members=2\n"
	scenario, err := ParseScenario(text)
	if err != nil || scenario.String() != text {
		t.Errorf("%v: it became\n%s", err, scenario)
	}
	for _, bad := range []string{"seed x", "members 0", "only 1", "bug none", "1s nothing",
		"seed 18446744073709551616", "members 10", "members -1", "clients 100", "rate 0",
		"rate 100001", "duration 0", "duration -1s", "duration 1001h", "duration x", "users alice",
		"unbudgeted yes", "no-pre-vote 1", "only 0.1", "only 1.-1", "world delay=3s", "world what=1",
		"1s isolate members=1 peers=2", "1s clock-jump amount=-500"} {
		if _, err := ParseScenario(bad); err == nil || !strings.Contains(err.Error(), "line 1") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestALineOfAScenarioIsSaidOnce(t *testing.T) {
	for _, line := range []string{"seed 1", "members 3", "clients 2", "rate 5", "users"} {
		_, err := ParseScenario(line + "\n" + line + "\n")
		if err == nil || !strings.Contains(err.Error(), "line 2: ") {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func TestAScenarioWithoutASeedSaysSo(t *testing.T) {
	for text, seedless := range map[string]bool{"members 5\n": true, "seed 0\nmembers 5\n": false} {
		s, err := ParseScenario(text)
		if err != nil || s.Seedless != seedless || s.Options.Members != 5 {
			t.Errorf("%q: %+v, %v", text, s, err)
		}
		if again := s.String(); again != text {
			t.Errorf("%q became %q", text, again)
		}
	}
}

func FuzzParseScenario(f *testing.F) {
	f.Add("# s\nseed 9\nonly 1.2\n1s for 2s isolate members=2\n")
	f.Fuzz(func(t *testing.T, text string) {
		first, err := ParseScenario(text)
		if err != nil {
			return
		}
		second, err := ParseScenario(first.String())
		if err != nil || !reflect.DeepEqual(first.Options.Plan, second.Options.Plan) ||
			first.String() != second.String() {
			t.Fatalf("%v: %q became %q", err, first, second)
		}
	})
}
