package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// nearMax is how many letters may be wrong in a word that is almost a command or a flag.
const nearMax = 2

// onlyCommands refuses a word behind a command that only has others below it, and says which may
// have been meant.
func onlyCommands(command *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := fmt.Errorf("unknown command %q for %q", args[0], command.CommandPath())
	command.SuggestionsMinimumDistance = nearMax
	if near := command.SuggestionsFor(args[0]); len(near) > 0 {
		return fmt.Errorf("%w\n\nDid you mean this?\n\t%s\n", err, strings.Join(near, "\n\t"))
	}
	return err
}

// hintFlag adds to an error about a flag which one may have been meant. cobra has a way to find
// commands that are spelled almost as a word; it is asked with the flags as commands.
func hintFlag(command *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	flags := &cobra.Command{SuggestionsMinimumDistance: nearMax}
	command.Flags().VisitAll(func(f *pflag.Flag) {
		flags.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
	})
	near := flags.SuggestionsFor(unknown.GetSpecifiedName())
	if len(near) == 0 {
		return err
	}
	return fmt.Errorf("%w\nHint: did you mean --%s?", err, strings.Join(near, " or --"))
}
