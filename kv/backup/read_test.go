package backup

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"go.etcd.io/etcd/api/v3/authpb"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"detcd/kv"
	"detcd/kv/lease"
	"detcd/storage/vfs"
)

// sample is a snapshot as a client saves it, and what it is of.
func sample(t *testing.T) ([]byte, *kv.View) {
	t.Helper()
	requests := []proto.Message{&pb.LeaseGrantRequest{ID: 5, TTL: 60}}
	for i := range byte(50) {
		requests = append(requests, &pb.PutRequest{Key: []byte{'k', i % 7}, Value: []byte{i}, Lease: 5})
	}
	requests = append(requests, &pb.DeleteRangeRequest{Key: []byte("k"), RangeEnd: []byte{'k', 3}},
		&pb.CompactionRequest{Revision: 30},
		&pb.AlarmRequest{
			Action: pb.AlarmRequest_ACTIVATE, Alarm: pb.AlarmType_NOSPACE, MemberID: 1<<63 + 5,
		},
		&pb.AuthRoleAddRequest{Name: "r"}, &pb.AuthRoleGrantPermissionRequest{Name: "r",
			Perm: &authpb.Permission{PermType: authpb.Permission_READWRITE, Key: []byte("a"),
				RangeEnd: []byte{0}}},
		&pb.AuthUserAddRequest{Name: "root", Options: &authpb.UserAddOptions{NoPassword: true}},
		&pb.AuthUserChangePasswordRequest{Name: "root"},
		&pb.AuthUserGrantRoleRequest{User: "root", Role: "root"}, &pb.AuthEnableRequest{})
	view := newView(t, requests...)
	file, err := Write(t.TempDir(), view, Origin{Index: 7, Term: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var content bytes.Buffer
	if _, err := file.WriteTo(&content); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(content.Bytes())
	return append(content.Bytes(), sum[:]...), view
}

// read imports a file into a new store and returns its view.
func read(t *testing.T, content []byte, skip bool) (*kv.View, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "snapshot.db")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	contents, err := Open(path, skip)
	if err != nil {
		return nil, err
	}
	defer contents.Close()
	fs := vfs.NewMemory()
	if err := fs.MkdirAll("archive"); err != nil {
		t.Fatal(err)
	}
	importer, err := kv.NewImporter(fs, "archive", kv.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := contents.EachLease(importer.Grant); err != nil {
		return nil, err
	}
	if err := contents.EachAlarm(importer.Raise); err != nil {
		return nil, err
	}
	users, err := contents.Users()
	if err != nil {
		return nil, err
	}
	importer.Users(users)
	if err := contents.EachChange(importer.Add); err != nil {
		return nil, err
	}
	compacted, err := contents.Compacted()
	if err != nil {
		return nil, err
	}
	state, segments, err := importer.Finish(max(importer.Revision(), compacted), compacted)
	if err != nil {
		return nil, err
	}
	store := kv.New(kv.Options{})
	if err := store.Restore(fs, "archive", state, segments); err != nil {
		return nil, err
	}
	return store.View().(*kv.View), nil
}

// What was written is read as it was: revision, compaction, hashes, leases.
func TestWhatIsWrittenIsRead(t *testing.T) {
	content, want := sample(t)
	got, err := read(t, content, false)
	if err != nil {
		t.Fatal(err)
	}
	if got.Revision() != want.Revision() || got.Compacted() != 30 {
		t.Errorf("revision %d, compacted at %d", got.Revision(), got.Compacted())
	}
	for revision := int64(31); revision <= want.Revision(); revision++ {
		hash, compacted, _, err := got.Hash(revision)
		wanted, wantedCompacted, _, wantedErr := want.Hash(revision)
		if hash != wanted || compacted != wantedCompacted || err != nil || wantedErr != nil {
			t.Errorf("%d: %x at %d, want %x at %d", revision, hash, compacted, wanted, wantedCompacted)
		}
	}
	leases := 0
	got.EachLease(func(id lease.ID, ttl lease.Seconds) {
		if leases++; id != 5 || ttl != 60 {
			t.Errorf("lease %d of %d s", id, ttl)
		}
	})
	if leases != 1 {
		t.Errorf("%d leases", leases)
	}
	users, wanted := got.Auth(), want.Auth()
	if users.Revision() != wanted.Revision() || !users.Enabled() ||
		!reflect.DeepEqual(users.User("root"), wanted.User("root")) ||
		!reflect.DeepEqual(users.Role("r"), wanted.Role("r")) {
		t.Errorf("%v %v at %d", users.User("root"), users.Role("r"), users.Revision())
	}
	if raised := got.Alarms(); len(raised) != 1 || raised[0] != want.Alarms()[0] {
		t.Errorf("the alarms are %v", raised)
	}
}

// Every flipped bit and every missing end is found by the checksum.
func TestDamageIsFound(t *testing.T) {
	content, _ := sample(t)
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		bad := bytes.Clone(content)
		bad[random.IntN(len(bad))] ^= 1 << random.IntN(8)
		if _, err := read(t, bad, false); !errors.Is(err, ErrDamaged) {
			t.Errorf("a flipped bit: %v", err)
		}
	}
	for _, length := range []int{0, 1, 512, len(content) / 2, len(content) - sha256.Size} {
		if _, err := read(t, content[:length], false); !errors.Is(err, ErrUnsigned) {
			t.Errorf("%d bytes: %v", length, err)
		}
	}
}

// Without a checksum some damage cannot be known, but none ends the program.
func TestDamageWithoutAChecksumIsSurvived(t *testing.T) {
	content, _ := sample(t)
	random := rand.New(rand.NewPCG(1, 2))
	found := 0
	for range 200 {
		bad := bytes.Clone(content)
		bad[random.IntN(len(bad))] ^= 1 << random.IntN(8)
		if _, err := read(t, bad, true); err != nil {
			found++
		}
	}
	for _, length := range []int{0, 1, 512, 4096, 8192, len(content) / 2} {
		if _, err := read(t, content[:length], true); err == nil {
			t.Errorf("%d bytes were taken", length)
		}
	}
	t.Logf("%d of 200 flipped bits were found", found)
}
