package difftest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// A liar stands in front of a server and alters some of its answers.
type liar struct {
	grpc.ClientConnInterface

	mu    sync.Mutex
	alter func(answer proto.Message) string // what was altered; nothing if nothing was
	lies  []string
}

// Invoke alters the answer to one request.
func (l *liar) Invoke(ctx context.Context, method string, args, reply any,
	options ...grpc.CallOption) error {
	err := l.ClientConnInterface.Invoke(ctx, method, args, reply, options...)
	if err == nil {
		l.lie(method, reply)
	}
	return err
}

// NewStream alters the answers on a stream.
func (l *liar) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string,
	options ...grpc.CallOption) (grpc.ClientStream, error) {
	stream, err := l.ClientConnInterface.NewStream(ctx, desc, method, options...)
	return &lyingStream{stream, l, method}, err
}

type lyingStream struct {
	grpc.ClientStream
	liar   *liar
	method string
}

// RecvMsg alters one answer of the stream.
func (s *lyingStream) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	if err == nil {
		s.liar.lie(s.method, m)
	}
	return err
}

// lie gives an answer to alter, and takes note.
func (l *liar) lie(method string, reply any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if lie := l.alter(reply.(proto.Message)); lie != "" {
		l.lies = append(l.lies, method+": "+lie)
	}
}

// told returns the lies so far.
func (l *liar) told() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lies
}

// oneIn alters something at random in one of n answers.
func oneIn(n int, random *rand.Rand, c comparer) func(proto.Message) string {
	return func(message proto.Message) string {
		if random.IntN(n) > 0 {
			return ""
		}
		all := slices.DeleteFunc(c.alterations("", message.ProtoReflect()),
			func(a alteration) bool { return free(message, a) })
		if len(all) == 0 {
			return ""
		}
		chosen := all[random.IntN(len(all))]
		chosen.do()
		return chosen.what
	}
}

// An alteration is one way to make an answer another one.
type alteration struct {
	what  string
	field protoreflect.FullName
	do    func()
}

// alterations returns every way to alter one field of a message that the comparer does not ignore.
func (c comparer) alterations(path string, message protoreflect.Message) []alteration {
	var all []alteration
	fields := message.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		name := path + string(field.Name())
		add := func(how string, do func()) {
			all = append(all, alteration{name + " " + how, field.FullName(), do})
		}
		switch {
		case c.excluded[field.FullName()] == "ignored":
		case field.IsList():
			c.alterList(name, message, field, add, &all)
		case field.Message() != nil:
			if message.Has(field) {
				add("cleared", func() { message.Clear(field) })
				inner := message.Mutable(field).Message()
				all = append(all, c.alterations(name+".", inner)...)
			}
		case field.ContainingOneof() == nil || message.Has(field):
			add("changed", func() { message.Set(field, another(field, message.Get(field))) })
		}
	}
	return all
}

// alterList adds the ways to alter a list and what is in it.
func (c comparer) alterList(name string, message protoreflect.Message,
	field protoreflect.FieldDescriptor, add func(string, func()), all *[]alteration) {
	list := message.Mutable(field).List()
	last := list.Len() - 1
	if last < 0 {
		return
	}
	add("shortened", func() { list.Truncate(last) })
	add("lengthened", func() { list.Append(list.Get(last)) })
	if field.Message() == nil {
		add("changed", func() { list.Set(last, another(field, list.Get(last))) })
		return
	}
	for i := range list.Len() {
		element := fmt.Sprintf("%s[%d].", name, i)
		*all = append(*all, c.alterations(element, list.Get(i).Message())...)
	}
}

// free tells whether an alteration only changes how events are batched, which a server decides:
// where it cuts fragments that were asked for, and how far the revision of a header is ahead.
func free(message proto.Message, a alteration) bool {
	r, ok := message.(*pb.WatchResponse)
	control := ok && (r.Created || r.Canceled)
	return ok && !control && (a.what == "fragment changed" || a.what == "header.revision changed")
}

// another returns a value of a field that differs by more than the exclusions forgive.
func another(field protoreflect.FieldDescriptor, value protoreflect.Value) protoreflect.Value {
	switch field.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(!value.Bool())
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(value.String() + "!")
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes(append([]byte("!"), value.Bytes()...))
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(value.Enum() + 1)
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(value.Uint() + 2)
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(value.Uint()) + 2)
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(value.Int() + 2)
	}
	panic("no other value of kind " + field.Kind().String())
}
