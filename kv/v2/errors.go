package v2

import (
	"errors"
	"fmt"
)

// A Code is etcd's number of what went wrong.
type Code int

// The codes that are given. Those that a tree gives are from 100 to 108, 300 and 401.
const (
	KeyNotFound       Code = 100
	CompareFailed     Code = 101
	NotFile           Code = 102
	NotDirectory      Code = 104
	KeyExists         Code = 105
	RootReadOnly      Code = 107
	DirectoryNotEmpty Code = 108
	Unauthorized      Code = 110
	PrevValueRequired Code = 201
	TTLNotNumber      Code = 202
	IndexNotNumber    Code = 203
	InvalidField      Code = 209
	InvalidForm       Code = 210
	RefreshWithValue  Code = 211
	RefreshWithoutTTL Code = 212
	RaftInternal      Code = 300
	EventCleared      Code = 401
)

// Message is etcd's text for a code; "" if it is none of the above.
func (c Code) Message() string {
	switch c {
	case KeyNotFound:
		return "Key not found"
	case CompareFailed:
		return "Compare failed"
	case NotFile:
		return "Not a file"
	case NotDirectory:
		return "Not a directory"
	case KeyExists:
		return "Key already exists"
	case RootReadOnly:
		return "Root is read only"
	case DirectoryNotEmpty:
		return "Directory not empty"
	case Unauthorized:
		return "The request requires user authentication"
	case PrevValueRequired:
		return "PrevValue is Required in POST form"
	case TTLNotNumber:
		return "The given TTL in POST form is not a number"
	case IndexNotNumber:
		return "The given index in POST form is not a number"
	case InvalidField:
		return "Invalid field"
	case InvalidForm:
		return "Invalid POST form"
	case RefreshWithValue:
		return "Value provided on refresh"
	case RefreshWithoutTTL:
		return "A TTL must be provided on refresh"
	case RaftInternal:
		return "Raft Internal Error"
	case EventCleared:
		return "The event in requested index is outdated and cleared"
	}
	return ""
}

// Error is an answer to a client: why something was not done. It is no failure of the member.
type Error struct {
	Code  Code
	Cause string
	Index Index // of the tree at that time; 0: the tree was not asked
}

// Error makes it an error: message and cause, as etcd logs it.
func (e *Error) Error() string { return e.Code.Message() + " (" + e.Cause + ")" }

var (
	// ErrCommand says that bytes are not a command.
	ErrCommand = errors.New("v2: not a command")
	// ErrDamaged says that bytes are not a checkpoint of a tree.
	ErrDamaged = errors.New("v2: not a checkpoint")
)

func damaged(format string, details ...any) error {
	return fmt.Errorf("%w: %s", ErrDamaged, fmt.Sprintf(format, details...))
}
