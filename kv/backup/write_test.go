package backup

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"
	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"

	"detcd/kv"
	"detcd/storage/vfs"
)

// newView makes a view of a store that has carried out requests.
func newView(t *testing.T, requests ...proto.Message) *kv.View {
	t.Helper()
	store := kv.New(kv.Options{})
	if err := store.Restore(vfs.NewMemory(), "archive", nil, nil); err != nil {
		t.Fatal(err)
	}
	limits := kv.Limits{RequestBytesMax: 2 << 20, TxnOpsMax: 128, LeaseTTLMin: 1}
	for i, request := range requests {
		call := kv.NewCall(request, limits, func() uint64 { return 1 }, nil)
		if call.Next() != kv.NeedCommand {
			t.Fatalf("%v needs %v", request, call.Next())
		}
		if err, failed := store.Apply(uint64(i+1), call.Command(), true).(error); failed {
			t.Fatal(err)
		}
	}
	return store.View().(*kv.View)
}

// written writes a snapshot, saves it as a client does and opens it as a database.
func written(t *testing.T, view *kv.View, origin Origin) *bolt.DB {
	t.Helper()
	dir := t.TempDir()
	file, err := Write(dir, view, origin)
	if err != nil {
		t.Fatal(err)
	}
	var content bytes.Buffer
	if n, err := file.WriteTo(&content); err != nil || n != file.Size() || n%512 != 0 {
		t.Fatalf("%d of %d bytes: %v", n, file.Size(), err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v, %v are in the directory", left, err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "snapshot.db")
	if err := os.WriteFile(path, content.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// The history is larger than one transaction, and comes whole and in order.
func TestALongHistory(t *testing.T) {
	var puts []proto.Message
	const count = 40
	for i := range count {
		value := bytes.Repeat([]byte{byte(i)}, 1<<20)
		puts = append(puts, &pb.PutRequest{Key: fmt.Appendf(nil, "k%d", i%3), Value: value})
	}
	db := written(t, newView(t, puts...), Origin{Index: 1, Term: 1})
	err := db.View(func(tx *bolt.Tx) error {
		for err := range tx.Check() {
			t.Error(err)
		}
		i := 0
		return tx.Bucket([]byte("key")).ForEach(func(key, value []byte) error {
			revision := binary.BigEndian.Uint64(key)
			var kv mvccpb.KeyValue
			if err := proto.Unmarshal(value, &kv); err != nil {
				return err
			}
			if revision != uint64(i+2) || len(key) != 17 || kv.ModRevision != int64(i+2) ||
				string(kv.Key) != fmt.Sprintf("k%d", i%3) || kv.Value[0] != byte(i) {
				t.Errorf("change %d: %x is %s at %d", i, key, kv.Key, kv.ModRevision)
			}
			i++
			return nil
		})
	})
	if err != nil {
		t.Error(err)
	}
}

// The bytes of the small buckets are those of etcd.
func TestWhatIsNotHistory(t *testing.T) {
	view := newView(t,
		&pb.LeaseGrantRequest{ID: 0x123, TTL: 60},
		&pb.PutRequest{Key: []byte("a"), Lease: 0x123},
		&pb.DeleteRangeRequest{Key: []byte("a")},
		&pb.PutRequest{Key: []byte("b")},
		&pb.CompactionRequest{Revision: 3},
		&pb.AlarmRequest{
			Action: pb.AlarmRequest_ACTIVATE, Alarm: pb.AlarmType_CORRUPT, MemberID: 0x123,
		},
		&pb.AuthRoleAddRequest{Name: "r"}, &pb.AuthRoleGrantPermissionRequest{Name: "r",
			Perm: &authpb.Permission{PermType: authpb.Permission_WRITE, Key: []byte("a")}},
		&pb.AuthUserAddRequest{Name: "u", Options: &authpb.UserAddOptions{NoPassword: true}},
		&pb.AuthUserGrantRoleRequest{User: "u", Role: "r"})
	db := written(t, view, Origin{
		Index: 7, Term: 2, Removed: []uint64{0xabc},
		Members: []*pb.Member{{ID: 0xdef, Name: "m", PeerURLs: []string{"http://p"},
			ClientURLs: []string{"http://c"}}, {ID: 1, PeerURLs: []string{"http://l"}, IsLearner: true}},
	})
	rest := strings.Repeat("\x00", 7)
	first := "_\x00" + rest
	want := map[string]string{
		"key/" + rest + "\x03" + first + "t": "\n\x01a",
		"key/" + rest + "\x04" + first:       "\n\x01b\x10\x04\x18\x04 \x01",
		"lease/" + rest[1:] + "\x01\x23":     "\x08\xa3\x02\x10\x3c",
		"meta/consistent_index":              rest + "\x07",
		"meta/term":                          rest + "\x02",
		"meta/storageVersion":                "3.7.0",
		"meta/scheduledCompactRev":           rest + "\x03" + first,
		"meta/finishedCompactRev":            rest + "\x03" + first,
		"cluster/clusterVersion":             "3.7.0",
		"alarm/\x08\xa3\x02\x10\x02":         "",
		"auth/authEnabled":                   "\x00",
		"auth/authRevision":                  rest + "\x05",
		"authUsers/u":                        "\n\x01u\x1a\x01r\"\x02\x08\x01",
		"authRoles/r":                        "\n\x01r\x12\x05\x08\x01\x12\x01a",
		"members_removed/abc":                "removed",
		"members/1":                          `{"id":1,"peerURLs":["http://l"],"isLearner":true}`,
		"members/def": `{"id":3567,"peerURLs":["http://p"],"name":"m",` +
			`"clientURLs":["http://c"]}`,
	}
	buckets := 0
	err := db.View(func(tx *bolt.Tx) error {
		return tx.ForEach(func(name []byte, bucket *bolt.Bucket) error {
			buckets++
			return bucket.ForEach(func(key, value []byte) error {
				place := string(name) + "/" + string(key)
				if got, ok := want[place]; !ok || got != string(value) {
					t.Errorf("%q: %q, want %q", place, value, got)
				}
				delete(want, place)
				return nil
			})
		})
	})
	if err != nil || len(want) > 0 || buckets != 10 {
		t.Errorf("%v: of %d buckets there is no %q", err, buckets, want)
	}
}
