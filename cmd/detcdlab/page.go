package main

import (
	"bytes"
	"embed"
	"html/template"
	"os"
)

// pages are the templates of what check and torture draw; page.html is what they have in common.
//
//go:embed page.html check.html torture.html
var pages embed.FS

// writePage writes a page that needs nothing but itself.
func writePage(name, which string, data any) error {
	t, err := template.ParseFS(pages, "page.html", which)
	if err != nil {
		return err
	}
	out := &bytes.Buffer{}
	if err := t.ExecuteTemplate(out, which, data); err != nil {
		return err
	}
	return os.WriteFile(name, out.Bytes(), 0o644)
}
