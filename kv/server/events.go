package server

import (
	"log/slog"
	"time"

	"detcd/consensus/replica"
)

// happened turns what happened inside the member into log lines. Where etcd has a line for the same
// thing, the text is etcd's.
func (s *Server) happened(e replica.Event) {
	log := s.config.Log
	index := slog.Uint64("index", uint64(e.Index))
	term := slog.Uint64("term", uint64(e.Term))
	peer := slog.String("remote-peer-id", hex(uint64(e.Member)))
	text := slog.String("error", e.Text)
	switch e.Kind {
	case replica.EventRole:
		log.Info("raft: became "+e.Text, term)
	case replica.EventLeader:
		if e.Member == 0 {
			log.Warn("raft: lost the leader", term)
			return
		}
		log.Info("raft: elected leader", slog.String("leader", hex(uint64(e.Member))), term)
	case replica.EventCheckpoint:
		log.Debug("saved a checkpoint", index)
	case replica.EventTorn:
		log.Warn("cut a torn write off the end of the log", slog.String("where", e.Text))
	case replica.EventRecovered:
		log.Info("recovered from the data directory", index, term)
	case replica.EventSnapshotSend:
		log.Info("sending a snapshot", peer, index)
	case replica.EventSnapshotRecv:
		s.measures.receive()
		log.Info("receiving a snapshot", peer, index, slog.String("missing", e.Text))
	case replica.EventInstalled:
		s.measures.receivedAll(true)
		log.Info("installed a snapshot", index)
	case replica.EventSnapshotFailed:
		s.measures.receivedAll(false)
		log.Warn("gave up a snapshot", peer, text)
	case replica.EventWrongIncarnation:
		log.Warn("dropped a message of a member with another data directory", peer)
	case replica.EventSpace:
		s.space(e)
	case replica.EventRefused:
		log.Error("the cluster refuses this member", peer, text)
	case replica.EventRemoved:
		log.Warn("applied the removal of this member", index)
	case replica.EventFailed:
		log.Error("the member cannot go on", text)
	}
}

// A flank is when the log was told that the device has become full. Only one goroutine uses it.
type flank struct {
	told  time.Time
	quiet bool // the last time it was not told: the time before was too near
}

// space notes that there is no room on the device, or for one more open file, or that there is
// again.
func (s *Server) space(e replica.Event) {
	log, dir := s.config.Log, slog.String("data-dir", s.config.DataDir)
	if e.Index == 0 {
		s.device.full.Store(nil)
		if !s.flank.quiet {
			log.Info("there is room for the log again; writes are taken", dir)
		}
		return
	}
	at := time.Now()
	now, recent := &shortage{since: at, files: e.Index == 2}, at.Sub(s.flank.told) < flankMin
	if before := s.device.full.Load(); before != nil { // of the other kind
		now.since = before.since
	} else {
		s.flank.quiet = recent
	}
	s.device.full.Store(now)
	if recent {
		return
	}
	s.flank.told = at
	log.Error(now.what()+": no room for the log; writes are refused until there is", dir)
}
