package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

const (
	questionSizeMax = 64 << 10
	answerSizeMax   = 4 << 20
)

// Ask connects to a member that listens at an address ("host:port" or a URL), puts one question to
// whatever its Options.Answer is, and returns the answer. It needs neither a Transport nor to be
// a member: a new member learns with it whom to join. The answer comes from whoever listens there;
// only TLS says who that is.
func Ask(ctx context.Context, at string, config *tls.Config, question []byte) ([]byte, error) {
	return ask(ctx, at, config, question, time.Time{})
}

// AskPatiently is Ask for questions that take long to answer: only the context, which must have a
// deadline, bounds the wait.
func AskPatiently(
	ctx context.Context, at string, config *tls.Config, question []byte,
) ([]byte, error) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return nil, errors.New("transport: ask without a deadline")
	}
	return ask(ctx, at, config, question, deadline)
}

func ask(
	ctx context.Context, at string, config *tls.Config, question []byte, deadline time.Time,
) ([]byte, error) {
	answer, err := putQuestion(ctx, at, config, question, deadline)
	if err != nil {
		return nil, fmt.Errorf("transport: ask %s: %w", at, err)
	}
	return answer, nil
}

func putQuestion(
	ctx context.Context, at string, config *tls.Config, question []byte, deadline time.Time,
) ([]byte, error) {
	if len(question) > questionSizeMax {
		return nil, errors.New("the question is too long")
	}
	to, err := parseAddress(at)
	if err != nil {
		return nil, err
	}
	limit := new(Bounds)
	limit.setDefaults()
	conn, err := to.dial(ctx, config, limit.Timeout)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := watch(ctx, conn)
	defer stop()
	h := hello{version: Version, purpose: purposeQuestion}
	if _, err := shake(conn, h, limit.Timeout); err != nil {
		return nil, err
	}
	if deadline.IsZero() {
		deadline = time.Now().Add(limit.Timeout)
	}
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	if _, err := conn.Write(appendFrame(nil, frameMessage, question)); err != nil {
		return nil, err
	}
	frames := frameReader{stream: conn, sizeMax: answerSizeMax}
	_, answer, err := frames.next()
	return answer, noEOF(err)
}

// answer serves one question.
func (t *Transport) answer(conn net.Conn, stream io.Reader) {
	frames := frameReader{stream: stream, sizeMax: questionSizeMax}
	kind, question, err := frames.next()
	if err != nil || kind != frameMessage || t.options.Answer == nil {
		return
	}
	answer := t.options.Answer(question)
	if answer == nil || len(answer) > answerSizeMax {
		return
	}
	limit := t.options.Bounds.Timeout + transferTime(len(answer))
	if conn.SetWriteDeadline(time.Now().Add(limit)) == nil {
		conn.Write(appendFrame(nil, frameMessage, answer))
	}
}
