package main

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"
)

// askPassword asks the person, who does not see what is typed. Without a terminal it reads a line.
func (p *program) askPassword(prompt string) (string, error) {
	if !p.typed {
		line, err := p.in.ReadString('\n')
		if line = strings.TrimRight(line, "\r\n"); line == "" {
			return "", bad("no password: give it behind the name, by --password, or on standard input")
		}
		_ = err // the last line may have no end
		return line, nil
	}
	fmt.Fprint(p.errors, prompt)
	password, err := term.ReadPassword(int(os.Stdin.Fd()))
	fmt.Fprintln(p.errors)
	return string(password), err
}

// newPassword asks for a password twice.
func (p *program) newPassword(name string) (string, error) {
	first, err := p.askPassword(fmt.Sprintf("Password of %s: ", name))
	if err != nil {
		return "", bad("failed to ask password: %w", err)
	}
	if first == "" {
		return "", bad("empty password")
	}
	second, err := p.askPassword(fmt.Sprintf("Type password of %s again for confirmation: ", name))
	switch {
	case err != nil:
		return "", bad("failed to ask password: %w", err)
	case first != second:
		return "", bad("given passwords are different")
	}
	return first, nil
}

// readWord reads the first word of standard input.
func (p *program) readWord() (string, error) {
	var word string
	if _, err := fmt.Fscan(p.in, &word); err != nil {
		return "", bad("no password on standard input")
	}
	return word, nil
}
