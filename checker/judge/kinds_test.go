package judge

import (
	"os"
	"slices"
	"strings"
	"testing"

	"detcd/checker"
	"detcd/checker/etcd"
)

// parse reads a history without its heading.
func parse(t *testing.T, lines ...string) []Operation {
	t.Helper()
	text := `{"format":"operations","version":1}` + "\n" + strings.Join(lines, "\n") + "\n"
	history, err := etcd.Read(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return history
}

// The lines of the stories.
const (
	putA = `{"client":1,"call":10,"return":20,"request":{"put":{"key":"a"}},` +
		`"response":{"revision":2}}`
	lostPut = `{"client":2,"call":30,"request":{"put":{"key":"a","value":"w"}},"unknown":true}`
	lostDel = `{"client":3,"call":30,"request":{"delete":{"key":"a"}},"unknown":true}`
	keepsA  = `{"client":4,"call":40,"return":50,"request":{"put":{"key":"a","ignore_value":true}},` +
		`"error":"etcdserver: key not found"}`
	readsAt1 = `{"client":4,"call":60,"return":70,"request":{"range":{"key":"a","revision":1}},` +
		`"error":"etcdserver: mvcc: required revision has been compacted"}`
	opened = `{"client":9,"call":5,"return":6,"request":{"watch":{"watch":4,"key":"a","start":2,` +
		`"prev_kv":true}},"response":{}}`
	created = `{"client":9,"call":6,"return":6,"request":{"watched":{"watch":4}},"response":` +
		`{"revision":1,"watch":{"created":true}}}`
	granted = `{"client":5,"call":10,"return":20,"request":{"grant":{"id":3,"ttl":600}},"response":` +
		`{"revision":1,"lease":{"id":3,"ttl":600}}}`
)

// message is a message of the watch.
func message(at, answer string) string {
	return `{"client":9,"call":` + at + `,"return":` + at + `,"request":{"watched":{"watch":4}},` +
		`"response":` + answer + `}`
}

// lease is a request about the lease and its answer.
func lease(request, answer string) string {
	return `{"client":6,"call":40,"return":50,"request":` + request + `,"response":` + answer + `}`
}

// A story is a history with the right verdict.
type story struct {
	name  string
	want  checker.Verdict
	lines []string
}

const legal, illegal = checker.Holds, checker.Violated

// TestKindsOfHistories has one small history for each way in which a judge has gone wrong.
func TestKindsOfHistories(t *testing.T) {
	for _, c := range slices.Concat(storiesOfKeys(), storiesOfWatches(), storiesOfLeases()) {
		history := parse(t, c.lines...)
		report := Judge(history, Options{})
		if report.Verdict != c.want {
			t.Errorf("%s: %v: %s", c.name, report.Verdict, report.Reason)
		} else if report.Verdict == checker.Violated && (report.Reason == "" || report.Operation < 0) {
			t.Errorf("%s: nothing is said: %+v", c.name, report)
		} else if report.Verdict == checker.Holds {
			if err := Certify(history, report); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
		}
	}
}

func storiesOfWatches() []story {
	event := `{"revision":2,"watch":{"events":[{"kv":{"key":"a","create":2,"mod":2,"version":1}}]}}`
	return []story{
		{"a watch is created at a revision of later", illegal, []string{opened,
			message("6", `{"revision":2,"watch":{"created":true}}`), putA}},
		{"progress of later", illegal, []string{opened, created,
			message("8", `{"revision":2,"watch":{}}`), putA}},
		{"an event of a revision of later", illegal, []string{opened, created, message("8", event),
			putA}},
		{"an event in time", legal, []string{opened, created, message("15", event), putA}},
		{"a header below its event", illegal, []string{opened, created, putA,
			message("30", strings.Replace(event, `"revision":2`, `"revision":1`, 1))}},
		{"a message before the watch was called", illegal, []string{opened,
			message("4", `{"revision":1,"watch":{"created":true}}`)}},
		{"no previous value, for it was compacted", legal, append(overwritten("25"), opened, created,
			message("60", overwrittenEvents))},
		{"no previous value, and it was compacted later", illegal, append(overwritten("70"), opened,
			created, message("60", overwrittenEvents))},
		{"a watch that needed what was compacted", legal, []string{putA, compactAt("2", "25"),
			strings.Replace(opened, `"start":2`, `"start":1`, 1), created,
			message("40", `{"watch":{"canceled":true,"compacted":2}}`)}},
		{"a watch that needs just what is left", illegal, []string{putA, compactAt("2", "25"),
			opened, created, message("40", `{"watch":{"canceled":true,"compacted":2}}`)}},
		{"a watch that is told of a lost compaction, after a later one was answered", legal, []string{
			strings.Replace(opened, `"start":2`, `"start":1`, 1), created, putA, putBehind("2", "22"),
			putBehind("3", "24"),
			`{"client":3,"call":30,"request":{"compact":{"revision":3}},"unknown":true}`,
			strings.Replace(compactAt("4", "45"), `"return":45`, `"return":46`, 1),
			message("60", `{"watch":{"canceled":true,"compacted":3}}`)}},
		{"a watch that is told of a compaction of later", illegal, []string{putA, compactAt("2", "45"),
			strings.Replace(opened, `"start":2`, `"start":1`, 1), created,
			message("40", `{"watch":{"canceled":true,"compacted":2}}`)}},
	}
}

func storiesOfKeys() []story {
	return []story{
		{"a lost deletion that only a failure saw", legal, []string{putA, lostDel, keepsA}},
		{"nobody can have deleted it", illegal, []string{putA, lostPut, keepsA}},
		{"a lost compaction and the put that it needs", legal, []string{putA, lostPut,
			`{"client":3,"call":35,"request":{"compact":{"revision":3}},"unknown":true}`, readsAt1}},
		{"a lost compaction that was called later", illegal, []string{putA, lostPut,
			`{"client":3,"call":75,"request":{"compact":{"revision":3}},"unknown":true}`, readsAt1}},
		{"an error that the request never gets", illegal, []string{lostPut,
			`{"client":4,"call":40,"return":50,"request":{"delete":{"key":"b"}},` +
				`"error":"etcdserver: key not found"}`}},
		{"an old member says that what nobody compacted is", illegal, []string{putA,
			`{"client":4,"call":60,"return":70,"request":{"range":{"key":"a","revision":1,` +
				`"serializable":true}},"error":"etcdserver: mvcc: required revision has been compacted"}`}},
		{"a transaction looks for the lease first", legal, []string{
			`{"client":4,"call":1,"return":2,"request":{"txn":{"failure":[],"success":[{"put":{"key":"b",` +
				`"ignore_value":true,"lease":9}}]}},"error":"etcdserver: requested lease not found"}`}},
		{"and not for the key", illegal, []string{
			`{"client":4,"call":1,"return":2,"request":{"txn":{"success":[{"put":{"key":"b",` +
				`"ignore_value":true,"lease":9}}]}},"error":"etcdserver: key not found"}`}},
		{"a lost compaction that a transaction needs before the key it looks at is gone", legal, []string{
			putA, strings.NewReplacer(`"call":10,"return":20`, `"call":22,"return":24`, `"key":"a"`,
				`"key":"b"`, `"revision":2`, `"revision":3`).Replace(putA),
			`{"client":3,"call":25,"request":{"compact":{"revision":3}},"unknown":true}`,
			`{"client":4,"call":30,"return":50,"request":{"delete":{"key":"a"}},"response":` +
				`{"revision":4,"count":1}}`,
			`{"client":5,"call":30,"return":50,"request":{"txn":{"compare":[{"key":"a","target":1,` +
				`"result":1}],"success":[{"range":{"key":"b","revision":2}}]}},` +
				`"error":"etcdserver: mvcc: required revision has been compacted"}`}},
		{"who could have made a revision that another made, too, makes the next", legal, []string{
			strings.NewReplacer(`"key":"a"`, `"key":"\u0000","end":"\u0000"`, `,"prev_kv":true`, "").
				Replace(opened), created, putA,
			`{"client":2,"call":21,"request":{"txn":{"compare":[{"key":"x","result":1}],"success":` +
				`[{"put":{"key":"j"}}],"failure":[{"delete":{"key":"a"}}]}},"unknown":true}`,
			`{"client":3,"call":22,"request":{"delete":{"key":"a"}},"unknown":true}`,
			`{"client":1,"call":30,"return":35,"request":{"put":{"key":"x"}},"response":{"revision":4}}`,
			message("40", `{"revision":5,"watch":{"events":[`+
				`{"kv":{"key":"a","create":2,"mod":2,"version":1}},{"delete":true,"kv":{"key":"a","mod":3}},`+
				`{"kv":{"key":"x","create":4,"mod":4,"version":1}},`+
				`{"kv":{"key":"j","create":5,"mod":5,"version":1}}]}}`)}},
		{"a revision that a read names and nobody made", illegal, []string{putA, lostPut, lostDel,
			`{"client":4,"call":60,"return":70,"request":{"range":{"key":"a"}},"response":{"revision":9}}`}},
	}
}

func storiesOfLeases() []story {
	return []story{
		{"what a lease was granted", illegal, []string{granted, lease(`{"time_to_live":{"id":3}}`,
			`{"revision":1,"lease":{"id":3,"ttl":599,"granted":7}}`)}},
		{"the keys of a lease", illegal, []string{granted, lease(
			`{"time_to_live":{"id":3,"keys":true}}`,
			`{"revision":1,"lease":{"id":3,"ttl":599,"granted":600,"keys":["b"]}}`)}},
		{"too little time left", illegal, []string{granted, lease(`{"time_to_live":{"id":3}}`,
			`{"revision":1,"lease":{"id":3,"ttl":9,"granted":600}}`)}},
		{"a renewal for less than was granted", illegal, []string{granted, lease(
			`{"keep_alive":{"id":3}}`, `{"revision":1,"lease":{"id":3,"ttl":9}}`)}},
		{"granted again for longer, unanswered", legal, []string{granted,
			`{"client":5,"call":21,"return":22,"request":{"revoke":{"id":3}},"response":{"revision":1}}`,
			`{"client":5,"call":23,"request":{"grant":{"id":3,"ttl":5000}},"unknown":true}`,
			lease(`{"time_to_live":{"id":3}}`,
				`{"revision":1,"lease":{"id":3,"ttl":4999,"granted":5000}}`)}},
		{"a lost grant that came after an answer that it overlaps", legal, []string{
			`{"client":5,"call":30,"request":{"grant":{"id":3,"ttl":5000}},"unknown":true}`,
			lease(`{"time_to_live":{"id":3}}`, `{"revision":1,"lease":{"id":3,"ttl":-1}}`),
			`{"client":7,"call":60,"return":70,"request":{"grant":{"id":3,"ttl":60}},` +
				`"error":"etcdserver: lease already exists"}`}},
	}
}

// putBehind is a put of another key at a time, behind a revision.
func putBehind(revision, at string) string {
	next := string(revision[0] + 1)
	return strings.NewReplacer(`"call":10,"return":20`, `"call":`+at+`,"return":`+at, `"key":"a"`,
		`"key":"k`+next+`"`, `"revision":2`, `"revision":`+next).Replace(putA)
}

// overwritten is a key that was written twice, and a compaction of the first version at a time.
func overwritten(at string) []string {
	return []string{putA, strings.NewReplacer(`"call":10,"return":20`, `"call":20,"return":24`,
		`"revision":2`, `"revision":3`).Replace(putA), compactAt("3", at)}
}

// overwrittenEvents shows both versions, and not what was before the second.
const overwrittenEvents = `{"revision":3,"watch":{"events":[` +
	`{"kv":{"key":"a","create":2,"mod":2,"version":1}},` +
	`{"kv":{"key":"a","create":2,"mod":3,"version":2}}]}}`

// compactAt is a compaction of a revision, at a time.
func compactAt(revision, at string) string {
	return `{"client":8,"call":` + at + `,"return":` + at + `,"request":{"compact":{"revision":` +
		revision + `}},"response":{"revision":` + revision + `}}`
}

// A history with too many choices is undecided after so many steps, and says what would decide it.
func TestASearchIsBounded(t *testing.T) {
	var history []Operation
	for k := range 14 {
		history = append(history, Operation{Unknown: true, Call: int64(k % 3),
			Request: Request{Ask: &Put{Key: Bytes([]byte{'k', 'a' + byte(k)})}}})
	}
	history = append(history, Operation{Call: 5, Return: 6, Response: &Response{Revision: 13},
		Request: Request{Ask: &Range{Key: "k", End: "l"}}})
	for _, effort := range []int{1, 3} {
		report := Judge(history, Options{StepsMax: 2000, Effort: effort})
		if report.Verdict != checker.Undecided || !strings.Contains(report.Reason, "a watch") ||
			report.Steps > 2100*effort || report.Steps < 1900*effort {
			t.Errorf("effort %d: %v after %d steps: %s", effort, report.Verdict, report.Steps,
				report.Reason)
		}
	}
}

// TestTheWorkedLinesHold judges the example in the documentation of the format.
func TestTheWorkedLinesHold(t *testing.T) {
	text, err := os.ReadFile("../../docs/formats/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	kinds := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, `{"client"`) {
			lines = append(lines, strings.TrimSpace(line))
			_, request, _ := strings.Cut(line, `"request":{"`)
			kind, _, _ := strings.Cut(request, `"`)
			kinds[kind] = true
		}
	}
	report := Judge(parse(t, lines...), Options{})
	if report.Verdict != checker.Holds || len(kinds) < 12 {
		t.Errorf("%v: %s; %d kinds of requests", report.Verdict, report.Reason, len(kinds))
	}
}
