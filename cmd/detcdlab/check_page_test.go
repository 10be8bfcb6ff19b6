package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// missedEvent is a history of a few clients and a watch that is not told of revision 6.
func missedEvent() string {
	text := &strings.Builder{}
	text.WriteString(checkHeading)
	text.WriteString(`{"client":9,"call":0,"return":9000000,"request":{"watch":{"watch":1,"key":"k",` +
		`"end":"l","start":2}},"response":{}}` + "\n")
	line := func(r, client int64, request, response string) {
		fmt.Fprintf(text, `{"client":%d,"call":%d,"return":%d,"request":%s,"response":%s}`+"\n",
			client, r*1_000_000, r*1_000_000+700_000+client*90_000, request, response)
	}
	heard := `{"revision":1,"watch":{"created":true}}`
	line(1, 9, `{"watched":{"watch":1}}`, heard)
	for r := int64(2); r <= 9; r++ {
		line(r, r%3, fmt.Sprintf(`{"put":{"key":"k%d","value":"v%d"}}`, r%4, r),
			fmt.Sprintf(`{"revision":%d}`, r))
		version, create := (r-2)/4+1, r-(r-2)/4*4
		event := fmt.Sprintf(`{"revision":%d,"watch":{"events":[{"kv":{"key":"k%d","value":"v%d",`+
			`"create":%d,"mod":%d,"version":%d}}]}}`, r, r%4, r, create, r, version)
		if r != 6 {
			line(r, 9, `{"watched":{"watch":1}}`, event)
		}
	}
	return text.String()
}

func TestThePageShowsWhatIsWrong(t *testing.T) {
	lease := checkHeading +
		`{"client":1,"call":0,"return":9,"request":{"grant":{"id":7,"ttl":5}},` +
		`"response":{"revision":1,"lease":{"id":7,"ttl":5}}}` + "\n" +
		`{"client":1,"call":20,"return":29,"request":{"keep_alive":{"id":7}},` +
		`"response":{"revision":1,"lease":{"id":7}}}` + "\n"
	dir := os.Getenv("DETCD_PAGES") // to look at them
	if dir == "" {
		dir = t.TempDir()
	}
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"stale", checkHeading + checkPut + checkStale, []string{"culprit", "Porcupine", "iframe"}},
		{"watch", missedEvent(), []string{"What the watch heard", "line 12: put k2=v6", "watch 1"}},
		{"lease", lease, []string{"The life of lease 7", "keep alive 7"}},
		{"holds", checkHeading + checkPut + checkFresh, []string{"explains every answer"}},
	} {
		file := filepath.Join(t.TempDir(), "history.jsonl")
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		page := filepath.Join(dir, c.name+".html")
		cmd := checkCommand()
		cmd.SetOut(&strings.Builder{})
		cmd.SilenceUsage, cmd.SilenceErrors = true, true
		cmd.SetArgs([]string{"--html", page, file})
		if err := cmd.Execute(); (err == nil) != (c.name == "holds") {
			t.Errorf("%s: %v", c.name, err)
		}
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range c.want {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s: %q is not shown", c.name, want)
			}
		}
		if strings.Contains(string(text), `src="http`) || strings.Contains(string(text), `href="http`) {
			t.Errorf("%s: the page needs others", c.name)
		}
	}
}
