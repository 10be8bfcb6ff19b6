package backup

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// summarize writes a file, opens it and sums it up.
func summarize(t *testing.T, content []byte, skip bool) (Summary, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "snapshot.db")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	contents, err := Open(path, skip)
	if err != nil {
		return Summary{}, err
	}
	defer contents.Close()
	return contents.Summary()
}

// That the hash is etcdutl's is tested where etcdutl is (cmd/detcdctl).
func TestASummaryCountsTheKeysThatAreThere(t *testing.T) {
	content, view := sample(t)
	got, err := summarize(t, content, false)
	if err != nil {
		t.Fatal(err)
	}
	// Seven keys were written, three of them deleted.
	if got.Keys != 4 || got.Revision != int64(view.Revision()) || got.Version != "3.7.0" ||
		got.Size+32 != int64(len(content)) || got.Hash == 0 {
		t.Errorf("%+v at revision %v of %d bytes", got, view.Revision(), len(content))
	}
}

func TestASummaryOfADamagedFileIsAnErrorOrWrongButNoEnd(t *testing.T) {
	content, _ := sample(t)
	random := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		bad := bytes.Clone(content)
		bad[random.IntN(len(bad))] ^= 1 << random.IntN(8)
		_, _ = summarize(t, bad, true)
	}
}
