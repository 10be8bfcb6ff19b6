package difftest

import (
	"fmt"
	"strings"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"
)

// A reporter ends a session at the first difference.
type reporter interface {
	Helper()
	Logf(format string, arguments ...any)
	Fatalf(format string, arguments ...any)
}

// A session is one sequence of requests to both sides, from an empty store on.
type session struct {
	t          reporter
	pair       *pair
	patience   time.Duration      // how long a watch may take to say what it must
	transcript []string           // a line for each request and what was answered
	header     *pb.ResponseHeader // of A's last answer that had a revision
	base, now  int64              // revisions of both stores: at the beginning, after that answer
	compacted  int64              // and the last one that was compacted
	streams    []*stream          // watch streams that are open; the first has the witness
	history    []*mvccpb.Event    // what the witness saw,
	before     int                // this many before it began
	fragile    map[int64]bool     // revisions at which etcd is not to be compacted
}

// begin empties both sides and opens the witness.
func begin(t reporter, pair *pair) *session {
	t.Helper()
	if err := pair.prepare(); err != nil {
		t.Fatalf("the servers do not start: %v", err)
	}
	pair.clean = false
	s := &session{t: t, pair: pair, patience: watchPatience, fragile: map[int64]bool{}}
	response := s.ask("KV.Range", &pb.RangeRequest{Key: []byte("a")})
	s.base = s.now
	if response == nil || s.base == 0 {
		t.Fatalf("no revision in the first answer")
	}
	s.compacted = s.base
	s.history = []*mvccpb.Event{{ // of the revision at which the store was emptied
		Type: mvccpb.Event_DELETE,
		Kv:   &mvccpb.KeyValue{Key: []byte("a"), ModRevision: s.base},
	}}
	s.openWitness()
	return s
}

// moment returns what the draws need to know.
func (s *session) moment() moment { return moment{now: s.now, base: s.base} }

// note adds a line to the transcript.
func (s *session) note(format string, arguments ...any) {
	s.transcript = append(s.transcript, fmt.Sprintf(format, arguments...))
}

// ask sends one request to both sides, compares the answers, and returns the response, nil when
// both refused in the same way.
func (s *session) ask(method string, request proto.Message) proto.Message {
	s.t.Helper()
	if r, ok := request.(*pb.HashKVRequest); ok && r.Revision <= s.pair.forgotten {
		// etcd has the hash that a compaction computed in memory only; detcd keeps it.
		request = &pb.HashKVRequest{}
	}
	a, b := s.pair.ask(method, request)
	s.note("%s{%s} → %s", method, text(request), outcome(a))
	s.equal(method, a, b)
	s.advance(a.message)
	return a.message
}

// equal ends the session unless two answers are equal.
func (s *session) equal(what string, a, b answer) {
	s.t.Helper()
	if differences := s.pair.compare.answers(a, b); len(differences) > 0 {
		s.fail("%s: A ≠ B:\n  %s", what, strings.Join(differences, "\n  "))
	}
}

// fail ends the session with the story that led to its end. The story has revisions in it, which
// differ from run to run; what rapid is given as the failure must not.
func (s *session) fail(format string, arguments ...any) {
	s.t.Helper()
	story := fmt.Sprintf(format, arguments...) + fmt.Sprintf("\nafter %d requests (A answered):\n  %s",
		len(s.transcript), strings.Join(s.transcript, "\n  "))
	if s.pair.story == "" {
		s.pair.story = story
	}
	s.t.Logf("%s", story)
	s.t.Fatalf("%s", format)
}

// advance takes the revision from the header of a response.
func (s *session) advance(response proto.Message) {
	if response == nil {
		return
	}
	message := response.ProtoReflect()
	field := message.Descriptor().Fields().ByName("header")
	if field == nil || !message.Has(field) {
		return
	}
	header := message.Get(field).Message().Interface().(*pb.ResponseHeader)
	if header.Revision > 0 { // that of a cluster's answer has none
		s.now, s.header = max(s.now, header.Revision), header
	}
}

// step draws one request and sends it.
func (s *session) step(t *rapid.T) {
	switch kind := pick(t, "step", s.pair.kinds...); kind {
	case "restart":
		s.restart()
	case "range stream":
		s.rangeStream(drawRangeRequest(t, s.moment()))
	case "keep alive":
		s.keepAlive(drawKeepAlives(t))
	case "watch", "cancel", "progress", "settle", "close":
		s.stepWatch(t, kind)
	default:
		method, request := drawCall(t, kind, s.moment())
		switch request := request.(type) {
		case *pb.TxnRequest:
			s.ask(method, request)
			s.fragile[s.now] = deletesToTheEnd(request)
		case *pb.CompactionRequest:
			s.compact(request)
		case *pb.LeaseGrantRequest:
			s.grant(request)
		default:
			s.ask(method, request)
		}
	}
}

// compact settles all watches first: what a watcher that is behind loses to a compaction depends on
// how far behind it is. Afterwards both sides have removed what they remove.
//
// Where a transaction deleted without an end and put one of those keys again, etcd loses the key
// when just that revision is compacted; so none such is.
func (s *session) compact(request *pb.CompactionRequest) {
	s.settle()
	if s.fragile[request.Revision] {
		request.Revision--
	}
	if s.ask("KV.Compact", request) != nil {
		s.compacted = request.Revision
	}
	barrier := proto.CloneOf(request)
	barrier.Physical = true
	s.ask("KV.Compact", barrier)
	s.ask("Maintenance.HashKV", &pb.HashKVRequest{Revision: request.Revision})
}

// restart kills both servers and starts them over what they have stored. Watches end with them.
func (s *session) restart() {
	s.settle()
	for _, open := range s.streams {
		s.hangUp(open)
	}
	s.streams = nil
	if err := s.pair.both((*side).restart); err != nil {
		s.fail("restart: %v", err)
	}
	s.note("(killed and started again)")
	s.pair.forgotten = s.compacted
	s.openWitness()
}

// end compares what is left: every watch, the leases, all keys, and the hash of every revision that
// a reader may still ask for.
func (s *session) end() {
	s.settle()
	everything := []byte{0}
	s.ask("Lease.LeaseLeases", &pb.LeaseLeasesRequest{})
	s.ask("KV.Range", &pb.RangeRequest{Key: everything, RangeEnd: everything, KeysOnly: true})
	for back := int64(0); back <= 8; back++ {
		s.ask("Maintenance.HashKV", &pb.HashKVRequest{Revision: max(1, s.now-back)})
	}
	for _, open := range s.streams {
		s.hangUp(open)
	}
	s.empty()
}

// empty leaves both sides as the next session wants them, and compares what they have become.
func (s *session) empty() {
	s.t.Helper()
	if err := s.pair.both((*side).empty); err != nil {
		s.fail("cannot be emptied: %v", err)
	}
	s.note("(emptied and compacted)")
	response, _ := s.ask("Maintenance.HashKV", &pb.HashKVRequest{}).(*pb.HashKVResponse)
	s.ask("Maintenance.HashKV", &pb.HashKVRequest{Revision: response.GetCompactRevision()})
	s.pair.clean = true
}

// text prints a message on one line.
func text(message proto.Message) string {
	short := proto.Clone(message)
	shorten(short.ProtoReflect())
	return prototext.MarshalOptions{}.Format(short)
}

// shorten cuts the byte strings of a message that are too long to print.
func shorten(message protoreflect.Message) {
	message.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.IsList() && field.Message() != nil:
			for i := range value.List().Len() {
				shorten(value.List().Get(i).Message())
			}
		case field.Message() != nil:
			shorten(value.Message())
		case field.Kind() == protoreflect.BytesKind && !field.IsList():
			message.Set(field, protoreflect.ValueOfBytes([]byte(brief(value.Bytes()))))
		}
		return true
	})
}

// outcome prints an answer without its header.
func outcome(a answer) string {
	if a.err != nil {
		return describe(a.err)
	}
	response := proto.Clone(a.message).ProtoReflect()
	if field := response.Descriptor().Fields().ByName("header"); field != nil {
		header := response.Get(field).Message().Interface().(*pb.ResponseHeader)
		revision := header.GetRevision()
		response.Clear(field)
		return fmt.Sprintf("at %d {%s}", revision, text(response.Interface()))
	}
	return text(response.Interface())
}
