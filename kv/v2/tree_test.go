package v2_test

import (
	"fmt"
	"strings"
	"testing"

	"detcd/kv/v2"
)

// now is when all commands of these tests are made, unless they say otherwise.
const now = v2.Time(1_700_000_000_000_000_000)

// told writes an answer on one line: action, node and what was there; or the error.
func told(event *v2.Event, err *v2.Error) string {
	if err != nil {
		return fmt.Sprintf("%d %s at %d", err.Code, err.Cause, err.Index)
	}
	out := event.Action.String() + " " + record(event.Node)
	if event.Prev != nil {
		out += " was " + record(*event.Prev)
	}
	if event.Refresh {
		out += " silently"
	}
	return out
}

func record(r v2.Record) string {
	out := r.Key
	if r.Dir {
		out += "/"
	}
	if r.Valued {
		out += "=" + r.Value
	}
	if r.Expires != 0 {
		out += fmt.Sprintf(" ttl %d", r.TTL)
	}
	return out + fmt.Sprintf(" [%d %d]", r.Created, r.Modified)
}

func seconds(n int64) v2.Time { return now + v2.Time(n)*1_000_000_000 }

// script is commands, and what the last one is answered.
type script struct {
	name  string
	steps []v2.Command
	last  string
}

func (s script) run(t *testing.T) {
	tree, last := v2.New(), ""
	for _, command := range s.steps {
		command.Now = now
		last = told(tree.Apply(&command))
		if err := tree.Check(); err != nil {
			t.Fatal(err)
		}
	}
	if last != s.last {
		t.Errorf("got  %s\nwant %s", last, s.last)
	}
}

func TestWhatIsMade(t *testing.T) {
	type c = v2.Command
	for _, s := range []script{
		{"the first write has index 4", []c{{Action: v2.Set, Key: "/a", Value: "1"}},
			"set /a=1 [4 4]"},
		{"a set is another file", []c{{Action: v2.Set, Key: "/a", Value: "1"},
			{Action: v2.Set, Key: "/a", Value: "2"}}, "set /a=2 [5 5] was /a=1 [4 4]"},
		{"a set keeps no time to live", []c{{Action: v2.Set, Key: "/a", Expires: seconds(6)},
			{Action: v2.Set, Key: "/a"}}, "set /a= [5 5] was /a= ttl 6 [4 4]"},
		{"no set of a directory", []c{{Action: v2.Set, Key: "/a", Dir: true},
			{Action: v2.Set, Key: "/a", Dir: true}}, "102 /a at 4"},
		{"a set may make a directory of a file", []c{{Action: v2.Set, Key: "/a", Value: "1"},
			{Action: v2.Set, Key: "/a", Value: "2", Dir: true}}, "set /a/ [5 5] was /a=1 [4 4]"},
		{"no way through a file", []c{{Action: v2.Set, Key: "/a"},
			{Action: v2.Set, Key: "/a/b/c"}}, "104 /a at 4"},
		{"the root stays", []c{{Action: v2.Set, Key: ""}}, "107 / at 3"},
		{"a refresh keeps the value", []c{{Action: v2.Set, Key: "/a", Value: "1"},
			{Action: v2.Set, Key: "/a", Refresh: true, Expires: seconds(9)}},
			"set /a=1 ttl 9 [5 5] was /a=1 [4 4] silently"},
		{"a refresh of nothing", []c{{Action: v2.Set, Key: "/a/b", Refresh: true}}, "100 /a at 3"},
		{"create", []c{{Action: v2.Create, Key: "/a/b", Value: "1"}}, "create /a/b=1 [4 4]"},
		{"create what is there", []c{{Action: v2.Set, Key: "/a"},
			{Action: v2.Create, Key: "/a"}}, "105 /a at 4"},
		{"in order", []c{{Action: v2.Create, Key: "/q", Value: "1", InOrder: true}},
			"create /q/00000000000000000004=1 [4 4]"},
		{"in order below the root", []c{{Action: v2.Create, InOrder: true, Dir: true}},
			"create /00000000000000000004/ [4 4]"},
		{"in order below a file", []c{{Action: v2.Set, Key: "/a"},
			{Action: v2.Create, Key: "/a", InOrder: true}}, "104 /a at 4"},
		{"what ended before 2000 stays", []c{{Action: v2.Create, Key: "/a", Expires: 1}},
			"create /a= [4 4]"},
	} {
		t.Run(s.name, s.run)
	}
}

func TestWhatIsChangedAndRemoved(t *testing.T) {
	type c = v2.Command
	for _, s := range []script{
		{"update ends a time to live", []c{{Action: v2.Set, Key: "/a", Expires: seconds(6)},
			{Action: v2.Update, Key: "/a", Value: "1"}}, "update /a=1 [4 5] was /a= ttl 6 [4 4]"},
		{"update of a directory", []c{{Action: v2.Set, Key: "/a", Dir: true},
			{Action: v2.Update, Key: "/a", Expires: seconds(2)}}, "update /a/ ttl 2 [4 5] was /a/ [4 4]"},
		{"no value for a directory", []c{{Action: v2.Set, Key: "/a", Dir: true},
			{Action: v2.Update, Key: "/a", Value: "1"}}, "102 /a at 4"},
		{"update of nothing", []c{{Action: v2.Update, Key: "/a"}}, "100 /a at 3"},
		{"swap", []c{{Action: v2.Set, Key: "/a", Value: "1"},
			{Action: v2.CompareAndSwap, Key: "/a", PrevValue: "1", PrevIndex: 4, Value: "2"}},
			"compareAndSwap /a=2 [4 5] was /a=1 [4 4]"},
		{"swap of another value", []c{{Action: v2.Set, Key: "/a", Value: "1"},
			{Action: v2.CompareAndSwap, Key: "/a", PrevValue: "2", PrevIndex: 4}}, "101 [2 != 1] at 4"},
		{"swap of another index", []c{{Action: v2.Set, Key: "/a", Value: "1"},
			{Action: v2.CompareAndSwap, Key: "/a", PrevValue: "1", PrevIndex: 5}}, "101 [5 != 4] at 4"},
		{"swap of neither", []c{{Action: v2.Set, Key: "/a", Value: "1"},
			{Action: v2.CompareAndSwap, Key: "/a", PrevValue: "2", PrevIndex: 5}},
			"101 [2 != 1] [5 != 4] at 4"},
		{"no swap of a directory", []c{{Action: v2.Set, Key: "/a/b"},
			{Action: v2.CompareAndSwap, Key: "/a", PrevValue: "2"}}, "102 /a at 4"},
		{"no swap of the root", []c{{Action: v2.CompareAndSwap, PrevValue: "2"}}, "107 / at 3"},
		{"delete", []c{{Action: v2.Set, Key: "/a", Value: "1"}, {Action: v2.Delete, Key: "/a"}},
			"delete /a [4 5] was /a=1 [4 4]"},
		{"delete a directory as a file", []c{{Action: v2.Set, Key: "/a/b"},
			{Action: v2.Delete, Key: "/a"}}, "102 /a at 4"},
		{"delete a full directory", []c{{Action: v2.Set, Key: "/a/b"},
			{Action: v2.Delete, Key: "/a", Dir: true}}, "108 /a at 4"},
		{"delete an empty directory", []c{{Action: v2.Set, Key: "/a", Dir: true},
			{Action: v2.Delete, Key: "/a", Dir: true}}, "delete /a/ [4 5] was /a/ [4 4]"},
		{"delete all", []c{{Action: v2.Set, Key: "/a/b"},
			{Action: v2.Delete, Key: "/a", Recursive: true}}, "delete /a/ [4 5] was /a/ [4 4]"},
		{"delete what is below nothing", []c{{Action: v2.Delete, Key: "/a/b"}}, "100 /a at 3"},
		{"delete the root", []c{{Action: v2.Delete, Recursive: true}}, "107 / at 3"},
		{"compare and delete", []c{{Action: v2.Set, Key: "/a", Value: "1"},
			{Action: v2.CompareAndDelete, Key: "/a", PrevIndex: 4}},
			"compareAndDelete /a [4 5] was /a=1 [4 4]"},
		{"compare and delete the root", []c{{Action: v2.CompareAndDelete, PrevIndex: 4}},
			"102  at 3"},
	} {
		t.Run(s.name, s.run)
	}
}

func TestNodesEndWithACommandOnly(t *testing.T) {
	tree := v2.New()
	for key, expires := range map[string]v2.Time{"/b": 2, "/a/x": 3, "/c/y": 1, "/d": 9} {
		tree.Apply(&v2.Command{Action: v2.Set, Key: key, Now: now, Expires: seconds(int64(expires))})
	}
	tree.Apply(&v2.Command{Action: v2.Update, Key: "/a", Now: now, Expires: seconds(3)})
	if c := tree.Due(seconds(1) - 1); c != nil {
		t.Fatalf("before its time: %+v", c)
	}
	c := tree.Due(seconds(3))
	if c == nil || tree.Due(seconds(3)) != nil {
		t.Fatal("not due, or due twice")
	}
	before := tree.Index()
	tree.Apply(c)
	var all []string
	events, whole := tree.View().Since(before)
	for _, e := range events {
		all = append(all, fmt.Sprint(e.Action, " ", e.Node.Key))
	}
	// The directory ends first, and what is in it goes without an event.
	if got := strings.Join(all, ", "); !whole || got != "expire /c/y, expire /b, expire /a" {
		t.Error(got)
	}
	if tree.Due(seconds(8)) != nil || tree.Due(seconds(9)) == nil {
		t.Error("the last one is due at another time than its own")
	}
	if tree.Lead(); tree.Due(seconds(9)) == nil {
		t.Error("a new leader proposes nothing")
	}
}

func TestOnlySoManyEndInOneCommand(t *testing.T) {
	tree := v2.New()
	for i := range 700 {
		tree.Apply(&v2.Command{Action: v2.Set, Key: fmt.Sprint("/", i), Now: now, Expires: now})
	}
	for _, left := range []int{200, 0} {
		tree.Apply(tree.Due(now))
		got := 0
		tree.View().Each("", func(*v2.Node) bool { got++; return true })
		if got != left {
			t.Fatalf("%d are left, not %d", got, left)
		}
	}
	if tree.View().Stats().Expired != 700 || tree.Due(now) != nil {
		t.Error("there is more")
	}
}

func TestBoundsAreKept(t *testing.T) {
	tree := v2.New()
	deep := strings.Repeat("/d", v2.DepthMax)
	for _, key := range []string{deep + "/d", "/" + strings.Repeat("k", v2.KeyBytesMax)} {
		if _, err := tree.Apply(&v2.Command{Action: v2.Set, Key: key}); err == nil ||
			err.Code != v2.InvalidField || tree.Index() != 3 {
			t.Errorf("%.20s: %v", key, err)
		}
	}
	if _, err := tree.Apply(&v2.Command{Action: v2.Create, Key: deep, InOrder: true}); err == nil {
		t.Error("in order below the deepest directory")
	}
	if _, err := tree.Apply(&v2.Command{Action: v2.Set, Key: deep}); err != nil {
		t.Error(err)
	}
	big := v2.Command{Action: v2.Set, Value: strings.Repeat("v", 16<<20)}
	var err *v2.Error
	for i := 0; err == nil && i < 9; i++ {
		big.Key = fmt.Sprint("/big/", i)
		_, err = tree.Apply(&big)
	}
	if err == nil || err.Code != v2.RaftInternal || tree.Bytes() > v2.BytesMax ||
		tree.Bytes() < v2.BytesMax-17<<20 {
		t.Errorf("%v at %d bytes", err, tree.Bytes())
	}
	if err := tree.Check(); err != nil {
		t.Error(err)
	}
	smaller := v2.Command{Action: v2.Update, Key: "/big/0", Value: "v"}
	if _, err := tree.Apply(&smaller); err != nil {
		t.Errorf("what takes less is refused: %v", err)
	}
}

func TestStatsAreCountedAsEtcdCounts(t *testing.T) {
	tree := v2.New()
	for _, c := range []v2.Command{
		{Action: v2.Set, Key: "/a"}, {Action: v2.Set, Key: "/a/b"}, {Action: v2.Create, Key: "/a/b"},
		{Action: v2.CompareAndDelete, Key: "/a", PrevIndex: 9}, {Action: v2.Delete, Key: ""},
		{Action: v2.CompareAndDelete, Key: "/x", PrevIndex: 9}, {Action: v2.Update, Key: "/x"},
		{Action: v2.CompareAndSwap, Key: "/a", PrevIndex: 9},
	} {
		tree.Apply(&c)
	}
	want := v2.Stats{
		Set: v2.Count{Success: 1, Fail: 2}, Create: v2.Count{Fail: 1}, Update: v2.Count{Fail: 1},
		CompareAndSwap: v2.Count{Fail: 1}, Delete: v2.Count{Success: 1},
		CompareAndDelete: v2.Count{Success: 1, Fail: 1},
	}
	if got := tree.View().Stats(); got != want {
		t.Errorf("%+v", got)
	}
}
