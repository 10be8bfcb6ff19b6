package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// commands are what the first word may say instead of flags of a member.
func commands() map[string]func(args []string, stdout, stderr io.Writer) int {
	return map[string]func(args []string, stdout, stderr io.Writer) int{
		"verify":   verify,
		"snapshot": snapshot,
		"help":     help,
		"version": func(_ []string, stdout, _ io.Writer) int {
			printVersion(stdout)
			return exitClean
		},
	}
}

func commandNames() []string { return slices.Sorted(maps.Keys(commands())) }

// runCommand runs what the first word says; if that is no command, nothing.
func runCommand(args []string, stdout, stderr io.Writer) (status int, known bool) {
	command, known := commands()[args[0]]
	if !known {
		return 0, false
	}
	return command(args[1:], stdout, stderr), true
}

// help shows how to run a member, or how to use a command.
func help(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		newSettings().usage(stdout)
		return exitClean
	}
	status, known := runCommand([]string{args[0], "--help"}, stdout, stderr)
	if !known || args[0] == "help" {
		err := hinted(wordError{args[0], "there is no command %q"}, nil, commandNames())
		fmt.Fprintf(stderr, "detcd help: %v\n", err)
		return exitError
	}
	return status
}

// A wordError is a word that says nothing here.
type wordError struct{ word, text string }

// Error says so; the word is quoted in the text.
func (e wordError) Error() string { return fmt.Sprintf(e.text, e.word) }

// hinted adds to an error about a flag or a word which one may have been meant, if one is near.
func hinted(err error, flags *flag.FlagSet, words []string) error {
	var near []string
	var unknown wordError
	if name, found := strings.CutPrefix(err.Error(), "flag provided but not defined: -"); found {
		var known []string
		flags.VisitAll(func(f *flag.Flag) { known = append(known, "--"+f.Name) })
		near = nearest("--"+strings.TrimPrefix(name, "-"), known)
	} else if errors.As(err, &unknown) {
		near = nearest(unknown.word, words)
	}
	if len(near) == 0 {
		return err
	}
	return fmt.Errorf("%w\nDid you mean %s?", err, strings.Join(near, " or "))
}
