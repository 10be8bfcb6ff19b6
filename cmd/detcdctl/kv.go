package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// putFlags are the flags of put, here and inside a transaction.
type putFlags struct {
	lease                            string
	prevKV, ignoreValue, ignoreLease bool
}

func (f *putFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.lease, "lease", "0", "lease to attach the key to, in hexadecimal")
	flags.BoolVar(&f.prevKV, "prev-kv", false, "print the key and value that were there before")
	flags.BoolVar(&f.ignoreValue, "ignore-value", false, "keep the value and change the lease only")
	flags.BoolVar(&f.ignoreLease, "ignore-lease", false, "keep the lease and change the value only")
}

// operation makes the request. The value is read from in if it is not among the words; in a
// transaction, which is itself what is read, there is no such input.
func (f *putFlags) operation(args []string, in io.Reader) (clientv3.Op, error) {
	const usage = "put command needs 1 argument and input from stdin or 2 arguments"
	switch {
	case len(args) == 0:
		return clientv3.Op{}, bad(usage)
	case f.ignoreValue && len(args) > 1:
		return clientv3.Op{}, bad("put command needs only 1 argument when 'ignore-value' is set")
	case len(args) > 2:
		return clientv3.Op{}, bad("put command takes one key and one value; quote a value with spaces")
	}
	lease, err := strconv.ParseInt(f.lease, 16, 64)
	if err != nil {
		return clientv3.Op{}, bad("bad lease ID (%w), expecting ID in Hex", err)
	}
	var value string
	switch {
	case len(args) > 1:
		value = args[1]
	case f.ignoreValue:
	case in == nil:
		return clientv3.Op{}, bad(usage)
	default:
		read, err := io.ReadAll(in)
		if err != nil || len(read) == 0 {
			return clientv3.Op{}, bad(usage)
		}
		value = string(read)
	}
	options := []clientv3.OpOption{clientv3.WithLease(clientv3.LeaseID(lease))}
	if f.prevKV {
		options = append(options, clientv3.WithPrevKV())
	}
	if f.ignoreValue {
		options = append(options, clientv3.WithIgnoreValue())
	}
	if f.ignoreLease {
		options = append(options, clientv3.WithIgnoreLease())
	}
	return clientv3.OpPut(args[0], value, options...), nil
}

func (p *program) putCommand() *cobra.Command {
	var flags putFlags
	return p.command(verb{
		use: "put [options] <key> [value]", short: "Store a value under a key",
		long: `Stores a value under a key. Without a value it is read from standard input, to its end.
Behind "--" nothing is a flag, so a key or a value may begin with a dash.`,
		example: `  detcdctl put greeting hello
  detcdctl put config < config.yaml
  detcdctl put --lease 694d71ddacfda227 session here
  detcdctl put -- -key -value`,
		formats: asBoth, flags: flags.register,
		run: func(s *session, args []string) error {
			operation, err := flags.operation(args, p.in)
			if err != nil {
				return err
			}
			ctx, done := s.brief()
			defer done()
			r, err := s.client.Do(ctx, operation)
			if err != nil {
				return err
			}
			return p.show(put((*pb.PutResponse)(r.Put())))
		},
	})
}

// delFlags are the flags of del, here and inside a transaction.
type delFlags struct {
	prefix, fromKey, prevKV, sure bool
}

func (f *delFlags) register(flags *pflag.FlagSet) {
	flags.BoolVar(&f.prefix, "prefix", false, "delete all keys that begin with the key")
	flags.BoolVar(&f.fromKey, "from-key", false, "delete the key and all behind it, byte by byte")
	flags.BoolVar(&f.prevKV, "prev-kv", false, "print the keys and values that were deleted")
	flags.BoolVar(&f.sure, "range", false, "delete from a key to another at once, without a warning")
}

// operation makes the request.
func (f *delFlags) operation(args []string) (clientv3.Op, error) {
	if len(args) == 0 || len(args) > 2 {
		return clientv3.Op{}, bad(
			"del command needs one argument as key and an optional argument as range_end")
	}
	key, options, err := span(args, f.prefix, f.fromKey)
	if err != nil {
		return clientv3.Op{}, err
	}
	if f.prevKV {
		options = append(options, clientv3.WithPrevKV())
	}
	return clientv3.OpDelete(key, options...), nil
}

// span says which keys are meant.
func span(
	args []string, prefix, fromKey bool,
) (key string, options []clientv3.OpOption, err error) {
	switch key = args[0]; {
	case prefix && fromKey:
		return "", nil, bad(
			"`--prefix` and `--from-key` cannot be set at the same time, choose one")
	case len(args) > 1 && (prefix || fromKey):
		return "", nil, bad("too many arguments, only accept one argument when " +
			"`--prefix` or `--from-key` is set")
	case len(args) > 1:
		options = append(options, clientv3.WithRange(args[1]))
	case key == "" && (prefix || fromKey): // all keys
		return "\x00", append(options, clientv3.WithFromKey()), nil
	case prefix:
		options = append(options, clientv3.WithPrefix())
	case fromKey:
		options = append(options, clientv3.WithFromKey())
	}
	return key, options, nil
}

func (p *program) delCommand() *cobra.Command {
	var flags delFlags
	return p.command(verb{
		use: "del [options] <key> [range_end]", short: "Delete a key, or a range of keys",
		long: `Deletes a key, or the keys from it to another one (which stays), and prints how many there
were. For a range it waits two seconds in which Ctrl-C helps, unless --range is given.`,
		example: `  detcdctl del greeting
  detcdctl del --prefix jobs/
  detcdctl del --range a c`,
		formats: asBoth, flags: flags.register,
		run: func(s *session, args []string) error {
			operation, err := flags.operation(args)
			if err != nil {
				return err
			}
			if len(args) > 1 && !flags.sure {
				p.warn("Warning: all keys from %q to before %q are deleted in 2 seconds; "+
					"Ctrl-C stops it. With --range nothing is asked.", args[0], args[1])
				time.Sleep(2 * time.Second)
			}
			ctx, done := s.brief()
			defer done()
			r, err := s.client.Do(ctx, operation)
			if err != nil {
				return err
			}
			return p.show(deleted((*pb.DeleteRangeResponse)(r.Del())))
		},
	})
}

func (p *program) compactionCommand() *cobra.Command {
	var physical bool
	return p.command(verb{
		use: "compaction [options] <revision>", short: "Forget what was before a revision",
		formats: asAny, takes: exactly(1, "compaction command needs 1 argument"),
		flags: func(f *pflag.FlagSet) {
			f.BoolVar(&physical, "physical", false, "wait until the space is free")
		},
		run: func(s *session, args []string) error {
			revision, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil {
				return err
			}
			var options []clientv3.CompactOption
			if physical {
				options = append(options, clientv3.WithCompactPhysical())
			}
			ctx, done := s.brief()
			defer done()
			if _, err := s.client.Compact(ctx, revision, options...); err != nil {
				return err
			}
			_, err = fmt.Fprintln(p.out, "compacted revision", revision)
			return err
		},
	})
}

// serializable reads --consistency.
func serializable(consistency string) (bool, error) {
	if consistency != "l" && consistency != "s" {
		return false, fail(exitBadFeature, "unknown consistency flag %q", consistency)
	}
	return consistency == "s", nil
}

// oneOf finds a word, in any case, in a table.
func oneOf[V any](what, word string, table map[string]V) (V, error) {
	value, ok := table[strings.ToUpper(word)]
	if !ok {
		return value, fail(exitBadFeature, "bad %s %v", what, word)
	}
	return value, nil
}
