package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
)

// Version is the version of the peer format. A listener refuses any other one.
const Version = 1

// The first bytes of a handshake and of its answer. The high bit keeps them apart from text, the
// line ends from a stream that something converted.
const (
	helloMagic   = "\x89detcd\r\n"
	welcomeMagic = "\x89detcd\n\r"
)

const (
	helloSize         = 48
	welcomeHeaderSize = 36
	reasonSizeMax     = 255
)

// errHandshake says that the other side does not speak the format at all.
var errHandshake = errors.New("transport: malformed handshake")

// errHTTP says who that is, most likely: members of etcd talk by HTTP.
var errHTTP = errors.New("the listener speaks HTTP, as a member of etcd does; members of etcd " +
	`and detcd cannot share a cluster: see "From etcd" in docs/operations.md`)

// purpose is what a connection is for. The numbers are on the wire and never change.
type purpose uint8

const (
	purposeConsensus purpose = purpose(LaneConsensus)
	purposeBulk      purpose = purpose(LaneBulk)
	purposeQuestion  purpose = 3

	// lent is added to the purpose of a lane: it is the listener that sends the messages.
	lent purpose = 3
)

// A hello is the first thing that the dialler says.
type hello struct {
	version     uint16
	purpose     purpose
	cluster     uint64 // 0 in a question: not known yet
	from        uint64 // 0 in a question
	to          uint64 // 0 in a question: whoever listens
	incarnation uint64 // of the sender's data directory
}

func (h *hello) encode() []byte {
	b := make([]byte, 0, helloSize)
	b = append(b, helloMagic...)
	b = binary.LittleEndian.AppendUint16(b, h.version)
	b = append(b, byte(h.purpose), 0)
	b = binary.LittleEndian.AppendUint64(b, h.cluster)
	b = binary.LittleEndian.AppendUint64(b, h.from)
	b = binary.LittleEndian.AppendUint64(b, h.to)
	b = binary.LittleEndian.AppendUint64(b, h.incarnation)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// readHello reads the hello whose magic was seen already but is still in the stream.
func readHello(stream io.Reader) (hello, error) {
	var b [helloSize]byte
	if _, err := io.ReadFull(stream, b[:]); err != nil {
		return hello{}, noEOF(err)
	}
	if string(b[:8]) != helloMagic {
		return hello{}, fmt.Errorf("%w: bad magic", errHandshake)
	}
	sum := binary.LittleEndian.Uint32(b[helloSize-4:])
	if crc32.Checksum(b[:helloSize-4], castagnoli) != sum {
		return hello{}, fmt.Errorf("%w: the checksum does not match", errHandshake)
	}
	return hello{
		version:     binary.LittleEndian.Uint16(b[8:]),
		purpose:     purpose(b[10]),
		cluster:     binary.LittleEndian.Uint64(b[12:]),
		from:        binary.LittleEndian.Uint64(b[20:]),
		to:          binary.LittleEndian.Uint64(b[28:]),
		incarnation: binary.LittleEndian.Uint64(b[36:]),
	}, nil
}

// A welcome is the listener's answer to a hello.
type welcome struct {
	version     uint16
	verdict     Verdict
	reason      string // for people; empty when the verdict is Welcome
	cluster     uint64
	self        uint64
	incarnation uint64
}

func (w *welcome) encode() []byte {
	reason := w.reason[:min(len(w.reason), reasonSizeMax)]
	b := make([]byte, 0, welcomeHeaderSize+len(reason)+4)
	b = append(b, welcomeMagic...)
	b = binary.LittleEndian.AppendUint16(b, w.version)
	b = append(b, byte(w.verdict), byte(len(reason)))
	b = binary.LittleEndian.AppendUint64(b, w.cluster)
	b = binary.LittleEndian.AppendUint64(b, w.self)
	b = binary.LittleEndian.AppendUint64(b, w.incarnation)
	b = append(b, reason...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func readWelcome(stream io.Reader) (welcome, error) {
	b := make([]byte, welcomeHeaderSize, welcomeHeaderSize+reasonSizeMax+4)
	if _, err := io.ReadFull(stream, b); err != nil {
		return welcome{}, noEOF(err)
	}
	if strings.HasPrefix(string(b), "HTTP/") {
		return welcome{}, errHTTP
	}
	if string(b[:8]) != welcomeMagic {
		return welcome{}, fmt.Errorf("%w: bad magic in the answer", errHandshake)
	}
	end := welcomeHeaderSize + int(b[11])
	b = b[:end+4]
	if _, err := io.ReadFull(stream, b[welcomeHeaderSize:]); err != nil {
		return welcome{}, noEOF(err)
	}
	sum := binary.LittleEndian.Uint32(b[end:])
	if crc32.Checksum(b[:end], castagnoli) != sum {
		return welcome{}, fmt.Errorf("%w: the checksum of the answer does not match", errHandshake)
	}
	return welcome{
		version:     binary.LittleEndian.Uint16(b[8:]),
		verdict:     Verdict(b[10]),
		reason:      string(b[welcomeHeaderSize:end]),
		cluster:     binary.LittleEndian.Uint64(b[12:]),
		self:        binary.LittleEndian.Uint64(b[20:]),
		incarnation: binary.LittleEndian.Uint64(b[28:]),
	}, nil
}

// judge says whether this member takes part in what the dialler wants, and why not.
func (t *Transport) judge(h hello) (Verdict, string) {
	switch {
	case h.version != Version:
		return RefusedVersion, fmt.Sprintf("peer format %d, this member speaks %d", h.version, Version)
	case h.purpose == purposeQuestion:
		return Welcome, ""
	case h.purpose == 0 || h.purpose > purposeBulk+lent:
		return RefusedVersion, fmt.Sprintf("connection for purpose %d is not known", h.purpose)
	case h.cluster != t.options.Cluster:
		return RefusedCluster, fmt.Sprintf("cluster %x, this member is in cluster %x",
			h.cluster, t.options.Cluster)
	case h.to != t.options.Self || h.from == t.options.Self:
		return RefusedMember, fmt.Sprintf("meant for member %x, this is member %x", h.to, t.options.Self)
	}
	if t.options.Admit != nil {
		verdict, reason := t.options.Admit(h.from, h.incarnation)
		if verdict != Welcome {
			return verdict, reason
		}
	}
	if h.purpose > lent {
		return t.judgeLoan(h)
	}
	return Welcome, ""
}
