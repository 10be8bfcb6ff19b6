package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
)

// newLog makes a log that reads as etcd's does: JSON that begins with level, ts, caller and msg, or
// lines for people.
func newLog(out io.Writer, level, format string) (*slog.Logger, error) {
	levels := map[string]slog.Level{
		"debug": slog.LevelDebug, "info": slog.LevelInfo, "": slog.LevelInfo,
		"warn": slog.LevelWarn, "error": slog.LevelError, "dpanic": slog.LevelError + 2,
		"panic": slog.LevelError + 4, "fatal": slog.LevelError + 8,
	}
	least, ok := levels[strings.ToLower(level)]
	if !ok {
		return nil, fmt.Errorf("--log-level: unrecognized level: %q", level)
	}
	line, ok := map[string]lineFormat{"json": jsonLine, "": jsonLine, "console": consoleLine}[format]
	if !ok {
		return nil, fmt.Errorf("--log-format: unknown log format: %q", format)
	}
	return slog.New(newLogHandler(out, least, line)), nil
}

// A lineFormat makes a line of what every line has and the rest, a JSON object.
type lineFormat func(level, when, caller, text string, rest []byte) []byte

func jsonLine(level, when, caller, text string, rest []byte) []byte {
	quoted, err := json.Marshal(text)
	if err != nil {
		quoted = []byte(`""`)
	}
	line := fmt.Appendf(nil, `{"level":%q,"ts":%q,"caller":%q,"msg":%s`, level, when, caller, quoted)
	if len(rest) > len("{}") {
		line = append(line, ',')
	}
	return append(line, rest[1:]...)
}

func consoleLine(level, when, caller, text string, rest []byte) []byte {
	line := fmt.Appendf(nil, "%s\t%s\t%s\t%s", when, level, caller, text)
	if len(rest) > len("{}") {
		line = append(append(line, '\t'), rest...)
	}
	return line
}

const timeLayout = "2006-01-02T15:04:05.000000Z0700"

// caller is a place in the source, with the last directory of its path.
func caller(pc uintptr) string {
	frame, _ := runtime.CallersFrames([]uintptr{pc}).Next()
	dir, name := filepath.Split(filepath.ToSlash(frame.File))
	return filepath.Base(dir) + "/" + name + ":" + strconv.Itoa(frame.Line)
}

// A logHandler writes lines of a format. The attributes are left to slog's own JSON.
type logHandler struct {
	out   io.Writer
	least slog.Level
	line  lineFormat
	mu    *sync.Mutex
	rest  slog.Handler // writes attributes to buffer
	inner *bytes.Buffer
}

func newLogHandler(out io.Writer, least slog.Level, line lineFormat) *logHandler {
	drop := func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.LevelKey || a.Key == slog.MessageKey) {
			return slog.Attr{}
		}
		if a.Value.Kind() == slog.KindDuration {
			return slog.String(a.Key, a.Value.Duration().String())
		}
		if err, ok := a.Value.Any().(error); ok {
			return slog.String(a.Key, err.Error())
		}
		return a
	}
	inner := new(bytes.Buffer)
	return &logHandler{
		out: out, least: least, line: line, mu: new(sync.Mutex), inner: inner,
		rest: slog.NewJSONHandler(inner, &slog.HandlerOptions{Level: least, ReplaceAttr: drop}),
	}
}

// Enabled says whether lines of this level are written.
func (h *logHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.least }

// Handle writes one line.
func (h *logHandler) Handle(ctx context.Context, r slog.Record) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.inner.Reset()
	rest := slog.Record{Level: r.Level}
	r.Attrs(func(a slog.Attr) bool {
		rest.AddAttrs(a)
		return true
	})
	if err := h.rest.Handle(ctx, rest); err != nil {
		return err
	}
	line := h.line(strings.ToLower(r.Level.String()), r.Time.UTC().Format(timeLayout), caller(r.PC),
		r.Message, bytes.TrimSpace(h.inner.Bytes()))
	_, err := h.out.Write(append(line, '\n'))
	return err
}

// WithAttrs returns a handler that adds attributes to every line.
func (h *logHandler) WithAttrs(attributes []slog.Attr) slog.Handler {
	with := *h
	with.rest = h.rest.WithAttrs(attributes)
	return &with
}

// WithGroup returns a handler that puts the attributes that follow into a group.
func (h *logHandler) WithGroup(name string) slog.Handler {
	with := *h
	with.rest = h.rest.WithGroup(name)
	return &with
}
