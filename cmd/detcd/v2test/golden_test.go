package v2test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"detcd/cmd/detcd/testbed"
)

// A difference is one that is meant.
type difference struct {
	request *regexp.Regexp // as in the transcript
	cut     *regexp.Regexp // what is not compared
	reason  string
}

// excluded is everything of the transcript that is not compared, but for times and what depends on
// them, see normal. IDs and indexes are compared.
func excluded() []difference {
	return []difference{
		{regexp.MustCompile(`^@B/version$`), regexp.MustCompile(`(?s).*`),
			"detcd is of 3.7"},
		{regexp.MustCompile(`^@B/health$`), regexp.MustCompile(`,"reason":""|Content-Length: .*`),
			"3.7 has a reason besides"},
		{regexp.MustCompile(`^@B/v2/stats/store$`),
			regexp.MustCompile(`"(gets|sets|create)(Success|Fail)":\d+|Content-Length: .*`),
			"etcd counts its own reads and writes, too"},
	}
}

// normal replaces what two runs of one server differ in.
func normal(text string) string {
	for pattern, with := range map[string]string{
		`"expiration":"[^"]*"`:           `"expiration":"T"`,
		`X-Raft-(Index|Term): .*`:        "X-Raft-$1: N",
		`"ttl":\d+`:                      `"ttl":N`,
		`"(startTime|uptime)":"[^"]*"`:   `"$1":"T"`,
		`(?m)^(Access-Control|Date).*\n`: "",
		`Content-Length: \d+`:            "Content-Length: N",
	} {
		text = regexp.MustCompile(pattern).ReplaceAllString(text, with)
	}
	return strings.TrimRight(text, "\n")
}

// curl sends what a line of the transcript says, as curl does.
func curl(t *testing.T, base, line string) string {
	t.Helper()
	parts := regexp.MustCompile(` -(X|d |H |I|-data-urlencode |-data-raw |-path-as-is)`)
	at := parts.FindAllStringIndex(line, -1)
	end := len(line)
	method := http.MethodGet
	header := http.Header{}
	form := []string{}
	for i := len(at) - 1; i >= 0; i-- {
		option := strings.TrimPrefix(line[at[i][0]:end], " ")
		end = at[i][0]
		name, value, _ := strings.Cut(option, " ")
		switch {
		case strings.HasPrefix(option, "-X"):
			method = option[2:]
		case option == "-I":
			method = http.MethodHead
		case name == "-H":
			field, value, _ := strings.Cut(value, ": ")
			header.Set(field, value)
		case name == "-d", name == "--data-raw":
			form = append([]string{value}, form...)
		case name == "--data-urlencode":
			field, value, _ := strings.Cut(value, "=")
			form = append([]string{field + "=" + url.QueryEscape(value)}, form...)
		}
	}
	path := strings.TrimPrefix(line[:end], "@B")
	if len(form) > 0 && header.Get("Content-Type") == "" {
		header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return send(t, base, method, path, header, strings.Join(form, "&"))
}

// send sends a path as it is, and writes the answer as the transcript has it.
func send(t *testing.T, base, method, path string, header http.Header, body string) string {
	t.Helper()
	host := strings.TrimPrefix(base, "http://")
	connection, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	fmt.Fprintf(connection, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", method, path, host)
	header.Write(connection)
	fmt.Fprintf(connection, "Content-Length: %d\r\n\r\n%s", len(body), body)
	raw, err := io.ReadAll(connection)
	if err != nil {
		t.Fatal(err)
	}
	head, text, _ := strings.Cut(strings.ReplaceAll(string(raw), "\r\n", "\n"), "\n\n")
	if strings.Contains(head, "Transfer-Encoding: chunked") {
		_, text, _ = strings.Cut(text, "\n") // one chunk, behind its size
		text, _, _ = strings.Cut(text, "\n0\n")
	}
	return head + "\n" + text
}

// shown keeps the headers that the transcript has.
func shown(answer string) string {
	kept := regexp.MustCompile(
		`(?i)^(content-type|x-etcd|x-raft|allow|content-length|location|transfer)`)
	head, body, _ := strings.Cut(answer, "\n")
	var out strings.Builder
	out.WriteString(head)
	for line := range strings.SplitSeq(body, "\n") {
		if regexp.MustCompile(`^[A-Z][A-Za-z-]*: `).MatchString(line) && !kept.MatchString(line) {
			continue
		}
		out.WriteString("\n" + line)
	}
	return out.String()
}

// TestATranscriptOfEtcdIsReplayed sends what etcd 3.4.45 was asked, one by one.
func TestATranscriptOfEtcdIsReplayed(t *testing.T) {
	text, err := os.ReadFile("testdata/etcd-3.4.45.txt")
	if err != nil {
		t.Fatal(err)
	}
	cluster := testbed.Launch(t, testbed.Options{Binary: testbed.Detcd(t), Members: 1, Args: []string{
		"--name=default", "--initial-cluster-token=etcd-cluster",
		"--initial-cluster=default=http://127.0.0.1:12380",
		"--initial-advertise-peer-urls=http://127.0.0.1:12380",
		"--advertise-client-urls=http://127.0.0.1:12379,http://127.0.0.1:14001",
	}})
	base := cluster.Endpoints()[0]
	used := make(map[string]bool)
	cases := strings.Split(strings.TrimPrefix("\n"+string(text), "\n### "), "\n### ")
	for i, one := range cases {
		line, want, _ := strings.Cut(one, "\n")
		got := shown(curl(t, base, line))
		if strings.HasSuffix(line, " -I") { // curl writes the headers twice then
			want, _, _ = strings.Cut(want, "\nHTTP/")
		}
		got, want = normal(got), normal(want)
		if i == 0 && got == want {
			t.Error("the versions are equal: the exclusion is not needed")
		}
		for _, d := range excluded() {
			if d.request.MatchString(line) {
				used[d.reason] = true
				got, want = d.cut.ReplaceAllString(got, ""), d.cut.ReplaceAllString(want, "")
			}
		}
		if ordered(got) != ordered(want) {
			t.Errorf("%s\n--- detcd:\n%s\n--- etcd:\n%s", line, got, want)
		}
	}
	if len(cases) < 100 || len(used) != len(excluded()) {
		t.Errorf("%d requests, %d of %d exclusions used", len(cases), len(used), len(excluded()))
	}
}

// ordered sorts the headers: their order means nothing.
func ordered(answer string) string {
	lines := strings.Split(answer, "\n")
	end := 1
	for end < len(lines) && regexp.MustCompile(`^[A-Z][A-Za-z-]*: `).MatchString(lines[end]) {
		end++
	}
	slices.Sort(lines[1:end])
	return strings.TrimSpace(strings.Join(lines, "\n"))
}
