package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// A configuration file is a map from the names of flags to their values; some names are grouped.
// As in etcd, nothing else counts then: no other flag, and no variable. Durations are numbers of
// nanoseconds, and lists may be lists.

// fileSections are the groups: the flag of an entry is the prefix and its name.
func fileSections() map[string]string {
	return map[string]string{
		"client-transport-security": "", "peer-transport-security": "peer-",
		"socket-options": "socket-", "discovery-config": discoveryPrefix,
	}
}

const discoveryPrefix = "discovery-"

// onlyFlags are flags that are no entries of a file. etcd's own sample of a file has one of them,
// with a value that its flag refuses.
const onlyFlags = "config-file version discovery-fallback"

// fileFlags are entries whose flag has another name.
func fileFlags() map[string]string {
	return map[string]string{
		"allowed-hostname":      "client-cert-allowed-hostname",
		"peer-allowed-hostname": "peer-cert-allowed-hostname",
		"peer-allowed-cn":       "peer-cert-allowed-cn",
		"discovery-username":    "discovery-user",
	}
}

// readFile replaces all settings by those of a file.
func (s *settings) readFile(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	fresh := newSettings()
	if err := fresh.fill(text); err != nil {
		return fmt.Errorf("configuration file %s: %w", path, err)
	}
	*s = *fresh
	s.note(slog.LevelInfo, "loaded the server configuration from a file; flags and environment "+
		"variables are ignored", slog.String("path", path))
	return nil
}

// fill sets what a file says.
func (s *settings) fill(text []byte) error {
	encoded, err := yaml.YAMLToJSON(text)
	if err != nil {
		return err
	}
	entries := map[string]any{}
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.UseNumber() // a number of nanoseconds is not to lose any
	if err := decoder.Decode(&entries); err != nil {
		return fmt.Errorf("it is not a map of names to values: %w", err)
	}
	return s.set("", entries)
}

// set sets the entries of a section.
func (s *settings) set(prefix string, entries map[string]any) error {
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		value := entries[name]
		section, ok := value.(map[string]any)
		inner, known := fileSections()[name]
		switch {
		case value == nil: // a name alone is an empty value
		case ok && known && prefix == "", ok && prefix == discoveryPrefix:
			if prefix != "" {
				inner = prefix // its client, the client's security
			}
			if err := s.set(inner, section); err != nil {
				return err
			}
		default:
			if err := s.setOne(prefix+name, value); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *settings) setOne(name string, value any) error {
	if other, ok := fileFlags()[name]; ok {
		name = other
	}
	target := s.flags.Lookup(name)
	if target == nil || slices.Contains(strings.Fields(onlyFlags), name) {
		s.note(slog.LevelWarn, "unknown entry in the configuration file", slog.String("name", name))
		return nil
	}
	text, err := fileText(target, value)
	if err == nil {
		err = s.flags.Set(name, text)
	}
	if err != nil {
		return fmt.Errorf("%s: %v: %w", name, value, err)
	}
	return nil
}

// fileText is the value as it would be given on the command line.
func fileText(target *flag.Flag, value any) (string, error) {
	switch v := value.(type) {
	case string:
		return v, nil
	case bool:
		return fmt.Sprint(v), nil
	case json.Number:
		if isDuration(target) {
			return v.String() + "ns", nil
		}
		return v.String(), nil
	case []any:
		var words []string
		for _, word := range v {
			text, ok := word.(string)
			if !ok {
				return "", errParse
			}
			words = append(words, text)
		}
		return strings.Join(words, ","), nil
	}
	return "", errParse
}

func isDuration(target *flag.Flag) bool {
	if unused, ok := target.Value.(*idle); ok {
		return unused.kind == "duration"
	}
	getter, ok := target.Value.(flag.Getter)
	if !ok {
		return false
	}
	_, ok = getter.Get().(time.Duration)
	return ok
}
