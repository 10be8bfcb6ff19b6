package node

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"detcd/consensus/replica"
	"detcd/consensus/transport"
)

// chunksMax bounds the pieces of snapshots that wait to be read and sent; what exceeds it is
// dropped, and fetched again.
const chunksMax = 64

// randomBoot tells this run from every other one.
func randomBoot() uint64 { return rand.Uint64() }

// guarded turns a panic into an error: storage may assert, and that ends the member.
func guarded(do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return do()
}

// doWrites makes one batch of the log after the other durable.
func (n *Node) doWrites() {
	for w := range n.writes {
		begun := time.Now()
		n.counted.writing.Store(begun.UnixNano())
		err := guarded(func() error { return n.disk.Do(w) })
		n.counted.writing.Store(0)
		n.counted.wrote(w, begun)
		n.reportWrite(time.Since(begun))
		n.inbox.written(w, err)
	}
}

// doBackground does the background work of storage.
func (n *Node) doBackground() {
	for b := range n.background {
		begun := time.Now()
		err := guarded(func() error { return n.disk.DoBackground(b) })
		n.counted.background.add(time.Since(begun))
		if len(b.Checkpoint) > 0 && err == nil && !b.Full {
			n.counted.checkpoints.add(time.Since(begun))
		}
		n.inbox.backgroundDone(b, err)
	}
}

// sendChunks completes pieces of snapshots from their files and sends them.
func (n *Node) sendChunks() {
	var buffer []byte
	for m := range n.chunks {
		encoded, err := m.Encode(buffer[:0])
		if err == nil {
			encoded, err = n.disk.Read(m.Chunk, encoded)
		}
		if err != nil {
			n.options.Log.Error("cannot read a piece of a snapshot",
				slog.String("file", m.Chunk.Name), slog.Any("error", err))
			continue
		}
		n.transport.Send(uint64(m.To), transport.LaneBulk, encoded)
		buffer = encoded
	}
}

// deliver takes a message off the wire. It is decoded here, on the goroutine of its connection.
func (n *Node) deliver(from, incarnation uint64, payload []byte) {
	if len(payload) > 0 && replica.MessageKind(payload[0]) != replica.MessageRaft {
		payload = append([]byte(nil), payload...) // the message keeps parts of it
	}
	m, err := replica.DecodeMessage(payload)
	if err != nil {
		n.options.Log.Warn("cannot decode a message of a peer", slog.Any("error", err),
			slog.String("remote-peer-id", fmt.Sprintf("%x", from)))
		return
	}
	m.From, m.Incarnation = replica.MemberID(from), incarnation
	m.To = n.options.Replica.ID
	n.inbox.message(m, len(payload))
}
