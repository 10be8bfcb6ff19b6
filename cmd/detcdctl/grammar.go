package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// parseCompare reads a condition of a transaction:
//
//	target ("key") op "value"
//
// target is one of c, create, m, mod, ver, version, val, value, lease; op is one of = != < >. Key
// and value are between double or back quotes, as in Go. Revisions and versions are decimal; a
// lease is hexadecimal, as everywhere on this command line.
func parseCompare(line string) (clientv3.Cmp, error) {
	malformed := func(why string) (clientv3.Cmp, error) {
		return clientv3.Cmp{}, fmt.Errorf("malformed comparison: %s (%s)", line, why)
	}
	target, rest, found := strings.Cut(line, "(")
	if !found {
		return malformed(`wanted: target("key") = "value"`)
	}
	key, rest, err := quoted(rest)
	if err != nil {
		return malformed("the key " + err.Error())
	}
	rest, found = strings.CutPrefix(rest, ")")
	if !found {
		return malformed("no ) after the key")
	}
	rest = strings.TrimSpace(rest)
	operators := []string{"!=", "=", "<", ">"}
	i := slices.IndexFunc(operators, func(op string) bool { return strings.HasPrefix(rest, op) })
	if i < 0 {
		return malformed("after ) wanted: one of = != < >")
	}
	value, rest, err := quoted(strings.TrimPrefix(rest, operators[i]))
	if err != nil {
		return malformed("the value " + err.Error())
	}
	if rest != "" {
		return malformed("more behind the value")
	}
	return compare(strings.TrimSpace(target), key, operators[i], value, line)
}

// compare makes the condition.
func compare(target, key, operator, value, line string) (clientv3.Cmp, error) {
	base := 10
	var what clientv3.Cmp
	switch target {
	case "val", "value":
		return clientv3.Compare(clientv3.Value(key), operator, value), nil
	case "ver", "version":
		what = clientv3.Version(key)
	case "c", "create":
		what = clientv3.CreateRevision(key)
	case "m", "mod":
		what = clientv3.ModRevision(key)
	case "lease":
		what, base = clientv3.LeaseValue(key), 16
	default:
		return what, fmt.Errorf("malformed comparison: %s (unknown target %s)", line, target)
	}
	number, err := strconv.ParseInt(value, base, 64)
	if err != nil {
		return what, fmt.Errorf("invalid txn compare request: %s", line)
	}
	if target == "lease" {
		return clientv3.Compare(what, operator, clientv3.LeaseID(number)), nil
	}
	return clientv3.Compare(what, operator, number), nil
}

// quoted reads a string between quotes; spaces around it do not count.
func quoted(text string) (value, rest string, err error) {
	text = strings.TrimSpace(text)
	literal, err := strconv.QuotedPrefix(text)
	if err != nil || literal[0] == '\'' {
		return "", "", errors.New("is not between quotes")
	}
	value, err = strconv.Unquote(literal)
	if err != nil {
		return "", "", errors.New("is not between quotes")
	}
	return value, strings.TrimSpace(text[len(literal):]), nil
}

// split makes words of a line: between double quotes as in Go, between single quotes as it is, or
// up to the next space.
func split(line string) ([]string, error) {
	var words []string
	for rest := strings.TrimSpace(line); rest != ""; rest = strings.TrimSpace(rest) {
		var word string
		switch rest[0] {
		case '"':
			var err error
			if word, rest, err = quoted(rest); err != nil {
				return nil, fmt.Errorf("a quote is not closed, or what it holds is no string: %s", line)
			}
		case '\'':
			var closed bool
			if word, rest, closed = strings.Cut(rest[1:], "'"); !closed {
				return nil, fmt.Errorf("a quote is not closed: %s", line)
			}
		default:
			end := strings.IndexAny(rest, " \t\r\n\v\f")
			if end < 0 {
				end = len(rest)
			}
			word, rest = rest[:end], rest[end:]
		}
		words = append(words, word)
	}
	return words, nil
}

// parseOperation reads a request of a transaction: put, get or del with what follows it on a
// command line.
func parseOperation(line string) (clientv3.Op, error) {
	words, err := split(line)
	if err != nil {
		return clientv3.Op{}, err
	}
	invalid := fmt.Errorf("invalid txn request: %s", line)
	if len(words) < 2 {
		return clientv3.Op{}, invalid
	}
	var put putFlags
	var get getFlags
	var del delFlags
	verbs := map[string]struct {
		register  func(*pflag.FlagSet)
		operation func(args []string) (clientv3.Op, error)
	}{
		"put": {put.register, func(args []string) (clientv3.Op, error) {
			return put.operation(args, nil)
		}},
		"get": {get.register, func(args []string) (clientv3.Op, error) {
			key, options, err := get.request(args)
			return clientv3.OpGet(key, options...), err
		}},
		"del": {del.register, del.operation},
	}
	verb, known := verbs[words[0]]
	if !known {
		return clientv3.Op{}, fmt.Errorf("%w (put, get and del are known)", invalid)
	}
	flags := pflag.NewFlagSet(words[0], pflag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	verb.register(flags)
	if err := flags.Parse(words[1:]); err != nil {
		return clientv3.Op{}, fmt.Errorf("%w (%w)", invalid, err)
	}
	return verb.operation(flags.Args())
}
