package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// lab runs a command line as a shell does. FILES stands for a folder of its own, SELF for this
// program, and "_" for a blank in a word; wherever they lie their names are taken as they are.
func lab(t *testing.T, line, files string) (status int, out, say string) {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	words, names := strings.Fields(line), strings.NewReplacer("_", " ", "FILES", files, "SELF", self)
	for i, word := range words {
		words[i] = names.Replace(word)
	}
	said := &bytes.Buffer{}
	status = execute(t.Context(), words, strings.NewReader(""), &device{File: file}, said)
	text, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return status, string(text), said.String()
}

// put writes files into a folder and returns it.
func put(t *testing.T, files map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// What every command refuses, with what it says.
const refusals = `
juggle: unknown command "juggle"
sim --sede 3: unknown flag: --sede
sim 17: unknown command "17"
sim --seed x: invalid argument "x"
sim --seed 18446744073709551616: value out of range
sim --seed 1 --seeds 1-3: none of the others can be
sim --seeds 3-1: want a range
sim --seeds 1-99999999999999999999: want a range
sim --seeds 1-3 --shard 4/3: want a part
sim --seeds 1-3 --shard 1/9999999999999: want a part
sim --seeds 1-3 --trace FILES/trace: --trace is for one seed
sim --jobs -1: --jobs -1: want 0 to
sim --jobs 99999: --jobs 99999: want 0 to
sim --members -1: members -1: want 1 to 9
sim --members 10: members 10: want 1 to 9
sim --clients 0: clients 0: want at least 1
sim --clients 100: hold the leases
sim --rate -5: rate -5: want 1 to
sim --duration 0: duration 0s: want more than 0
sim --duration -5s: duration -5s: want more than 0
sim --duration 99999h: at most 1000h
sim --profile stormy: "stormy" is no profile
sim --bug none: "none" is no bug
sim --world delay=1h: want 10µs to 2s
sim --world wind=1: there is no "wind"
sim --failures FILES/no/such: no such file
sim --trace FILES/no/such: no such file
sim --plan FILES/missing: no such file
sim --plan FILES/plan --profile lossy: --profile draws a plan
sim --plan FILES/bad: line 1: "lossy" is no kind of fault
sim --plan FILES/slow: want 1 to 900000 ppm
sim --plan FILES/jump: want 1 to 3600000 ms
sim --plan FILES/plan --members 1: there is no member 2
sim --plan FILES/plan --duration 1s: the run is over after 1s
replay: accepts 1 arg
replay 17 --seed 18: two seeds
replay 99999999999999999999: a seed is at most
replay FILES/missing: no such file
replay FILES/plan --plan FILES/plan: two files
replay 17 --kind foo: --kind foo: want some of send, lost, receive
replay 17 --member 8 --profile calm --members 3: --member 8: want 1 to 3
replay 17 --member -1: --member -1: want
replay 17 --from 5s --to 2s: want a time and a later one
replay 17 --duration 0: want more than 0
shrink 1 --tries 0: --tries 0: want at least 1
shrink 1 --out FILES/no/such: no such file
shrink 1 --profile calm --duration 1s --world plain: seed 1 is green
check: requires at least 1 arg
check FILES/missing: no such file
check FILES/bad: line 1
check FILES/twice: line 3
check FILES/holds --html FILES/no/such: no such file
check FILES/holds --effort 0: --effort: want at least 1
check FILES/holds --tolerance -1s: want at least 0
check FILES/holds FILES/holds --backup x: for one file
torture --binary /nowhere: "/nowhere": stat /nowhere: no such file
torture --binary SELF --members 0: --members 0: want 1 to 9
torture --binary SELF --members 100: --members 100: want 1 to 9
torture --binary SELF --nemesis rain: "rain" is no nemesis
torture --binary SELF --workload chess: --workload chess: there are
torture --binary SELF --rate 0: must be positive
torture --binary SELF --network pigeons: --network is relay or namespaces
torture --binary SELF --plan FILES/missing: no such file
torture --binary SELF --plan FILES/plan --nemesis kill: --nemesis draws a plan
torture --binary SELF --plan FILES/plan --members 1: there is no member 2
torture --binary SELF --plan FILES/plan --duration 1s: the run is over after 1s
torture --binary SELF --html FILES/no/such: no such file
torture --binary SELF --history FILES/no/such: no such file
torture --binary SELF --effort 0: --effort: want at least 1
torture --endpoints 127.0.0.1:1 --nemesis kill: only be compacted
torture --endpoints 127.0.0.1:1 --nemesis compact --members 5: --members is for a cluster
torture-kill --binary /nowhere: "/nowhere": stat /nowhere: no such file
torture-kill --binary SELF --kills many: invalid argument
torture-kill --binary SELF --clients 0: must be positive
torture-kill --binary SELF --members 0: --members 0: want 1 to 9
demo --binary SELF --rate 0: must be positive
demo --binary SELF --members 0: --members 0: want 1 to 9
demo --binary /nowhere: "/nowhere": stat /nowhere: no such file
bench juggle: unknown command "juggle"
bench put --endpoints nowhere: want host:port
bench put --total 1 --duration 1s: none of the others can be
bench put --total 1 --clients -1: bad option
bench range --transport pigeon --total 1: none of wire, grpc
bench compare --etcd SELF --detcd SELF --only P99: no goal
bench compare --etcd SELF --detcd SELF --rounds 0: must be positive
bench compare --etcd SELF --detcd SELF --transport pigeon: --transport pigeon
bench compare --etcd SELF --detcd SELF --html FILES/no/such: no such file
bench compare --etcd SELF --detcd /nowhere: "/nowhere": stat /nowhere: no such file
bench scale --etcd SELF --detcd SELF --keys-max 0: --keys-max 0
bench scale --etcd SELF --detcd /nowhere: "/nowhere": stat /nowhere: no such file
bench render FILES/missing: no such file
bench render FILES/bad: read
bench disk --duration 0: must be positive
bench floor --clients 0: must be positive
`

func TestWhatCannotBeDoneIsRefusedBeforeAnythingIsBegun(t *testing.T) {
	files := put(t, map[string]string{
		"plan": "2s for 1s isolate members=2\n",
		"bad":  "1s lossy\n",
		"slow": "1s for 1s clock-slow amount=2000000\n",
		"jump": "1s clock-jump amount=-500\n",

		"holds": checkHeading + checkPut + checkFresh,
		"twice": checkHeading + checkWatch + checkWatch,
	})
	for line := range strings.Lines(strings.TrimSpace(refusals)) {
		words, want, _ := strings.Cut(strings.TrimSpace(line), ": ")
		status, out, say := lab(t, words, files)
		if status != exitUsage || !strings.Contains(say, want) || out != "" {
			t.Errorf("%s: status %d, want %q:\n%s%s", words, status, want, out, say)
		}
	}
	left, err := os.ReadDir(files)
	if err != nil || len(left) != 6 {
		t.Errorf("%v are left behind: %v", left, err)
	}
}

func TestAFullDeviceIsNotAVerdict(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("this system has no device that is always full")
	}
	defer full.Close()
	files := put(t, map[string]string{"holds": checkHeading + checkPut + checkFresh,
		"violated": checkHeading + checkPut + checkStale})
	for line, want := range map[string]int{
		"sim --profile calm --duration 1s --world plain":                               exitFailed,
		"sim --profile calm --duration 1s --world plain --json":                        exitFailed,
		"sim --seeds 1-2 --profile calm --duration 1s --world plain":                   exitFailed,
		"sim --profile calm --duration 1s --world plain --trace /dev/full":             exitFailed,
		"sim --seed 1 --world plain --bug ack-before-sync --failures /dev/full --json": exitViolated,
		"replay 1 --profile calm --duration 1s --world plain":                          exitFailed,
		"check FILES/holds":                  exitFailed,
		"check FILES/holds --json":           exitFailed,
		"check FILES/holds FILES/holds":      exitFailed,
		"check FILES/holds --html /dev/full": exitFailed,
		"check FILES/violated":               exitViolated,
	} {
		words := strings.Fields(strings.ReplaceAll(line, "FILES", files))
		said := &bytes.Buffer{}
		got := execute(t.Context(), words, strings.NewReader(""), &device{File: full}, said)
		if got != want {
			t.Errorf("%s: status %d, want %d: %s", line, got, want, said)
		}
	}
}

// A file says a whole run if it has a seed; else the rest is drawn. The command line goes first.
func TestAFileIsHonouredAndFlagsGoBeforeIt(t *testing.T) {
	files := put(t, map[string]string{
		"part":  "members 5\nclients 2\nduration 4s\n1s for 1s isolate members=5\n",
		"whole": "seed 9\nmembers 5\nduration 4s\n1s for 1s isolate members=5\n",
	})
	for line, want := range map[string][]string{
		"replay FILES/part --kind start":              {"seed 1\n", "members 5\n", "duration 4s\n"},
		"replay 3 --plan FILES/part --kind start":     {"seed 3\n", "members 5\n", "isolate members=5"},
		"replay FILES/whole --kind start":             {"seed 9\n", "members 5\n"},
		"replay FILES/whole --kind start --seed 4":    {"seed 4\n", "members 5\n"},
		"replay FILES/whole --kind start --clients 7": {"seed 9\n", "clients 7\n"},
		"replay FILES/whole --kind start --bug volatile-vote --members 6 --rate 9": {"seed 9\n",
			"members 6\n", "bug volatile-vote\n", "rate 9\n"},
		"sim --plan FILES/whole":             {"seed 9 "},
		"sim --plan FILES/whole --seeds 4-5": {"seed 4 ", "seed 5 ", "2 seeds"},
		"sim --plan FILES/part":              {"seed 1 "},
	} {
		status, out, say := lab(t, line, files)
		for _, text := range want {
			if status != 0 || !strings.Contains(out, text) {
				t.Errorf("%s: status %d, want %q:\n%.300s%s", line, status, text, out, say)
			}
		}
	}
}

// What is printed to run a seed again runs it again.
func TestAFailureNamesTheFlagsItWasFoundWith(t *testing.T) {
	status, out, _ := lab(t, "sim --seed 1 --bug ack-before-sync --members 3 "+
		"--world delay=1ms_sync=2ms --duration 30s --clients 7", "")
	want := `detcdlab replay 1 --members 3 --clients 7 --world "delay=1ms sync=2ms" --duration 30s ` +
		`--bug ack-before-sync`
	if status != exitViolated || !strings.Contains(out, want) {
		t.Errorf("status %d, want %s in\n%s", status, want, out)
	}
}

// A story is text, whatever keys and values it is about.
func TestAStoryHasNoBytesThatATerminalObeys(t *testing.T) {
	_, out, _ := lab(t, "replay 3 --duration 4s", "")
	if at := strings.IndexFunc(out, func(r rune) bool { return r < ' ' && r != '\n' }); at >= 0 {
		t.Errorf("%q", out[max(0, at-80):at+1])
	}
	if len(out) < 10_000 {
		t.Errorf("a story of %d bytes", len(out))
	}
}

func TestEveryCommandHasAnExampleAndSaysItsStatus(t *testing.T) {
	for _, command := range command().Commands() {
		if command.Name() == "help" {
			continue
		}
		if !strings.Contains(command.Long, "Exit status") {
			t.Errorf("%s does not say its exit status", command.Name())
		}
		if command.HasAvailableSubCommands() {
			continue
		}
		if !strings.Contains(command.Example, fmt.Sprintf("detcdlab %s ", command.Name())) {
			t.Errorf("%s has no example", command.Name())
		}
	}
}
