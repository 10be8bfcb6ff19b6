package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"
)

// A stream is one call on a connection of its own, with requests and answers that go on and on. One
// goroutine at a time uses it.
type stream struct {
	w       *wire
	slot    *slot
	take    func(message []byte) error // gets each answer; the bytes are the stream's
	partial []byte                     // the beginning of a message whose end has not come
}

func dialStream(
	ctx context.Context, endpoint, method string, take func(message []byte) error,
) (*stream, error) {
	w, err := dialWire(ctx, endpoint, method)
	if err != nil {
		return nil, err
	}
	s := &stream{w: w, take: take, slot: &slot{open: true}}
	w.taker = s.piece
	s.slot.stream, s.slot.window = w.nextStream, w.streamWindow
	w.nextStream += 2
	w.slots[s.slot.stream] = s.slot
	w.writeHeaders(s.slot)
	return s, nil
}

func (s *stream) close() error { return s.w.close() }

// send queues a request; flush writes what is queued as far as the windows allow.
func (s *stream) send(message proto.Message) error {
	idle := len(s.slot.unsent) == 0
	if idle {
		s.slot.unsent = s.slot.request[:0]
	}
	var err error
	if s.slot.unsent, err = appendMessage(s.slot.unsent, message); err != nil {
		return err
	}
	s.slot.request = s.slot.unsent
	if idle {
		s.w.blocked = append(s.w.blocked, s.slot)
	}
	s.w.unblock()
	return nil
}

func (s *stream) flush() error { return s.w.flush() }

// receive reads one frame and then all that have come, and hands on the messages in them.
func (s *stream) receive() error {
	for first := true; first || s.w.in.Buffered() > 0; first = false {
		ended, err := s.w.readFrame()
		if err != nil {
			return err
		}
		if ended != nil {
			return fmt.Errorf("the server ended the stream: %s", ended.problem)
		}
	}
	return s.w.flush()
}

// piece takes the bytes of a frame, which may hold many messages and begin or end inside of one.
func (s *stream) piece(data []byte) error {
	if len(s.partial) > 0 {
		s.partial = append(s.partial, data...)
		data = s.partial
	}
	for len(data) >= 5 {
		size := int(binary.BigEndian.Uint32(data[1:5]))
		if data[0] != 0 {
			return errors.New("an answer is compressed")
		}
		if len(data) < 5+size {
			break
		}
		if err := s.take(data[5 : 5+size]); err != nil {
			return err
		}
		data = data[5+size:]
	}
	s.partial = append(s.partial[:0], data...)
	return nil
}
