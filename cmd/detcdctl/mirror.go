package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/mirror"
)

// mirroring is what make-mirror is told.
type mirroring struct {
	prefix, to string
	toRoot     bool
	rev        int64
	opsMax     uint
	secure     clientv3.SecureConfig
	auth       clientv3.AuthConfig
}

func (m *mirroring) register(f *pflag.FlagSet) {
	f.StringVar(&m.prefix, "prefix", "", "only keys that begin with it")
	f.StringVar(&m.to, "dest-prefix", "", "what takes the place of that prefix (default: itself)")
	f.BoolVar(&m.toRoot, "no-dest-prefix", false, "nothing takes the place of that prefix")
	f.Int64Var(&m.rev, "rev", 0, "only changes of this revision and later (0: all keys first)")
	f.UintVar(&m.opsMax, "max-txn-ops", 128, "at most so many changes at once")
	f.StringVar(&m.secure.Cert, "dest-cert", "", "file with the certificate to show there")
	f.StringVar(&m.secure.Key, "dest-key", "", "file with the key of that certificate")
	f.StringVar(&m.secure.Cacert, "dest-cacert", "", "file with the authorities to trust there")
	f.BoolVar(&m.secure.InsecureTransport, "dest-insecure-transport", true,
		"plain text where no certificate is given")
	f.StringVar(&m.auth.Username, "dest-user", "", "name[:password] there")
	f.StringVar(&m.auth.Password, "dest-password", "", "password of --dest-user, which then has none")
}

func (p *program) mirrorCommand() *cobra.Command {
	var flags mirroring
	return p.command(verb{
		use: "make-mirror [options] <destination>", short: "Copy keys to another cluster, and go on",
		long: `Copies all keys to another cluster, and from then on every change, until Ctrl-C. Every 30
seconds it prints how many keys it has written. What else is in the other cluster stays there.
Leases and revisions are not copied.`,
		example: `  detcdctl make-mirror --prefix jobs/ --dest-prefix copy/jobs/ 10.1.0.1:2379`,
		formats: asAny, flags: flags.register,
		takes: exactly(1, "make-mirror takes one destination argument"),
		run: func(s *session, args []string) error {
			switch {
			case flags.toRoot && flags.to != "":
				return bad("`--dest-prefix` and `--no-dest-prefix` cannot be set at the same time, " +
					"choose one")
			case !flags.toRoot && flags.to == "":
				flags.to = flags.prefix
			}
			spec := s.settings.client
			spec.Endpoints, spec.Secure = []string{args[0]}, &flags.secure
			var err error
			if spec.Auth, err = p.credentials(flags.auth, "Destination Password: "); err != nil {
				return err
			}
			destination, err := s.dial(&spec)
			if err != nil {
				return err
			}
			defer destination.Close()
			m := mirrorer{
				session: s, flags: flags, destination: destination, progress: meter{program: p},
			}
			defer m.report()()
			return m.run(s.context)
		},
	})
}

// A mirrorer copies changes.
type mirrorer struct {
	*session
	flags       mirroring
	destination *clientv3.Client
	total       atomic.Int64 // keys that were written
	progress    meter
}

// reportInterval is how often the total is printed.
const reportInterval = 30 * time.Second

// report prints the total again and again until what it returns is called.
func (m *mirrorer) report() (stop func()) {
	ended := make(chan struct{})
	go func() {
		ticker := time.NewTicker(reportInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				fmt.Fprintln(m.out, m.total.Load())
			case <-ended:
				return
			}
		}
	}()
	return func() {
		close(ended)
		m.progress.clear()
	}
}

// run copies until an error.
func (m *mirrorer) run(ctx context.Context) error {
	source := mirror.NewSyncer(m.client, m.flags.prefix, max(0, m.flags.rev-1))
	if m.flags.rev <= 1 {
		if err := m.copyAll(ctx, source); err != nil {
			return err
		}
	}
	for r := range source.SyncUpdates(ctx) {
		if r.CompactRevision != 0 {
			return rpctypes.ErrCompacted
		}
		if err := r.Err(); err != nil {
			return err
		}
		if err := m.copyEvents(ctx, r.Events); err != nil {
			return err
		}
	}
	return errors.New("the source ended the watch")
}

// batchBytes is the size from which a batch is sent. A request may be larger by one value.
const batchBytes = 256 << 10

// copyAll copies what is there, many keys at once.
func (m *mirrorer) copyAll(ctx context.Context, source mirror.Syncer) error {
	responses, failed := source.SyncBase(ctx)
	for r := range responses {
		var batch []clientv3.Op
		bytes := 0
		for _, kv := range r.Kvs {
			key := m.rename(kv.GetKey())
			if len(batch) > 0 && bytes+len(kv.GetValue()) > batchBytes {
				if err := m.send(ctx, batch); err != nil {
					return err
				}
				batch, bytes = nil, 0
			}
			batch = append(batch, clientv3.OpPut(key, string(kv.GetValue())))
			bytes += len(key) + len(kv.GetValue())
			if len(batch) == int(max(1, m.flags.opsMax)) {
				if err := m.send(ctx, batch); err != nil {
					return err
				}
				batch, bytes = nil, 0
			}
		}
		if err := m.send(ctx, batch); err != nil {
			return err
		}
	}
	return <-failed
}

// copyEvents copies changes; those of one revision stay together as far as --max-txn-ops allows.
func (m *mirrorer) copyEvents(ctx context.Context, events []*mvccpb.Event) error {
	var batch []clientv3.Op
	last := int64(0)
	for _, event := range events {
		revision := event.GetKv().GetModRevision()
		if revision != last || len(batch) == int(max(1, m.flags.opsMax)) {
			if err := m.send(ctx, batch); err != nil {
				return err
			}
			batch = nil
		}
		last = revision
		key := m.rename(event.GetKv().GetKey())
		if event.GetType() == mvccpb.Event_DELETE {
			batch = append(batch, clientv3.OpDelete(key))
		} else {
			batch = append(batch, clientv3.OpPut(key, string(event.GetKv().GetValue())))
		}
	}
	return m.send(ctx, batch)
}

// send writes a batch to the other cluster.
func (m *mirrorer) send(ctx context.Context, batch []clientv3.Op) error {
	if len(batch) == 0 {
		return nil
	}
	if _, err := m.destination.Txn(ctx).Then(batch...).Commit(); err != nil {
		return err
	}
	m.progress.draw(0, 0, fmt.Sprintf("%d keys written", m.total.Add(int64(len(batch)))))
	return nil
}

// rename gives a key its name in the other cluster.
func (m *mirrorer) rename(key []byte) string {
	return m.flags.to + strings.TrimPrefix(string(key), m.flags.prefix)
}
