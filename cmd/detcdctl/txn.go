package main

import (
	"errors"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

func (p *program) txnCommand() *cobra.Command {
	var interactive bool
	return p.command(verb{
		use: "txn [options]", short: "Do several things at once, or others if a condition fails",
		long: `Reads a transaction from standard input and commits it. It has three parts, and an empty
line ends each: conditions; what to do if all of them hold; what to do if one does not.

A condition is one of create, mod, version, value and lease with a key, compared by one of
= != < > with a value. What to do is put, get or del, as on the command line.`,
		example: `  detcdctl txn <<'END'
  mod("greeting") > "0"

  put greeting "hello again"

  put greeting hello
  get --prefix jobs/

  END`,
		formats: asBoth, takes: exactly(0, "txn command does not accept argument"),
		flags: func(f *pflag.FlagSet) {
			f.BoolVarP(&interactive, "interactive", "i", false, "ask for each part")
		},
		run: func(s *session, _ []string) error {
			script := script{p, interactive}
			conditions, err := readPart(script, "compares:", parseCompare)
			if err != nil {
				return err
			}
			success, err := readPart(script, "success requests (get, put, del):", parseOperation)
			if err != nil {
				return err
			}
			failure, err := readPart(script, "failure requests (get, put, del):", parseOperation)
			if err != nil {
				return err
			}
			ctx, done := s.brief()
			defer done()
			r, err := s.client.Txn(ctx).If(conditions...).Then(success...).Else(failure...).Commit()
			if err != nil {
				return err
			}
			return p.show(decided((*pb.TxnResponse)(r)))
		},
	})
}

// A script is what a transaction is read from.
type script struct {
	*program
	interactive bool
}

// readPart reads lines up to an empty one. A person may type a line again that makes no sense.
func readPart[L clientv3.Cmp | clientv3.Op](
	s script, prompt string, parse func(string) (L, error),
) ([]L, error) {
	if s.interactive {
		if _, err := io.WriteString(s.out, prompt+"\n"); err != nil {
			return nil, err
		}
	}
	var part []L
	for {
		line, err := s.in.ReadString('\n')
		if err != nil {
			return nil, fail(exitInvalidInput, "%w (each of the three parts ends with an empty line)", err)
		}
		if line = strings.TrimSpace(line); line == "" {
			return part, nil
		}
		parsed, err := parse(line)
		var failed *failure
		switch {
		case err == nil:
			part = append(part, parsed)
		case s.interactive && s.typed:
			s.warn("%v; once more:", err)
		case errors.As(err, &failed):
			return nil, err
		default:
			return nil, &failure{exitInvalidInput, err}
		}
	}
}
