package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"gopkg.in/natefinch/lumberjack.v2"
)

// errRotation is etcd's error for a rotation of something that is not one file.
var errRotation = errors.New(
	"--log-outputs requires a single file path when --log-rotate-config-json is defined")

// An output is where the log goes.
type output struct {
	names    string // --log-outputs
	rotation string // --log-rotation-config-json
	rotates  bool   // --enable-log-rotation
}

// defaultRotation is etcd's.
const defaultRotation = `{"maxsize": 100, "maxage": 0, "maxbackups": 0, "localtime": false, ` +
	`"compress": false}`

func (s *settings) registerOutput() {
	f := s.flags
	f.StringVar(&s.out.names, "log-outputs", "default",
		"`where`,... the log goes: stderr, stdout, or files; default is stderr")
	f.BoolVar(&s.out.rotates, "enable-log-rotation", false, "begin a new file when one is full")
	f.StringVar(&s.out.rotation, "log-rotation-config-json", defaultRotation,
		"`json` that says when a file is full, in MiB, and how many are kept, and how long, in days")
}

// openOutput opens what the log is written to. Files are appended to.
func (s *settings) openOutput(stdout, stderr io.Writer) (io.Writer, error) {
	var all []io.Writer
	files := 0
	names := strings.Split(s.out.names, ",")
	for _, name := range names {
		switch name {
		case "default", "systemd/journal":
			if len(names) > 1 {
				return nil, fmt.Errorf("multi logoutput for %q is not supported yet", name)
			}
			all = append(all, stderr)
		case "stderr":
			all = append(all, stderr)
		case "stdout":
			all = append(all, stdout)
		case "":
			return nil, errors.New("--log-outputs has an empty name")
		default:
			files++
			writer, err := s.openFile(name)
			if err != nil {
				return nil, err
			}
			all = append(all, writer)
		}
	}
	if s.out.rotates && files != 1 {
		return nil, errRotation
	}
	return io.MultiWriter(all...), nil
}

func (s *settings) openFile(name string) (io.Writer, error) {
	if !s.out.rotates {
		return os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	}
	rotated := &lumberjack.Logger{}
	if err := json.Unmarshal([]byte(s.out.rotation), rotated); err != nil {
		return nil, fmt.Errorf("invalid log rotation config: %w", err)
	}
	rotated.Filename = name
	return rotated, nil
}
