package faults

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestAPlanIsReadAsItWasWritten(t *testing.T) {
	plan := Plan{
		{At: time.Second, For: 1500 * time.Millisecond, Kind: Split, Members: []int{1},
			Peers: []int{2, 3}},
		{At: 2 * time.Second, Kind: Transfer},
		{At: 3 * time.Second, For: time.Millisecond, Kind: SyncSlow, Members: []int{2}, Amount: 40},
	}
	got, err := Parse(strings.NewReader("# a comment\n\n" + plan.String()))
	if err != nil || !reflect.DeepEqual(got, plan) {
		t.Errorf("%v\n%v\nis not\n%v", err, got, plan)
	}
}

func TestEveryKindIsDescribedAndFoundByItsName(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range Kinds() {
		info := k.Info()
		if info.Name == "" || info.Class == 0 || info.Effect == "" || seen[info.Name] {
			t.Errorf("kind %d: %+v", k, info)
		}
		if (info.Amount == "") != (info.High == 0) || info.Low > info.High {
			t.Errorf("%s: amounts %d to %d of %q", info.Name, info.Low, info.High, info.Amount)
		}
		seen[info.Name] = true
		if found, err := ParseKind(info.Name); err != nil || found != k {
			t.Errorf("%s is found as %v: %v", info.Name, found, err)
		}
	}
	if len(seen) < 60 {
		t.Errorf("%d kinds of fault", len(seen))
	}
}

func TestABadLineIsNamed(t *testing.T) {
	for line, want := range map[string]string{
		"1s":                 "want a time and a kind",
		"soon loss":          "invalid duration",
		"-1s loss":           "before the start",
		"1s lossy":           "no kind of fault",
		"1s loss members=0":  "want the numbers",
		"1s loss amount=x":   "invalid syntax",
		"1s loss because=no": "want members=",

		"1s loss":                                   "loss amount=0: want 1 to 100 percent",
		"1s loss amount=101":                        "loss amount=101: want 1 to 100 percent",
		"1s for 2s clock-slow amount=2000000":       "clock-slow amount=2000000: want 1 to 900000 ppm",
		"1s clock-jump amount=-500":                 "clock-jump amount=-500: want 1 to 3600000 ms",
		"1s for 1s isolate amount=3":                "isolate has no amount",
		"1s for 1s transfer":                        "transfer happens at once",
		"1s for 9999h isolate":                      "want times from 0 to 1000h",
		"9999h isolate":                             "want times from 0 to 1000h",
		"1s crash-leader members=2":                 "crash-leader takes no members",
		"1s isolate members=1,2":                    "isolate takes members=, at most 1",
		"1s isolate members=1 peers=2":              "isolate takes no peers",
		"1s for 1s split peers=2":                   "only beside members=",
		"1s for 1s split members=1,2 peers=1":       "names a member twice",
		"1s for 1s slow-link members=1,1 amount=20": "names a member twice",
	} {
		_, err := Parse(strings.NewReader("1s isolate\n" + line))
		if err == nil || !strings.Contains(err.Error(), want) ||
			!strings.Contains(err.Error(), "line 2") {
			t.Errorf("%q: %v, want %q", line, err, want)
		}
	}
}

// What is drawn can be read, at its weakest and at its strongest.
func TestWhatProfilesDrawIsWithinWhatMayBeAsked(t *testing.T) {
	for _, k := range Kinds() {
		info := k.Info()
		for _, amount := range []int64{info.Low, info.High} {
			f := Fault{Kind: k, Amount: amount}
			if err := f.Check(); err != nil {
				t.Error(err)
			}
		}
		if err := (Fault{Kind: k, Members: []int{0}}).Check(); err == nil {
			t.Errorf("%v befalls member 0", k)
		}
	}
	if err := (Fault{}).Check(); err == nil {
		t.Error("a fault of no kind is taken")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("1s for 2s isolate members=2 peers=1,3 amount=5")
	f.Add("1s for 2s split members=2 peers=1,3")
	f.Fuzz(func(t *testing.T, text string) {
		plan, err := Parse(strings.NewReader(text))
		if err != nil {
			return
		}
		again, err := Parse(strings.NewReader(plan.String()))
		if err != nil || again.String() != plan.String() {
			t.Fatalf("%v: %q became %q", err, plan, again)
		}
	})
}
