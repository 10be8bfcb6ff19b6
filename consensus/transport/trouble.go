package transport

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// What is logged again of a peer that cannot be reached: another error, but not more often than
// troubleChangeMin, and the same error once in troubleRepeat.
const (
	troubleChangeMin = 5 * time.Second
	troubleRepeat    = time.Minute
)

// A trouble is what keeps a connection from being made, as far as the log was told.
type trouble struct {
	text   string    // of the last line; empty: there was none since a connection was made
	logged time.Time // when that was
	quiet  bool      // the log believes that there is a connection
}

// worthLogging says whether an error is to be logged now.
func (t *trouble) worthLogging(text string, now time.Time) bool {
	wait := troubleRepeat
	if text != t.text {
		wait = troubleChangeMin
	}
	if !t.logged.IsZero() && now.Sub(t.logged) < wait {
		return false
	}
	*t = trouble{text: text, logged: now}
	return true
}

// over says whether it is to be logged that there is a connection. One that breaks and is made
// again all the time has as many lines as its breaks.
func (t *trouble) over() bool {
	tell := !t.quiet
	t.text, t.quiet = "", true
	return tell
}

// explain is the text of an error that ended a connection. Two errors that mean the same have the
// same text: the port from which was dialled, another one each time, is left out.
func explain(err error) string {
	var operation *net.OpError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the other side closed the connection"
	case errors.As(err, &operation) && operation.Source != nil && operation.Addr != nil:
		return fmt.Sprintf("%s %s %s: %v",
			operation.Op, operation.Net, operation.Addr, operation.Err)
	}
	return err.Error()
}
