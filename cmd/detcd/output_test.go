package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheLogGoesWhereItIsToldTo(t *testing.T) {
	file := filepath.Join(t.TempDir(), "log")
	for _, c := range []struct {
		outputs, rotation      string
		stdout, stderr, inFile bool
		want                   string
	}{
		{outputs: "default", stderr: true},
		{outputs: "stderr", stderr: true},
		{outputs: "stdout," + file, stdout: true, inFile: true},
		{outputs: file, inFile: true},
		{outputs: file, rotation: `{"maxsize": 1}`, inFile: true},
		{outputs: "stderr," + file, rotation: "{}", stderr: true, inFile: true},
		{outputs: "default," + file, want: "multi logoutput for"},
		{outputs: "stderr", rotation: "{}", want: "requires a single file path"},
		{outputs: file + "," + file + "2", rotation: "{}", want: "requires a single file path"},
		{outputs: file, rotation: "{", want: "invalid log rotation config"},
		{outputs: "/nowhere/log", want: "no such file"},
		{outputs: ",", want: "empty name"},
	} {
		os.Remove(file)
		args := []string{"--log-outputs=" + c.outputs}
		if c.rotation != "" {
			args = append(args, "--enable-log-rotation", "--log-rotation-config-json="+c.rotation)
		}
		s, err := parse(t, nil, args...)
		if err != nil {
			t.Fatal(err)
		}
		var stdout, stderr bytes.Buffer
		out, err := s.openOutput(&stdout, &stderr)
		if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c, err)
		}
		if err != nil {
			continue
		}
		if _, err := out.Write([]byte("line\n")); err != nil {
			t.Fatal(err)
		}
		written, _ := os.ReadFile(file)
		if stdout.Len() > 0 != c.stdout || stderr.Len() > 0 != c.stderr ||
			string(written) == "line\n" != c.inFile {
			t.Errorf("%+v: %q %q %q", c, &stdout, &stderr, written)
		}
	}
}
