package difftest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// exclusions is all that may differ between the answers of two servers, and why. A field is
// ignored, or may be off by one, or is a list in any order.
const exclusions = `
ignored    etcdserverpb.ResponseHeader.raft_term         elections depend on clocks
ignored    etcdserverpb.StatusResponse.raftTerm          the same
ignored    etcdserverpb.StatusResponse.raftIndex         counts entries that no client asked for
ignored    etcdserverpb.StatusResponse.raftAppliedIndex  the same
ignored    etcdserverpb.StatusResponse.dbSize            another format on disk
ignored    etcdserverpb.StatusResponse.dbSizeInUse       the same
ignored    etcdserverpb.AuthenticateResponse.token       random
ignored    etcdserverpb.HashResponse.hash                the checksum of that format
off-by-one etcdserverpb.LeaseTimeToLiveResponse.TTL      time left, rounded to seconds
unordered  etcdserverpb.LeaseTimeToLiveResponse.keys     etcd keeps them in a map
unordered  etcdserverpb.LeaseLeasesResponse.leases       by time left at the leader, else by chance
unordered  etcdserverpb.AlarmResponse.alarms             the same
unordered  etcdserverpb.StatusResponse.errors            one for each alarm
`

// An answer is what one server says to one request.
type answer struct {
	message proto.Message // nil with an error
	err     error
}

// A comparer finds differences between answers.
type comparer struct {
	excluded map[protoreflect.FullName]string // how
}

// newComparer reads exclusions.
func newComparer() comparer {
	c := comparer{map[protoreflect.FullName]string{}}
	for line := range strings.Lines(strings.TrimSpace(exclusions)) {
		words := strings.Fields(line)
		c.excluded[protoreflect.FullName(words[1])] = words[0]
	}
	return c
}

// answers returns the differences of two answers, one to a line.
func (c comparer) answers(a, b answer) []string {
	if a.err != nil || b.err != nil {
		errorA, errorB := describe(a.err), describe(b.err)
		if errorA == errorB {
			return nil
		}
		return []string{fmt.Sprintf("error: %s ≠ %s", errorA, errorB)}
	}
	return c.messages("", a.message.ProtoReflect(), b.message.ProtoReflect())
}

// describe returns all that a client sees of an error.
func describe(err error) string {
	if err == nil {
		return "none"
	}
	s := status.Convert(err)
	// The protobuf library spreads no-break spaces over its errors, differently in every build.
	text := strings.ReplaceAll(s.Message(), "\u00a0", " ")
	return fmt.Sprintf("%v %q, %d details", s.Code(), text, len(s.Details()))
}

// messages compares two messages of the same type, field by field.
func (c comparer) messages(path string, a, b protoreflect.Message) []string {
	var differences []string
	if !bytes.Equal(a.GetUnknown(), b.GetUnknown()) {
		differences = append(differences, path+"unknown fields differ")
	}
	fields := a.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		name := path + string(field.Name())
		valueA, valueB := a.Get(field), b.Get(field)
		switch {
		case c.excused(field, valueA, valueB):
		case field.IsList():
			differences = append(differences, c.lists(name, field, valueA.List(), valueB.List())...)
		case field.HasPresence() && a.Has(field) != b.Has(field):
			differences = append(differences,
				fmt.Sprintf("%s: present %t ≠ %t", name, a.Has(field), b.Has(field)))
		default:
			differences = append(differences, c.values(name, field, valueA, valueB)...)
		}
	}
	return differences
}

// excused tells whether the exclusions allow two values of a field.
func (c comparer) excused(field protoreflect.FieldDescriptor, a, b protoreflect.Value) bool {
	switch c.excluded[field.FullName()] {
	case "ignored":
		return true
	case "off-by-one":
		difference := a.Int() - b.Int()
		return -1 <= difference && difference <= 1
	case "unordered":
		return slices.Equal(sorted(a.List()), sorted(b.List()))
	}
	return false
}

// sorted returns the elements of a list in some order that depends on their values alone.
func sorted(list protoreflect.List) []string {
	var all []string
	for i := range list.Len() {
		if message, ok := list.Get(i).Interface().(protoreflect.Message); ok {
			encoded, _ := proto.MarshalOptions{Deterministic: true}.Marshal(message.Interface())
			all = append(all, string(encoded))
		} else {
			all = append(all, fmt.Sprint(list.Get(i).Interface()))
		}
	}
	slices.Sort(all)
	return all
}

// lists compares two lists element by element.
func (c comparer) lists(name string, field protoreflect.FieldDescriptor,
	a, b protoreflect.List) []string {
	var differences []string
	if a.Len() != b.Len() {
		differences = append(differences, fmt.Sprintf("%s: %d ≠ %d elements", name, a.Len(), b.Len()))
	}
	for i := range min(a.Len(), b.Len()) {
		element := fmt.Sprintf("%s[%d]", name, i)
		differences = append(differences, c.values(element, field, a.Get(i), b.Get(i))...)
	}
	return differences
}

// values compares two values of one field.
func (c comparer) values(name string, field protoreflect.FieldDescriptor,
	a, b protoreflect.Value) []string {
	if field.Message() != nil {
		return c.messages(name+".", a.Message(), b.Message())
	}
	if a.Equal(b) {
		return nil
	}
	if field.Kind() == protoreflect.BytesKind {
		return []string{fmt.Sprintf("%s: %q ≠ %q", name, brief(a.Bytes()), brief(b.Bytes()))}
	}
	return []string{fmt.Sprintf("%s: %v ≠ %v", name, a, b)}
}

// brief cuts what is too long to print.
func brief(value []byte) string {
	const bytesMax = 60
	if len(value) <= bytesMax {
		return string(value)
	}
	return fmt.Sprintf("%s… (%d bytes)", value[:bytesMax/4], len(value))
}
