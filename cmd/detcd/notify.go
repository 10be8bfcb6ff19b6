package main

import (
	"log/slog"

	"github.com/coreos/go-systemd/v22/daemon"

	"detcd/kv/server"
)

// notify tells systemd, if it has started this process, when the member serves.
func notify(s *server.Server, log *slog.Logger) {
	select {
	case <-s.Ready():
		tell(log, daemon.SdNotifyReady)
	case <-s.Done():
	}
}

func tell(log *slog.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.Error("failed to notify systemd for readiness", slog.Any("error", err))
	}
}
