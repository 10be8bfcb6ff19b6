package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"detcd/cmd/detcd/testbed"
)

// A history that explains itself is refused if a backup of the store says otherwise.
func TestABackupIsASecondWitness(t *testing.T) {
	cluster := testbed.Launch(t, testbed.Options{Binary: testbed.Detcd(t)})
	client := testbed.Client(t, cluster.Endpoints()...)
	for _, kv := range [][2]string{{"a", "1"}, {"a", "2"}, {"b", "3"}} {
		if _, err := client.Put(t.Context(), kv[0], kv[1]); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := client.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	store := filepath.Join(t.TempDir(), "store.db")
	snapshot, err := client.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(snapshot)
	if err == nil {
		err = os.WriteFile(store, content, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	const (
		lost = `{"client":1,"call":1,"request":{"put":{"key":"a","value":"1"}},"unknown":true}` + "\n"
		a    = `{"client":2,"call":1,"return":9,"request":{"put":{"key":"a","value":"2"}},` +
			`"response":{"revision":A}}` + "\n"
		b = `{"client":3,"call":1,"return":9,"request":{"put":{"key":"b","value":"3"}},` +
			`"response":{"revision":B}}` + "\n"
		gone = `{"client":4,"call":10,"return":11,"request":{"delete":{"key":"a"}},` +
			`"response":{"revision":5,"count":1}}` + "\n"
	)
	history := checkHeading + lost + a + b + gone
	told := strings.NewReplacer("A", "3", "B", "4").Replace(history)
	wrong := strings.NewReplacer("A", "4", "B", "3").Replace(history)
	for _, c := range []struct {
		text   string
		args   []string
		status int
	}{
		{told, nil, 0},
		{told, []string{"--backup", store}, 0},
		{wrong, nil, 0},
		{wrong, []string{"--backup", store}, exitViolated},
		{told, []string{"--backup", os.Args[0]}, exitUsage},
	} {
		cmd, out := checkCommand(), &bytes.Buffer{}
		cmd.SetOut(out)
		cmd.SetIn(strings.NewReader(c.text))
		cmd.SilenceUsage, cmd.SilenceErrors = true, true
		cmd.SetArgs(append(c.args, "-"))
		err := cmd.Execute()
		var status exitError
		errors.As(err, &status)
		if status.status != c.status {
			t.Errorf("%v: status %d, not %d: %v\n%s", c.args, status.status, c.status, err, out)
		}
	}
}
