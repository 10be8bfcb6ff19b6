package kv

import (
	"encoding/binary"

	"detcd/kv/auth"
)

// Credentials answer a Call's questions about who makes its request, and do what takes time or
// randomness: neither may happen where requests are executed. A driver makes them for each request.
// A method that cannot answer returns an error for the client: a gRPC status.
type Credentials interface {
	// Caller is who makes the request, found out as of now; the zero Caller when he did not say, and
	// while authentication is off.
	Caller() (auth.Caller, error)
	// Hash makes a salted hash of a password.
	Hash(password string) ([]byte, error)
	// Matches tells whether a hash is of a password.
	Matches(hash []byte, password string) (bool, error)
	// Prefix begins a token that no other token begins with, and that nobody can guess; empty: tokens
	// are signed.
	Prefix() (string, error)
	// Sign makes a token that says for itself who somebody is.
	Sign(caller auth.Caller) (token string, err error)
}

// nobody are the credentials of a Call without any.
type nobody struct{}

func (nobody) Caller() (auth.Caller, error)         { return auth.Caller{}, nil }
func (nobody) Hash(string) ([]byte, error)          { return nil, auth.ErrManagement }
func (nobody) Matches([]byte, string) (bool, error) { return false, auth.ErrFailed }
func (nobody) Prefix() (string, error)              { return "", auth.ErrFailed }
func (nobody) Sign(auth.Caller) (string, error)     { return "", auth.ErrFailed }

// Itself are the credentials of a member, for what it does of its own accord.
type Itself struct{ nobody }

// Caller is the member.
func (Itself) Caller() (auth.Caller, error) { return auth.Itself(), nil }

// Tokens are the tokens by which a member knows users. They are no part of the replicated state:
// each member forgets them in its own time. A Store tells what it applies, from its goroutine.
type Tokens interface {
	// Assign says that a token, given out by the entry with this index, is of a user.
	Assign(index uint64, token, user string)
	// Revoke makes all tokens of a user worthless.
	Revoke(user string)
	// Clear makes all tokens worthless.
	Clear()
}

// appendCaller begins a command, or a question, that is made by somebody:
//
//	┌────────┬──────────────────┬──────────┬─────────────────────────┐
//	│ kindAs │ user             │ revision │ command or question     │
//	│ 1 byte │ uvarint n, bytes │ uvarint  │                         │
//	└────────┴──────────────────┴──────────┴─────────────────────────┘
//
// One that is made by nobody begins with itself.
func appendCaller(out []byte, c auth.Caller) []byte {
	if !c.Known() {
		return out
	}
	out = binary.AppendUvarint(append(out, byte(kindAs)), uint64(len(c.User)))
	return binary.AppendUvarint(append(out, c.User...), uint64(c.Revision))
}

// cutCaller is the reverse of appendCaller.
func cutCaller(in []byte) (c auth.Caller, rest []byte, err error) {
	if len(in) == 0 || kind(in[0]) != kindAs {
		return c, in, nil
	}
	rest = in[1:]
	length, n := binary.Uvarint(rest)
	if n <= 0 || length > uint64(len(rest)-n) {
		return c, nil, errCommand
	}
	c.User, rest = string(rest[n:n+int(length)]), rest[n+int(length):]
	revision, n := binary.Uvarint(rest)
	if n <= 0 || revision == 0 || len(rest) == n || kind(rest[n]) == kindAs {
		return c, nil, errCommand
	}
	c.Revision = auth.Revision(revision)
	return c, rest[n:], nil
}
