package kv

import (
	"encoding/binary"
	"errors"
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"detcd/kv/auth"
	"detcd/kv/lease"
)

// errCommand says that bytes are not a command.
var errCommand = errors.New("kv: not a command")

// kind is the first byte of a command. The numbers are in the log: they never change their meaning.
type kind byte

const (
	kindPut     kind = 1  // own format, see appendPut
	kindDelete  kind = 2  // pb.DeleteRangeRequest
	kindTxn     kind = 3  // pb.TxnRequest
	kindCompact kind = 4  // pb.CompactionRequest
	kindGrant   kind = 5  // pb.LeaseGrantRequest, with its ID and its time to live as granted
	kindRevoke  kind = 6  // pb.LeaseRevokeRequest
	kindExpire  kind = 7  // own format, see appendExpire
	kindAlarm   kind = 8  // pb.AlarmRequest
	kindVersion kind = 9  // pb.DowngradeRequest, with its target as "3.6.0"
	kindTree    kind = 10 // v2.Command

	kindAs   kind = 32 // a caller, and any other command: own format, see appendCaller
	kindAuth kind = 33 // and the following: see authCommands
)

// The flags of a put.
const (
	flagPrevious = 1 << iota
	flagIgnoreValue
	flagIgnoreLease
	flagsAll = 1<<iota - 1
)

// encode gives the command that executes a request.
func encode(request proto.Message) []byte {
	var k kind
	switch r := request.(type) {
	case *pb.PutRequest:
		return appendPut(nil, r)
	case *pb.DeleteRangeRequest:
		k = kindDelete
	case *pb.TxnRequest:
		k = kindTxn
	case *pb.CompactionRequest:
		k = kindCompact
	case *pb.LeaseGrantRequest:
		k = kindGrant
	case *pb.LeaseRevokeRequest:
		k = kindRevoke
	case *pb.AlarmRequest:
		k = kindAlarm
	case *pb.DowngradeRequest:
		k = kindVersion
	default:
		var known bool
		if k, known = authKind(request); !known {
			panic(fmt.Sprintf("kv: %T is no command", request))
		}
	}
	return encodeAs(byte(k), request)
}

// encodeFor gives the command that executes a request of a caller.
func encodeFor(caller auth.Caller, request proto.Message) []byte {
	if !caller.Known() {
		return encode(request)
	}
	return append(appendCaller(nil, caller), encode(request)...)
}

// encodeAs marshals a message behind a byte that tells what it is.
func encodeAs(first byte, message proto.Message) []byte {
	out := make([]byte, 1, 1+proto.Size(message))
	out[0] = first
	out, err := proto.MarshalOptions{Deterministic: true}.MarshalAppend(out, message)
	if err != nil { // no message of ours has a string that is not UTF-8, or a required field
		panic(fmt.Sprintf("kv: marshal %T: %v", message, err))
	}
	return out
}

// appendPut writes the command that nearly all commands are:
//
//	┌─────────┬────────┬─────────┬─────────────┬─────┬───────┐
//	│ kindPut │ flags  │ lease   │ key length  │ key │ value │
//	│ 1 byte  │ 1 byte │ varint  │ uvarint     │     │       │
//	└─────────┴────────┴─────────┴─────────────┴─────┴───────┘
func appendPut(out []byte, r *pb.PutRequest) []byte {
	var flags byte
	if r.PrevKv {
		flags |= flagPrevious
	}
	if r.IgnoreValue {
		flags |= flagIgnoreValue
	}
	if r.IgnoreLease {
		flags |= flagIgnoreLease
	}
	if out == nil {
		out = make([]byte, 0, 2+2*binary.MaxVarintLen64+len(r.Key)+len(r.Value))
	}
	out = append(out, byte(kindPut), flags)
	out = binary.AppendVarint(out, r.Lease)
	out = binary.AppendUvarint(out, uint64(len(r.Key)))
	out = append(out, r.Key...)
	return append(out, r.Value...)
}

// decodePut is the reverse of appendPut. What it gives shares the command's bytes.
func decodePut(command []byte, r *pb.PutRequest) error {
	if len(command) < 2 || kind(command[0]) != kindPut || command[1] > flagsAll {
		return errCommand
	}
	flags, rest := command[1], command[2:]
	owner, n := binary.Varint(rest)
	if n <= 0 {
		return errCommand
	}
	rest = rest[n:]
	length, n := binary.Uvarint(rest)
	if n <= 0 || length > uint64(len(rest)-n) {
		return errCommand
	}
	rest = rest[n:]
	r.Key, r.Value = rest[:length:length], rest[length:]
	r.Lease = owner
	r.PrevKv = flags&flagPrevious != 0
	r.IgnoreValue = flags&flagIgnoreValue != 0
	r.IgnoreLease = flags&flagIgnoreLease != 0
	return nil
}

// appendExpire writes the command that a leader proposes when a lease's time is over. It names one
// grant: it does nothing to a later one of the same ID.
//
//	┌────────────┬────────┬─────────┐
//	│ kindExpire │ ID     │ serial  │
//	│ 1 byte     │ varint │ uvarint │
//	└────────────┴────────┴─────────┘
func appendExpire(out []byte, grant lease.Grant) []byte {
	out = append(out, byte(kindExpire))
	out = binary.AppendVarint(out, int64(grant.ID))
	return binary.AppendUvarint(out, uint64(grant.Serial))
}

func decodeExpire(command []byte) (grant lease.Grant, err error) {
	if len(command) == 0 || kind(command[0]) != kindExpire {
		return grant, errCommand
	}
	id, n := binary.Varint(command[1:])
	if n <= 0 {
		return grant, errCommand
	}
	serial, m := binary.Uvarint(command[1+n:])
	if m <= 0 || 1+n+m != len(command) {
		return grant, errCommand
	}
	return lease.Grant{ID: lease.ID(id), Serial: lease.Serial(serial)}, nil
}

// decode gives the request of any other command.
func decode(command []byte) (proto.Message, error) {
	var request proto.Message
	if len(command) == 0 {
		return nil, errCommand
	}
	switch kind(command[0]) {
	case kindDelete:
		request = &pb.DeleteRangeRequest{}
	case kindTxn:
		request = &pb.TxnRequest{}
	case kindCompact:
		request = &pb.CompactionRequest{}
	case kindGrant:
		request = &pb.LeaseGrantRequest{}
	case kindRevoke:
		request = &pb.LeaseRevokeRequest{}
	case kindAlarm:
		request = &pb.AlarmRequest{}
	case kindVersion:
		request = &pb.DowngradeRequest{}
	default:
		if request = authCommand(kind(command[0])); request == nil {
			return nil, fmt.Errorf("%w: kind %d", errCommand, command[0])
		}
	}
	if err := proto.Unmarshal(command[1:], request); err != nil {
		return nil, fmt.Errorf("%w: %w", errCommand, err)
	}
	return request, nil
}

// ExpiredLease returns the lease that a command of Due ends.
func ExpiredLease(command []byte) (id lease.ID, ok bool) {
	grant, err := decodeExpire(command)
	return grant.ID, err == nil
}

// Internal is the command of what a member does of its own accord: a compaction, or an alarm.
func Internal(request proto.Message) []byte { return encodeFor(auth.Itself(), request) }
