package difftest

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"pgregory.net/rapid"

	"detcd/cmd/detcd/testbed"
)

// A difference ends a session outside of rapid.Check.
type difference string

// panicking is a reporter that panics with the difference.
type panicking struct{}

func (panicking) Helper()             {}
func (panicking) Logf(string, ...any) {}
func (panicking) Fatalf(format string, arguments ...any) {
	panic(difference(fmt.Sprintf(format, arguments...)))
}

// lieTo runs the session of a seed with a liar in front of B, and returns the difference that it
// found and the lies that it was told.
func lieTo(pair *pair, seed int, alter func(proto.Message) string) (found string, lies []string) {
	session := rapid.Custom(func(t *rapid.T) (found string) {
		l := &liar{alter: alter}
		defer func() {
			lies = l.told()
			if d, ok := recover().(difference); ok {
				found = string(d)
			}
		}()
		s := begin(panicking{}, pair)
		s.patience = time.Second
		l.ClientConnInterface, pair.b.conn = pair.b.plain, l
		t.Repeat(map[string]func(*rapid.T){"step": s.step})
		s.end()
		return ""
	})
	return session.Example(seed), lies
}

func TestEveryLieIsFound(t *testing.T) {
	etcd := testbed.Tool(t, "etcd")
	pair := newPair(etcd, etcd)
	t.Cleanup(pair.stop)
	methods := map[string]int{}
	for seed := range 12 {
		random := rand.New(rand.NewPCG(uint64(seed), 1))
		found, lies := lieTo(pair, seed, oneIn(60, random, pair.compare))
		if len(lies) == 0 {
			continue
		}
		method, _, _ := strings.Cut(lies[0], ":")
		methods[method]++
		if found == "" {
			t.Errorf("seed %d: nothing was found, but these were lies: %v", seed, lies)
		}
	}
	t.Logf("found at first sight: %v", methods)
	if len(methods) < 3 {
		t.Errorf("lies about %d methods only", len(methods))
	}
}

// quietT takes note that a rapid.Check fails, instead of failing the test.
type quietT struct {
	*testing.T
	failed bool
}

func (q *quietT) Errorf(string, ...any) { q.failed = true }
func (q *quietT) Logf(string, ...any)   {}
func (q *quietT) Log(...any)            {}
func (q *quietT) Failed() bool          { return q.failed }
func (q *quietT) FailNow()              { runtime.Goexit() }

// setFlag sets a flag for the time of a test.
func setFlag(t *testing.T, name, value string) {
	t.Helper()
	before := flag.Lookup(name).Value.String()
	if err := flag.Set(name, value); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = flag.Set(name, before) })
}

func TestALieIsShrunk(t *testing.T) {
	etcd := testbed.Tool(t, "etcd")
	pair := newPair(etcd, etcd)
	t.Cleanup(pair.stop)
	setFlag(t, "rapid.nofailfile", "true")
	setFlag(t, "rapid.steps", "40")
	setFlag(t, "rapid.checks", "50")
	setFlag(t, "rapid.shrinktime", "30s")
	// The lie: who deletes more than one key is told of one more.
	alter := func(message proto.Message) string {
		if r, ok := message.(*pb.DeleteRangeResponse); ok && r.Deleted > 1 {
			r.Deleted++
			return "deleted"
		}
		return ""
	}
	// Two lines open every session; two puts and a delete of both keys are the shortest way.
	const short = 7
	var first, shrunk []string // transcripts of the first and the last session that failed
	property := func(t *rapid.T) {
		if shrunk != nil && len(shrunk) <= short {
			return // there is no need to try what is left
		}
		s := begin(t, pair)
		pair.b.conn = &liar{ClientConnInterface: pair.b.plain, alter: alter}
		t.Repeat(map[string]func(*rapid.T){"step": func(t *rapid.T) {
			defer func() {
				if pair.story != "" {
					shrunk, pair.story = s.transcript, ""
				}
				if first == nil {
					first = shrunk
				}
			}()
			kind := pick(t, "step", "range", "put", "delete", "txn") // none that has to wait
			s.ask(drawCall(t, kind, s.moment()))
		}})
	}
	quiet := &quietT{T: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		rapid.Check(quiet, property)
	}()
	<-done
	if !quiet.failed {
		t.Fatal("the lie was not found")
	}
	if len(shrunk) > max(short, len(first)-1) { // how far it comes depends on the machine
		t.Errorf("not shrunk: %d requests of %d", len(shrunk), len(first))
	}
	t.Log(strings.Join(shrunk, "\n"))
}

func TestEveryFieldOfEveryAnswerIsCompared(t *testing.T) {
	c := newComparer()
	for _, service := range services() {
		for i := range service.Methods().Len() {
			full := service.Methods().Get(i).Output().FullName()
			kind, err := protoregistry.GlobalTypes.FindMessageByName(full)
			if err != nil {
				t.Fatal(err)
			}
			count := len(c.alterations("", filled(kind, 4)))
			for n := range count {
				truth, lie := filled(kind, 4), filled(kind, 4)
				alteration := c.alterations("", lie)[n]
				alteration.do()
				a, b := answer{message: truth.Interface()}, answer{message: lie.Interface()}
				if len(c.answers(a, b)) == 0 {
					t.Errorf("%s: not noticed: %s", full, alteration.what)
				}
			}
		}
	}
}

// filled returns a message with a value in every field, down to a depth.
func filled(kind protoreflect.MessageType, depth int) protoreflect.Message {
	message := kind.New()
	fields := message.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		switch {
		case field.IsList():
			list := message.Mutable(field).List()
			for range 2 {
				list.Append(filledValue(field, list.NewElement(), depth))
			}
		case field.Message() == nil || depth > 0:
			message.Set(field, filledValue(field, message.NewField(field), depth))
		}
	}
	return message
}

// filledValue returns a value that is not zero.
func filledValue(field protoreflect.FieldDescriptor, zero protoreflect.Value,
	depth int) protoreflect.Value {
	if field.Message() != nil {
		if depth > 0 {
			inner := filled(zero.Message().Type(), depth-1)
			return protoreflect.ValueOfMessage(inner)
		}
		return zero
	}
	return another(field, zero)
}

// services returns those that sessions talk to.
func services() []protoreflect.ServiceDescriptor {
	var all []protoreflect.ServiceDescriptor
	file := pb.File_rpc_proto
	for i := range file.Services().Len() {
		all = append(all, file.Services().Get(i))
	}
	return all
}
