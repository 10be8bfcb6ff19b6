package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"go.etcd.io/etcd/client/pkg/v3/types"

	"detcd/kv/server"
)

const snapshotUsage = `Usage: detcd snapshot restore <file> [flags]
Makes the data directory of a member of a new cluster from a snapshot file, as etcdutl does. The
file is one of etcdctl snapshot save, from etcd or detcd. Do it once for each member, with the same
file.

Flags:
  --data-dir path                     (default <name>.etcd); must be empty or not there
  --wal-dir path                      a dedicated directory for the log
  --name name                         of this member (default default)
  --initial-cluster name=url,...      the members (default <name>=<the advertised URLs>)
  --initial-cluster-token token       (default etcd-cluster)
  --initial-advertise-peer-urls urls  where other members reach this one
  --skip-hash-check                   for a copy of a database, which has no checksum
  --bump-revision n                   raise the revision, so that clients never see it decrease
  --mark-compacted                    nothing but the present can be read; goes with --bump-revision
`

// snapshot makes a data directory from a snapshot file.
func snapshot(args []string, stdout, stderr io.Writer) int {
	config, options, file, err := parseRestore(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, snapshotUsage)
		return exitClean
	}
	if err == nil {
		config.Log, err = newLog(stderr, "info", "json")
	}
	if err == nil {
		err = server.Restore(config, file, options)
	}
	if err != nil {
		fmt.Fprintf(stderr, "detcd snapshot restore: %v\n", err)
		return exitError
	}
	return exitClean
}

// parseRestore reads the command line; flags may stand on both sides of the file.
func parseRestore(
	args []string,
) (config server.Config, options server.RestoreOptions, file string, err error) {
	config = server.Default()
	config.DataDir = ""
	var cluster string
	f := flag.NewFlagSet("snapshot", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&config.DataDir, "data-dir", "", "")
	f.StringVar(&config.WALDir, "wal-dir", "", "")
	f.StringVar(&config.Name, "name", config.Name, "")
	f.StringVar(&cluster, "initial-cluster", "", "")
	f.StringVar(&config.InitialClusterToken, "initial-cluster-token", config.InitialClusterToken, "")
	urls(f, &config.AdvertisePeerURLs, "initial-advertise-peer-urls", "")
	f.BoolVar(&options.SkipChecksum, "skip-hash-check", false, "")
	f.Uint64Var(&options.BumpRevision, "bump-revision", 0, "")
	f.BoolVar(&options.MarkCompacted, "mark-compacted", false, "")
	f.Uint64("initial-memory-map-size", 0, "") // of no use here
	if len(args) == 0 || args[0] != "restore" && !strings.HasPrefix(args[0], "-") {
		var word string
		if len(args) > 0 {
			word = args[0]
		}
		err := wordError{word, "%q is not it; the only command is: snapshot restore"}
		return config, options, "", hinted(err, nil, []string{"restore"})
	}
	var words []string
	for rest := args; len(rest) > 0 && err == nil; {
		if err = f.Parse(rest); err == nil {
			if rest = f.Args(); len(rest) > 0 {
				words, rest = append(words, rest[0]), rest[1:]
			}
		}
	}
	if err != nil {
		return config, options, "", hinted(err, f, nil)
	}
	if len(words) != 2 {
		return config, options, "", errors.New("it needs exactly one snapshot file")
	}
	if config.DataDir == "" {
		config.DataDir = config.Name + ".etcd"
	}
	config.InitialCluster = types.URLsMap{config.Name: config.AdvertisePeerURLs}
	if cluster != "" {
		config.InitialCluster, err = types.NewURLsMap(cluster)
	}
	return config, options, words[1], err
}
