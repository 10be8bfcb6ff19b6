package replica

import (
	"errors"
	"fmt"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"
)

// MessageKind tells what a message between two members carries.
type MessageKind uint8

// The kinds of message. Their numbers are on the wire and never change.
const (
	MessageRaft    MessageKind = 1 // Raft: one message of the raft library
	MessageQuery   MessageKind = 2 // ID, Data: a question for the leader's machine
	MessageReply   MessageKind = 3 // ID, Data: its answer
	MessageOffer   MessageKind = 4 // ID, Data: a snapshot is ready to be fetched
	MessageFetch   MessageKind = 5 // ID, Data: one chunk of it is wanted
	MessageChunk   MessageKind = 6 // ID, Data, or Chunk on the sender's side
	MessageRefused MessageKind = 7 // Data: the receiver may not take part, and why
)

// Message is one message between two members.
type Message struct {
	Kind        MessageKind
	From, To    MemberID
	Incarnation uint64 // of the sender's data directory
	Expected    uint64 // incarnation of the receiver, as far as the sender knows; 0: it does not
	Raft        *raftpb.Message
	ID          uint64
	Data        []byte
	Chunk       *Chunk // MessageChunk: Data is to be completed from a file by Disk.Read
}

// Chunk is a piece of a file of this member that is to be sent. The piece is not changed and the
// file not removed while a snapshot that needs it is under way.
type Chunk struct {
	Name   string // of a segment of the archive
	Offset int64
	Length int
}

// Heartbeat says that this is what a leader sends with every tick.
func (m *Message) Heartbeat() bool { return m.Raft.GetType() == raftpb.MsgHeartbeat }

// Bulky says that the message belongs on the lane of snapshots, where it delays no heartbeat.
func (m *Message) Bulky() bool { return m.Kind == MessageChunk }

var errMessage = errors.New("replica: malformed message")

// Encode appends the message as it goes over the wire. From, To and Incarnation are not in it: the
// transport knows them.
func (m *Message) Encode(buffer []byte) ([]byte, error) {
	w := writer{append(buffer, byte(m.Kind))}
	w.fixed(m.Expected)
	if m.Kind == MessageRaft {
		return proto.MarshalOptions{}.MarshalAppend(w.bytes, m.Raft)
	}
	w.uvarint(m.ID)
	return append(w.bytes, m.Data...), nil
}

// DecodeMessage reads what Encode wrote. The message keeps parts of the buffer.
func DecodeMessage(buffer []byte) (Message, error) {
	r := reader{bytes: buffer}
	m := Message{Kind: MessageKind(r.byte()), Expected: r.fixed()}
	if r.bad {
		return Message{}, errMessage
	}
	switch {
	case m.Kind == MessageRaft:
		m.Raft = new(raftpb.Message)
		if err := proto.Unmarshal(r.bytes, m.Raft); err != nil {
			return Message{}, fmt.Errorf("%w: %w", errMessage, err)
		}
	case m.Kind <= MessageRefused && m.Kind != 0:
		m.ID = r.uvarint()
		if r.bad {
			return Message{}, errMessage
		}
		m.Data = r.bytes
	default:
		return Message{}, fmt.Errorf("%w: kind %d", errMessage, m.Kind)
	}
	return m, nil
}
