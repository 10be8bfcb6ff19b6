package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.etcd.io/etcd/client/pkg/v3/types"

	"detcd/kv/backup"
	"detcd/kv/server"
)

func (p *program) snapshotStatusCommand() *cobra.Command {
	return &cobra.Command{
		Use: "status <file>", Short: "Print what a file of snapshot save holds",
		Long: `Prints of a snapshot file, of etcd or detcd: hash, revision, keys, size and version. The
file is compared with its checksum, and not changed.`,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return bad("snapshot status requires exactly one argument")
			}
			if err := p.checkFormat(asFields | asTable); err != nil {
				return err
			}
			contents, err := backup.Open(args[0], false)
			if errors.Is(err, backup.ErrUnsigned) { // a copy of a database
				contents, err = backup.Open(args[0], true)
			}
			if err != nil {
				return err
			}
			defer contents.Close()
			summary, err := contents.Summary()
			if err != nil {
				return err
			}
			return p.show(summarized(summary))
		},
	}
}

// summarized is how the summary of a snapshot looks.
func summarized(s backup.Summary) answer {
	return answer{
		json: s,
		fields: func(p *page) {
			p.line(`"Hash" :`, s.Hash)
			p.line(`"Revision" :`, s.Revision)
			p.line(`"Keys" :`, s.Keys)
			p.line(`"Size" :`, s.Size)
			p.line(`"Version" :`, s.Version)
		},
		rows: func() ([]string, [][]string) {
			return []string{"hash", "revision", "total keys", "total size", "version"}, [][]string{{
				fmt.Sprintf("%x", s.Hash), fmt.Sprint(s.Revision), fmt.Sprint(s.Keys), size(s.Size),
				s.Version,
			}}
		},
	}
}

// restoring is what snapshot restore is told.
type restoring struct {
	config        server.Config
	options       server.RestoreOptions
	cluster, urls string
	memoryMap     uint64
}

func (r *restoring) register(f *pflag.FlagSet) {
	r.config = server.Default()
	f.StringVar(&r.config.DataDir, "data-dir", "", "what to make (default <name>.etcd)")
	f.StringVar(&r.config.WALDir, "wal-dir", "", "a dedicated directory for the log")
	f.StringVar(&r.config.Name, "name", r.config.Name, "of this member")
	f.StringVar(&r.cluster, "initial-cluster", "", "all members, as name=url,...")
	f.StringVar(&r.config.InitialClusterToken, "initial-cluster-token",
		r.config.InitialClusterToken, "tells clusters apart that have the same addresses")
	f.StringVar(&r.urls, "initial-advertise-peer-urls", r.config.AdvertisePeerURLs.String(),
		"where the others reach this member")
	f.BoolVar(&r.options.SkipChecksum, "skip-hash-check", false,
		"for a copy of a database, which has no checksum")
	f.Uint64Var(&r.options.BumpRevision, "bump-revision", 0,
		"raise the revision, so that clients never see it decrease")
	f.BoolVar(&r.options.MarkCompacted, "mark-compacted", false,
		"nothing but the present can be read; goes with --bump-revision")
	f.Uint64Var(&r.memoryMap, "initial-memory-map-size", 0, "of no use here")
}

// complete fills what follows from the rest.
func (r *restoring) complete() error {
	urls, err := types.NewURLs(strings.Split(r.urls, ","))
	if err != nil {
		return bad("--initial-advertise-peer-urls: %w", err)
	}
	r.config.AdvertisePeerURLs = urls
	if r.config.DataDir == "" {
		r.config.DataDir = r.config.Name + ".etcd"
	}
	r.config.InitialCluster = types.URLsMap{r.config.Name: urls}
	if r.cluster != "" {
		if r.config.InitialCluster, err = types.NewURLsMap(r.cluster); err != nil {
			return bad("--initial-cluster: %w", err)
		}
	}
	return nil
}

func (p *program) snapshotRestoreCommand() *cobra.Command {
	var flags restoring
	command := &cobra.Command{
		Use: "restore <file> [options]", Short: "Make the data directory of a new cluster's member",
		Long: `Makes the data directory of a member of a new cluster from a snapshot file, of etcd or
detcd. Do it once for each member, with the same file. The directory is one of detcd.`,
		Example: `  detcdctl snapshot restore backup.db --data-dir /var/lib/m1`,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return bad("snapshot restore requires exactly one argument")
			}
			if err := flags.complete(); err != nil {
				return err
			}
			return p.restore(args[0], flags)
		},
	}
	flags.register(command.Flags())
	return command
}

// restore restores, and shows how far it is.
func (p *program) restore(file string, flags restoring) error {
	progress := meter{program: p}
	defer progress.clear()
	var whole int64
	if info, err := os.Stat(file); err == nil {
		whole = info.Size()
	}
	flags.options.Progress = func(taken int64) { progress.draw(taken, whole, size(taken)) }
	return server.Restore(flags.config, file, flags.options)
}
