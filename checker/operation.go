package checker

import (
	"cmp"
	"errors"
	"fmt"
)

// An Operation is one call of one client, with requests of type Q and responses of type R. Times
// are in nanoseconds on one clock that never goes back; where it begins does not matter.
type Operation[Q, R any] struct {
	Client  int64 // one that waits for each answer before its next call, or not: it does not matter
	Call    int64
	Return  int64 // of no meaning when the outcome is unknown
	Request Q
	// Response is what came back. Of no meaning when there is an error or the outcome is unknown.
	Response R
	// Error is an answer that says that the operation failed and had no effect. Empty: no error.
	Error string
	// Unknown says that no answer came: it happened at some time after its call, or never.
	Unknown bool
}

// Succeeded tells whether there is a response.
func (o *Operation[Q, R]) Succeeded() bool { return !o.Unknown && o.Error == "" }

// Valid returns why an operation cannot be: it returned before its call, or failed with an unknown
// outcome.
func (o *Operation[Q, R]) Valid() error {
	switch {
	case o.Unknown && o.Error != "":
		return errors.New("an operation with an unknown outcome has no error")
	case !o.Unknown && o.Return < o.Call:
		return fmt.Errorf("the return at %d is before the call at %d", o.Return, o.Call)
	}
	return nil
}

// A Verdict is what was found out about a history. Its text is one word.
type Verdict int

// The verdicts.
const (
	Undecided Verdict = iota // neither could be shown
	Holds                    // there is an order of the operations that explains all answers
	Violated                 // there is none
)

// String returns the verdict in a word.
func (v Verdict) String() string {
	switch v {
	case Holds:
		return "holds"
	case Violated:
		return "violated"
	}
	return "undecided"
}

// byCall orders operations by call and then by return.
func byCall[Q, R any](a, b Operation[Q, R]) int {
	return cmp.Or(cmp.Compare(a.Call, b.Call), cmp.Compare(a.Return, b.Return))
}
