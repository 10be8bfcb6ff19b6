package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	checkHeading = `{"format":"operations","version":1}` + "\n"
	checkPut     = `{"client":1,"call":1,"return":2,"request":{"put":{"key":"a","value":"1"}},` +
		`"response":{"revision":2}}` + "\n"
	checkFresh = `{"client":2,"call":3,"return":4,"request":{"range":{"key":"a"}},"response":` +
		`{"revision":2,"kvs":[{"key":"a","value":"1","create":2,"mod":2,"version":1}],"count":1}}` + "\n"
	checkStale = `{"client":2,"call":3,"return":4,"request":{"range":{"key":"a"}},` +
		`"response":{"revision":1}}` + "\n"
	checkLost  = `{"client":3,"call":3,"request":{"delete":{"key":"b"}},"unknown":true}` + "\n"
	checkWatch = `{"client":4,"call":1,"return":9,"request":{"watch":{"watch":1,"key":"a"}},` +
		`"response":{}}` + "\n"
	// Ten of eleven lost puts happened, and one answer says that there are none of their keys: nothing
	// tells which ten, and in which order.
	checkOpen = `{"client":2,"call":5,"return":6,"request":{"range":{"key":"k","end":"l"}},` +
		`"response":{"revision":11}}` + "\n"
)

func TestCheckEndsWithTheStatusOfItsVerdict(t *testing.T) {
	manyLost := ""
	for n := range 11 {
		manyLost += fmt.Sprintf(`{"client":1,"call":%d,"request":{"put":{"key":"k%d"}},"unknown":true}`,
			n%3, n) + "\n"
	}
	for _, c := range []struct {
		name, text string
		status     int
		want       string
	}{
		{"holds", checkHeading + checkPut + checkFresh + checkLost, 0, "HOLDS"},
		{"violated", checkHeading + checkPut + checkStale, exitViolated, "VIOLATED by line"},
		{"undecided", checkHeading + manyLost + checkOpen, exitUndecided, "UNDECIDED"},
		{"nothing at all", checkHeading, exitUnjudged, ""},
		{"nothing that was answered", checkHeading + checkLost, exitUnjudged, ""},
		{"unreadable", checkHeading + checkPut + "{\n", exitUsage, ""},
		{"not a history", checkPut, exitUsage, ""},
	} {
		name := filepath.Join(t.TempDir(), "history.jsonl")
		if err := os.WriteFile(name, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		out := &bytes.Buffer{}
		cmd := checkCommand()
		cmd.SetOut(out)
		cmd.SilenceUsage, cmd.SilenceErrors = true, true
		cmd.SetArgs([]string{name})
		err := cmd.Execute()
		var status exitError
		errors.As(err, &status)
		if status.status != c.status || !strings.Contains(out.String(), c.want) {
			t.Errorf("%s: status %d, %v:\n%s", c.name, status.status, err, out)
		}
		if refused := c.status == exitUsage || c.status == exitUnjudged; refused &&
			!strings.Contains(err.Error(), "line ") &&
			!strings.Contains(err.Error(), "nothing was judged") {
			t.Errorf("%s: no line is named: %v", c.name, err)
		}
	}
}

func TestCheckShowsWhatContradicts(t *testing.T) {
	out := &bytes.Buffer{}
	cmd := checkCommand()
	cmd.SetOut(out)
	cmd.SetIn(strings.NewReader(checkHeading + checkPut + checkStale))
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	cmd.SetArgs([]string{"-"})
	if err := cmd.Execute(); err == nil {
		t.Fatal("a stale read was not noticed")
	}
	for _, want := range []string{"> 2 ", "> 3 ", `{"range":{"key":"a"}}`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not shown:\n%s", want, out)
		}
	}
}

// Who presses Ctrl-C waits no longer, whatever is being judged.
func TestAJudgeIsNotWaitedFor(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	out := &bytes.Buffer{}
	cmd := checkCommand()
	cmd.SetOut(out)
	cmd.SetIn(strings.NewReader(checkHeading + checkPut + checkStale))
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	cmd.SetArgs([]string{"-"})
	if err := cmd.ExecuteContext(ctx); !errors.Is(err, context.Canceled) || out.Len() > 0 {
		t.Errorf("%v:\n%s", err, out)
	}
}

func TestCheckOfSeveralFilesEndsWithTheWorst(t *testing.T) {
	folder := t.TempDir()
	var names []string
	for n, text := range []string{checkHeading + checkPut + checkFresh,
		checkHeading + checkPut + checkStale, checkHeading} {
		name := filepath.Join(folder, fmt.Sprintf("%d.jsonl", n))
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	out := &bytes.Buffer{}
	cmd := checkCommand()
	cmd.SetOut(out)
	cmd.SetErr(out)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	cmd.SetArgs(names)
	var status exitError
	if err := cmd.Execute(); !errors.As(err, &status) || status.status != exitViolated {
		t.Errorf("%v", err)
	}
	for _, want := range []string{"0.jsonl:\n", "HOLDS", "VIOLATED by line", "nothing was judged"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}
