package server

import (
	"log/slog"

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
	case replica.EventMembers:
		log.Info("the membership changed", index)
	case replica.EventCheckpoint:
		log.Debug("saved a checkpoint", index)
	case replica.EventTorn:
		log.Warn("cut a torn write off the end of the log", slog.String("where", e.Text))
	case replica.EventRecovered:
		log.Info("recovered from the data directory", index, term)
	case replica.EventSnapshotSend:
		log.Info("sending a snapshot", peer, index)
	case replica.EventSnapshotRecv:
		log.Info("receiving a snapshot", peer, index)
	case replica.EventInstalled:
		log.Info("installed a snapshot", index)
	case replica.EventSnapshotFailed:
		log.Warn("gave up a snapshot", peer, text)
	case replica.EventStranger:
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

func (s *Server) space(e replica.Event) {
	if e.Index == 0 {
		s.config.Log.Info("there is room for the log again; writes are taken")
		return
	}
	s.config.Log.Error("no room for the log; writes are refused until there is",
		slog.String("data-dir", s.config.DataDir))
}
