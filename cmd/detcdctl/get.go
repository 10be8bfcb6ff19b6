package main

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// getFlags are the flags of get, here and inside a transaction.
type getFlags struct {
	consistency, order, sortBy           string
	limit, rev                           int64
	prefix, fromKey                      bool
	keysOnly, countOnly, values          bool
	stream                               bool
	minCreate, maxCreate, minMod, maxMod int64
}

func (f *getFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.consistency, "consistency", "l",
		"l: linearizable, sees all that was done before; s: serializable, what this member has")
	flags.StringVar(&f.order, "order", "", "ASCEND or DESCEND")
	flags.StringVar(&f.sortBy, "sort-by", "", "CREATE, KEY, MODIFY, VALUE or VERSION")
	flags.Int64Var(&f.limit, "limit", 0, "at most so many keys (0: all)")
	flags.Int64Var(&f.rev, "rev", 0, "read the store as it was at this revision (0: as it is)")
	flags.BoolVar(&f.prefix, "prefix", false, "all keys that begin with the key")
	flags.BoolVar(&f.fromKey, "from-key", false, "the key and all behind it, byte by byte")
	flags.BoolVar(&f.keysOnly, "keys-only", false, "no values")
	flags.BoolVar(&f.countOnly, "count-only", false, "only how many there are; with -w fields")
	flags.BoolVar(&f.values, "print-value-only", false, "no keys; with -w simple")
	flags.BoolVar(&f.stream, "stream", false, "fetch in pieces, for very large ranges")
	flags.Int64Var(&f.minCreate, "min-create-rev", 0, "only keys created at this revision or later")
	flags.Int64Var(&f.maxCreate, "max-create-rev", 0, "only keys created at this revision or before")
	flags.Int64Var(&f.minMod, "min-mod-rev", 0, "only keys changed at this revision or later")
	flags.Int64Var(&f.maxMod, "max-mod-rev", 0, "only keys changed at this revision or before")
}

// request makes the key and the options of the request.
func (f *getFlags) request(args []string) (string, []clientv3.OpOption, error) {
	if len(args) == 0 || len(args) > 2 {
		return "", nil, bad(
			"get command needs one argument as key and an optional argument as range_end")
	}
	if f.keysOnly && f.countOnly {
		return "", nil, bad("`--keys-only` and `--count-only` cannot be set at the same time, choose one")
	}
	local, err := serializable(f.consistency)
	if err != nil {
		return "", nil, err
	}
	key, options, err := span(args, f.prefix, f.fromKey)
	if err != nil {
		return "", nil, err
	}
	sorting, err := f.sorting()
	if err != nil {
		return "", nil, err
	}
	bounds, err := f.bounds()
	if err != nil {
		return "", nil, err
	}
	options = append(options, clientv3.WithLimit(f.limit), sorting)
	options = append(options, bounds...)
	if local {
		options = append(options, clientv3.WithSerializable())
	}
	if f.keysOnly {
		options = append(options, clientv3.WithKeysOnly())
	}
	if f.countOnly {
		options = append(options, clientv3.WithCountOnly())
	}
	return key, options, nil
}

// sorting reads --order and --sort-by.
func (f *getFlags) sorting() (clientv3.OpOption, error) {
	order, err := oneOf("sort order", f.order, map[string]clientv3.SortOrder{
		"": clientv3.SortNone, "ASCEND": clientv3.SortAscend, "DESCEND": clientv3.SortDescend,
	})
	if err != nil {
		return nil, err
	}
	target, err := oneOf("sort target", f.sortBy, map[string]clientv3.SortTarget{
		"": clientv3.SortByKey, "KEY": clientv3.SortByKey, "VALUE": clientv3.SortByValue,
		"CREATE": clientv3.SortByCreateRevision, "MODIFY": clientv3.SortByModRevision,
		"VERSION": clientv3.SortByVersion,
	})
	return clientv3.WithSort(target, order), err
}

// bounds reads the flags about revisions. One that is not above 0 bounds nothing.
func (f *getFlags) bounds() ([]clientv3.OpOption, error) {
	switch {
	case f.maxCreate > 0 && f.minCreate > f.maxCreate:
		return nil, fail(exitBadFeature, "getMinCreateRev(=%v) > getMaxCreateRev(=%v)",
			f.minCreate, f.maxCreate)
	case f.maxMod > 0 && f.minMod > f.maxMod:
		return nil, fail(exitBadFeature, "getMinModRev(=%v) > getMaxModRev(=%v)", f.minMod, f.maxMod)
	}
	return []clientv3.OpOption{
		clientv3.WithRev(max(0, f.rev)),
		clientv3.WithMinCreateRev(max(0, f.minCreate)), clientv3.WithMaxCreateRev(max(0, f.maxCreate)),
		clientv3.WithMinModRev(max(0, f.minMod)), clientv3.WithMaxModRev(max(0, f.maxMod)),
	}, nil
}

// fetch reads a range, in one piece or in many.
func (f *getFlags) fetch(ctx context.Context, client *clientv3.Client,
	key string, options []clientv3.OpOption) (*clientv3.GetResponse, error) {
	if !f.stream {
		return client.Get(ctx, key, options...)
	}
	pieces, err := client.GetStream(ctx, key, options...)
	if err != nil {
		return nil, err
	}
	return clientv3.GetStreamToGetResponse(pieces)
}

func (p *program) getCommand() *cobra.Command {
	var flags getFlags
	command := p.command(verb{
		use: "get [options] <key> [range_end]", short: "Read a key, or a range of keys",
		long: `Prints keys and their values, each on a line. With two keys it reads from the first to
before the second.`,
		example: `  detcdctl get greeting
  detcdctl get --prefix jobs/ --keys-only
  detcdctl get greeting --rev 7 -w json`,
		formats: asBoth, flags: flags.register,
		run: func(s *session, args []string) error {
			key, options, err := flags.request(args)
			if err != nil {
				return err
			}
			switch {
			case flags.countOnly && p.settings.format != "fields":
				return bad("--count-only is only for `--write-out=fields`")
			case flags.values && p.settings.format != "simple":
				return bad("print-value-only is only for `--write-out=simple`")
			}
			ctx, done := s.brief()
			defer done()
			r, err := flags.fetch(ctx, s.client, key, options)
			if err != nil {
				return err
			}
			shown := found((*pb.RangeResponse)(r))
			if flags.values {
				shown.simple = func(p *page) {
					for _, kv := range r.Kvs {
						p.line(p.text(kv.GetValue()))
					}
				}
			}
			return p.show(shown)
		},
	})
	complete(command, "consistency", "l", "s")
	complete(command, "order", "ASCEND", "DESCEND")
	complete(command, "sort-by", "CREATE", "KEY", "MODIFY", "VALUE", "VERSION")
	return command
}
