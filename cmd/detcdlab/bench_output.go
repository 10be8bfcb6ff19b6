package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"detcd/bench"
)

// An output says which files a result is written to, beside its text.
type output struct {
	json, html, markdown string
}

// A result can be written in every form.
type result interface {
	fmt.Stringer
	Markdown() string
	HTML(out io.Writer) error
}

func (o *output) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.json, "json", "", "write all reports as JSON to this file; - is the output")
	flags.StringVar(&o.html, "html", "", "write a page with plots to this file")
	flags.StringVar(&o.markdown, "markdown", "", "write tables for a document to this file")
}

// check says what cannot be written, before there is anything to write.
func (o *output) check() error {
	if o.json == "-" {
		return writable(o.html, o.markdown)
	}
	return writable(o.json, o.html, o.markdown)
}

// write writes the text, unless JSON takes its place, and the files that were asked for.
func (o *output) write(out io.Writer, r result) error {
	if o.json == "-" {
		return print(out, r, true)
	}
	if _, err := io.WriteString(out, r.String()); err != nil {
		return err
	}
	encode := func(file io.Writer) error {
		encoder := json.NewEncoder(file)
		encoder.SetIndent("", " ")
		return encoder.Encode(r)
	}
	markdown := func(file io.Writer) error {
		_, err := io.WriteString(file, r.Markdown())
		return err
	}
	for _, one := range []struct {
		path  string
		write func(io.Writer) error
	}{{o.json, encode}, {o.html, r.HTML}, {o.markdown, markdown}} {
		if one.path == "" {
			continue
		}
		if err := writeFile(one.path, one.write); err != nil {
			return err
		}
	}
	return nil
}

func writeFile(path string, write func(io.Writer) error) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := write(file); err != nil {
		// The first error says more.
		_ = file.Close()
		return fmt.Errorf("write %s: %w", path, err)
	}
	return file.Close()
}

// renderCommand is `detcdlab bench render`.
func renderCommand() *cobra.Command {
	var o output
	command := &cobra.Command{
		Use:   "render FILE",
		Short: "Write tables and pages of a comparison or scaling run that was written as JSON",
		Args:  cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return err
			}
			text, err := os.ReadFile(args[0])
			if err != nil {
				return usage(err)
			}
			read := &bench.Comparison{}
			if err := json.Unmarshal(text, read); err != nil {
				return usagef("read %s: %v", args[0], err)
			}
			if len(read.Cases) > 0 && read.Cases[0].Axis != "" {
				return o.write(command.OutOrStdout(), bench.Scaling{Comparison: read})
			}
			return o.write(command.OutOrStdout(), read)
		},
	}
	o.addFlags(command.Flags())
	return command
}
