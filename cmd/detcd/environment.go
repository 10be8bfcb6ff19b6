package main

import (
	"flag"
	"fmt"
	"log/slog"
	"slices"
	"strings"
)

const environmentPrefix = "ETCD_"

// parseEnvironment takes from the environment what no flag has set.
func (s *settings) parseEnvironment(environ []string) error {
	names := make(map[string]string) // of flags, by variable
	s.flags.VisitAll(func(f *flag.Flag) { names[variable(f.Name)] = f.Name })
	for _, entry := range slices.Sorted(slices.Values(environ)) {
		key, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(key, environmentPrefix) || value == "" {
			continue
		}
		name, known := names[key]
		switch {
		case !known:
			s.note(slog.LevelWarn, "unrecognized environment variable",
				slog.String("environment-variable", entry))
		case s.isSet(name):
			s.note(slog.LevelWarn, "environment variable is shadowed by its command-line flag",
				slog.String("environment-variable", key))
		default:
			if err := s.flags.Set(name, value); err != nil {
				return fmt.Errorf("invalid value %q for %s: %w", value, key, err)
			}
			s.note(slog.LevelInfo, "recognized and used environment variable",
				slog.String("variable-name", key), slog.String("variable-value", value))
		}
	}
	return nil
}

// fileOf is the configuration file that the environment names.
func fileOf(environ []string) (path string) {
	for _, entry := range environ {
		if value, ok := strings.CutPrefix(entry, variable("config-file")+"="); ok {
			path = value
		}
	}
	return path
}

// variable is the environment variable of a flag.
func variable(name string) string {
	return environmentPrefix + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// note keeps a line for the log.
func (s *settings) note(level slog.Level, text string, attributes ...slog.Attr) {
	s.notes = append(s.notes, func(log *slog.Logger) {
		log.LogAttrs(nil, level, text, attributes...)
	})
}
