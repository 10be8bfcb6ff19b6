package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
)

// A score is the sum of all results, and what is said about those that are not a pass.
type score struct {
	counts      map[string]map[string]int // by suite and outcome
	suites      []string
	others      map[string][]string // tests that did not pass, by the rest of their row
	unexplained []string
	stale       []string
}

// readReasons reads lines of "suite/Test reason".
func readReasons(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	reasons := map[string]string{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, reason, ok := strings.Cut(line, " ")
		if !ok || reasons[name] != "" {
			return nil, fmt.Errorf("%s: %q has no reason, or two", path, name)
		}
		reasons[name] = strings.TrimSpace(reason)
	}
	return reasons, nil
}

// collect sums up. A test that was never run counts as such, and is explained by nothing; only of
// those that were wanted is it said that they are not explained.
func collect(suites []suite, j *job) (*score, error) {
	s := &score{counts: map[string]map[string]int{}, others: map[string][]string{}}
	for i := range suites {
		suite := &suites[i]
		s.suites = append(s.suites, suite.name)
		s.counts[suite.name] = map[string]int{}
		for _, test := range suite.tests {
			r, ok, err := suite.load(test)
			if err != nil {
				return nil, err
			}
			if !ok {
				r.Outcome = outcomeMissing
			}
			s.counts[suite.name][r.Outcome]++
			r.Note = strings.ReplaceAll(r.Note, j.work+"/", "")
			s.explain(suite.name+"/"+test, r, j.reasons, j.run.MatchString(test))
		}
	}
	return s, nil
}

// outcomeMissing is of a test that was never run.
const outcomeMissing = "not run"

// explain adds what is not a pass to a row.
func (s *score) explain(name string, r result, reasons map[string]string, wanted bool) {
	reason := reasons[name]
	switch {
	case r.Outcome == outcomePass:
		if reason != "" {
			s.stale = append(s.stale, name)
		}
		return
	case r.Outcome == outcomeSkip && reason == "":
		reason = cmp.Or(r.Note, "says nothing")
	case reason == "":
		if wanted {
			s.unexplained = append(s.unexplained, name)
		}
		reason = "?"
	}
	if len(r.Parts) > 0 {
		reason += " (of it: " + strings.Join(r.Parts, ", ") + ")"
	}
	rest := fmt.Sprintf(" | %s | %s |\n", strings.ToLower(r.Outcome),
		strings.ReplaceAll(reason, "|", `\|`))
	s.others[rest] = append(s.others[rest], "`"+name+"`")
}

// counted is how many there are of each outcome, as Markdown.
func (s *score) counted() string {
	var b strings.Builder
	b.WriteString("| suite | tests | pass | fail | skip themselves |\n|---|---|---|---|---|\n")
	for _, name := range s.suites {
		c := s.counts[name]
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d |\n", name,
			c[outcomePass]+c[outcomeFail]+c[outcomeSkip]+c[outcomeMissing],
			c[outcomePass], c[outcomeFail]+c[outcomeMissing], c[outcomeSkip])
	}
	return b.String()
}

// table is the score, and why each test that is not a pass is none.
func (s *score) table() string {
	var b strings.Builder
	b.WriteString(s.counted())
	b.WriteString("\n| test | | why |\n|---|---|---|\n")
	var rows []string
	for rest, tests := range s.others {
		rows = append(rows, "| "+strings.Join(tests, ", ")+rest)
	}
	slices.Sort(rows)
	for _, row := range rows {
		b.WriteString(row)
	}
	return b.String()
}

// Between these lines of a document the score stands.
const (
	scoreBegins = "<!-- score of make test-etcd -->\n"
	scoreEnds   = "<!-- end of the score -->\n"
)

// writeInto replaces the score in a document.
func (s *score) writeInto(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, began := strings.Cut(string(text), scoreBegins)
	_, after, ended := strings.Cut(rest, scoreEnds)
	if !began || !ended {
		return fmt.Errorf("%s has no place for the score", path)
	}
	return os.WriteFile(path, []byte(before+scoreBegins+s.table()+scoreEnds+after), 0o644)
}
