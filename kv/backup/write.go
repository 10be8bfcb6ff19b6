package backup

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	bolt "go.etcd.io/bbolt"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"detcd/kv"
	"detcd/kv/lease"
)

// Origin is where a snapshot comes from.
type Origin struct {
	Index   uint64 // of the log, which is in the view at least
	Term    uint64
	Members []*pb.Member
	Removed []uint64
}

// File is a snapshot that was written. It must be closed, and is gone then.
type File struct {
	db      *bolt.DB
	tx      *bolt.Tx
	version string
}

// Write writes a snapshot of the view into a temporary file in dir. It needs about as much room
// there as the history takes.
func Write(dir string, view *kv.View, origin Origin) (*File, error) {
	f, err := write(dir, view, origin)
	if err != nil {
		return nil, fmt.Errorf("backup: write a snapshot in %s: %w", dir, err)
	}
	return f, nil
}

func write(dir string, view *kv.View, origin Origin) (*File, error) {
	db, err := openTemporary(dir)
	if err != nil {
		return nil, err
	}
	w := &writer{db: db}
	err = w.begin()
	if err == nil {
		err = w.fill(view, origin)
	}
	if err == nil {
		err = w.tx.Commit()
	} else if w.tx != nil {
		err = errors.Join(err, w.tx.Rollback())
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	tx, err := db.Begin(false)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &File{db, tx, view.Downgrade().ClusterVersion()}, nil
}

// openTemporary makes an empty database that does not outlive a crash.
func openTemporary(dir string) (*bolt.DB, error) {
	file, err := os.CreateTemp(dir, "snapshot-*.tmp")
	if err != nil {
		return nil, err
	}
	name := file.Name()
	db, err := bolt.Open(name, 0o600, &bolt.Options{
		NoGrowSync: true, PageSize: pageSize, FreelistType: bolt.FreelistMapType,
		OpenFile: func(string, int, os.FileMode) (*os.File, error) { return file, nil },
	})
	if err != nil {
		return nil, errors.Join(err, file.Close(), os.Remove(name))
	}
	if err := os.Remove(name); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// pageSize is the same on every machine, so that the same view gives the same bytes.
const pageSize = 4096

// Version is that of the format, and of the cluster: etcd of this minor version, and of the one
// before it, read it.
func (f *File) Version() string { return f.version }

// Size is the length of the file.
func (f *File) Size() int64 { return f.tx.Size() }

// WriteTo copies the file.
func (f *File) WriteTo(w io.Writer) (int64, error) { return f.tx.WriteTo(w) }

// Close removes the file.
func (f *File) Close() error { return errors.Join(f.tx.Rollback(), f.db.Close()) }

// transactionBytes is how many bytes of rows are written in one transaction, and synced. Nobody
// needs them to be durable; but what lies unwritten in the system's memory is written when the log
// next syncs, and puts wait for that (decision 1004).
const transactionBytes = 1 << 20

// A writer fills a database in ascending order, bucket by bucket.
type writer struct {
	db      *bolt.DB
	tx      *bolt.Tx
	name    string
	bucket  *bolt.Bucket
	pending int // bytes
}

func (w *writer) begin() (err error) {
	w.pending = 0
	w.tx, err = w.db.Begin(true)
	return err
}

// enter makes a bucket; put then fills it.
func (w *writer) enter(name string) (err error) {
	w.name = name
	w.bucket, err = w.tx.CreateBucketIfNotExists([]byte(name))
	if err == nil {
		w.bucket.FillPercent = 1 // pages are never added to again, but the last
	}
	return err
}

func (w *writer) put(key, value []byte) error {
	if w.pending += len(key) + len(value); w.pending > transactionBytes {
		if err := w.tx.Commit(); err != nil {
			w.tx = nil
			return err
		}
		if err := errors.Join(w.begin(), w.enter(w.name)); err != nil {
			return err
		}
	}
	return w.bucket.Put(key, append([]byte{}, value...))
}

// A row is what a small bucket consists of.
type row struct {
	key   string
	value []byte
}

func (w *writer) fill(view *kv.View, origin Origin) error {
	if err := w.enter("key"); err != nil {
		return err
	}
	err := view.Stored(func(revision, change []byte) error {
		return w.put(append([]byte{}, revision...), change)
	})
	if err != nil {
		return err
	}
	members, err := memberRows(origin.Members)
	if err != nil {
		return err
	}
	alarms, err := alarmRows(view.Alarms())
	if err != nil {
		return err
	}
	users, roles, err := authRows(view.Auth())
	if err != nil {
		return err
	}
	var removed []row
	for _, id := range origin.Removed {
		removed = append(removed, row{strconv.FormatUint(id, 16), []byte("removed")})
	}
	for _, bucket := range []struct {
		name string
		rows []row
	}{
		{"lease", leaseRows(view)}, {"meta", metaRows(view, origin)},
		{"cluster", []row{{"clusterVersion", []byte(view.Downgrade().ClusterVersion())}}},
		{"members", members}, {"members_removed", removed},
		{"alarm", alarms}, {"auth", stateRows(view.Auth())},
		{"authUsers", users}, {"authRoles", roles},
	} {
		if err := w.enter(bucket.name); err != nil {
			return err
		}
		for _, row := range bucket.rows {
			if err := w.put([]byte(row.key), row.value); err != nil {
				return err
			}
		}
	}
	return nil
}

func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func leaseRows(view *kv.View) (rows []row) {
	view.EachLease(func(id lease.ID, ttl lease.Seconds) {
		value := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), uint64(id))
		value = protowire.AppendTag(value, 2, protowire.VarintType)
		value = protowire.AppendVarint(value, uint64(ttl))
		rows = append(rows, row{string(number(uint64(id))), value})
	})
	return rows
}

// alarmRows are the alarms, each a key in protobuf without a value.
func alarmRows(alarms []kv.Alarm) (rows []row, err error) {
	for _, alarm := range alarms {
		key, err := proto.Marshal(&pb.AlarmMember{MemberID: alarm.Member, Alarm: alarm.Kind})
		if err != nil {
			return nil, err
		}
		rows = append(rows, row{string(key), nil})
	}
	slices.SortFunc(rows, func(a, b row) int { return strings.Compare(a.key, b.key) })
	return rows, nil
}

func metaRows(view *kv.View, origin Origin) []row {
	rows := []row{
		{"consistent_index", number(origin.Index)},
		{"term", number(origin.Term)},
		{"storageVersion", []byte(view.Downgrade().ClusterVersion())},
	}
	if compacted := view.Compacted(); compacted >= 0 {
		revision := append(append(number(uint64(compacted)), '_'), number(0)...)
		rows = append(rows, row{"scheduledCompactRev", revision}, row{"finishedCompactRev", revision})
	}
	return rows
}

// A member is one as etcd stores it.
type member struct {
	ID         uint64   `json:"id"`
	PeerURLs   []string `json:"peerURLs"`
	IsLearner  bool     `json:"isLearner,omitempty"`
	Name       string   `json:"name,omitempty"`
	ClientURLs []string `json:"clientURLs,omitempty"`
}

func memberRows(members []*pb.Member) (rows []row, err error) {
	for _, m := range members {
		value, err := json.Marshal(member{m.ID, m.PeerURLs, m.IsLearner, m.Name, m.ClientURLs})
		if err != nil {
			return nil, err
		}
		rows = append(rows, row{strconv.FormatUint(m.ID, 16), value})
	}
	return rows, nil
}
