package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A verb is a command that asks a server.
type verb struct {
	use, short string
	long       string               // more than the first line of help
	example    string               // lines of a shell
	formats    formats              // that it can print
	takes      func([]string) error // whether the words make sense
	flags      func(*pflag.FlagSet)
	apart      bool // it goes to each endpoint by itself
	run        func(*session, []string) error
}

// formats is a set of output formats. All answers can be printed simply, and as JSON.
type formats uint8

const (
	asFields formats = 1 << iota
	asProtobuf
	asTable

	asAny  = asFields | asProtobuf | asTable // what prints nothing
	asBoth = asFields | asProtobuf
)

// command makes the command.
func (p *program) command(v verb) *cobra.Command {
	command := &cobra.Command{
		Use: v.use, Short: v.short, Long: v.long, Example: v.example, DisableFlagsInUseLine: true,
		RunE: func(command *cobra.Command, args []string) error {
			if v.takes != nil {
				if err := v.takes(args); err != nil {
					return err
				}
			}
			if err := p.checkFormat(v.formats); err != nil {
				return err
			}
			s, err := p.open(command)
			if err != nil {
				return err
			}
			if !v.apart {
				if s.client, err = s.dial(s.spec); err != nil {
					return err
				}
			}
			return v.run(s, args)
		},
	}
	if v.flags != nil {
		v.flags(command.Flags())
	}
	return command
}

// checkFormat refuses a format before anything is sent. etcdctl sends, and then refuses to tell.
func (p *program) checkFormat(known formats) error {
	name := p.settings.format
	if !slices.Contains(strings.Fields(formatNames), name) {
		return fail(exitBadFeature, "unsupported output format")
	}
	needed := map[string]formats{"fields": asFields, "protobuf": asProtobuf, "table": asTable}
	if known&needed[name] != needed[name] {
		return fail(exitBadFeature, "%s not supported as output format", name)
	}
	return nil
}

// exactly wants a number of words.
func exactly(n int, otherwise string) func([]string) error {
	return between(n, n, otherwise)
}

// between wants a number of words; most may be -1, for any number.
func between(least, most int, otherwise string) func([]string) error {
	return func(args []string) error {
		if len(args) < least || most >= 0 && len(args) > most {
			return bad("%s", otherwise)
		}
		return nil
	}
}

// family makes a command that only has others below it.
func family(use, short string, members ...*cobra.Command) *cobra.Command {
	command := &cobra.Command{
		Use: use, Short: short, Args: onlyCommands,
		RunE: func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	command.AddCommand(members...)
	return command
}
