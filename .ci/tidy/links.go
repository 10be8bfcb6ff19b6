package main

import (
	"path"
	"regexp"
	"strings"
	"unicode"
)

// Links in Markdown, and mentions of documents in comments.
const (
	linkPattern    = `\]\(([^)\s]+)\)`
	mentionPattern = `\bdocs/[A-Za-z0-9_/.-]+\.md\b`
)

// checkLinks reports relative links of documents that lead nowhere, be it the file or the heading,
// and documents that comments mention but nobody wrote.
func checkLinks(t *tree, report report) {
	link, mention := regexp.MustCompile(linkPattern), regexp.MustCompile(mentionPattern)
	headings := map[string]map[string]bool{}
	for _, document := range t.documents {
		headings[document.path] = anchors(document.text)
	}
	for _, document := range t.documents {
		for number, line := range prose(document.text) {
			for _, match := range link.FindAllStringSubmatch(line, -1) {
				if reason := broken(t, headings, document.path, match[1]); reason != "" {
					report(document.path, number, "%s: %s", match[1], reason)
				}
			}
		}
	}
	for _, p := range t.packages {
		for _, file := range p.files {
			for _, group := range file.syntax.Comments {
				for _, name := range mention.FindAllString(group.Text(), -1) {
					if !t.names[name] {
						report(file.path, t.line(group.Pos()), "%s: there is no such file", name)
					}
				}
			}
		}
	}
}

// broken returns why a link leads nowhere, or nothing.
func broken(t *tree, headings map[string]map[string]bool, from, link string) string {
	if strings.Contains(link, "://") || strings.HasPrefix(link, "mailto:") {
		return ""
	}
	name, anchor, _ := strings.Cut(link, "#")
	target := from
	if name != "" {
		target = path.Join(path.Dir(from), name)
	}
	if !t.names[target] {
		return "there is no such file"
	}
	if anchor != "" && headings[target] != nil && !headings[target][anchor] {
		return "there is no such heading"
	}
	return ""
}

// prose yields the numbered lines of a document that are outside of code.
func prose(text string) func(yield func(int, string) bool) {
	return func(yield func(int, string) bool) {
		code, number := false, 0
		for line := range strings.Lines(text) {
			number++
			if strings.HasPrefix(strings.TrimSpace(line), "```") {
				code = !code
				continue
			}
			if !code && !yield(number, withoutCode(line)) {
				return
			}
		}
	}
}

// withoutCode removes what stands between backquotes.
func withoutCode(line string) string {
	parts := strings.Split(line, "`")
	for i := 1; i < len(parts); i += 2 {
		parts[i] = ""
	}
	return strings.Join(parts, "`")
}

// anchors returns the names under which the headings of a document can be reached.
func anchors(text string) map[string]bool {
	found := map[string]bool{}
	code := false
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			code = !code
		}
		if heading := strings.TrimLeft(line, "#"); !code && heading != line {
			found[anchor(strings.TrimSpace(heading))] = true
		}
	}
	return found
}

// anchor returns the name of a heading: lower case, spaces as hyphens, punctuation dropped.
func anchor(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			return unicode.ToLower(r)
		}
		return -1
	}, heading)
}
