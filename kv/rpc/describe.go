package rpc

import (
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// A message is one whose fields are known by their names.
type message struct{ *dynamicpb.Message }

func (m message) field(name string) protoreflect.FieldDescriptor {
	return m.Descriptor().Fields().ByName(protoreflect.Name(name))
}

func (m message) text(name string) string  { return string(m.Get(m.field(name)).Bytes()) }
func (m message) number(name string) int64 { return m.Get(m.field(name)).Int() }

// inner is the message in a field; nil: there is none.
func (m message) inner(name string) *message {
	if field := m.field(name); m.Has(field) {
		return &message{m.Get(field).Message().Interface().(*dynamicpb.Message)}
	}
	return nil
}

// fields are what is to be in a message: bytes as a string, numbers, messages, or fields of one.
type fields map[string]any

func (f fields) message(kind protoreflect.MessageDescriptor) *dynamicpb.Message {
	m := dynamicpb.NewMessage(kind)
	// order-free: each is another field
	for name, value := range f {
		field := kind.Fields().ByName(protoreflect.Name(name))
		switch v := value.(type) {
		case string:
			m.Set(field, protoreflect.ValueOfBytes([]byte(v)))
		case int64:
			m.Set(field, protoreflect.ValueOfInt64(v))
		case fields:
			m.Set(field, protoreflect.ValueOfMessage(v.message(field.Message())))
		case proto.Message:
			if v.ProtoReflect().IsValid() {
				m.Set(field, protoreflect.ValueOfMessage(v.ProtoReflect()))
			}
		}
	}
	return m
}

// describe describes a file of one service. A method is "Name Input Output", with "stream" behind
// it when it answers with one. A message is its name and its fields, whose place is their number:
// "name" is bytes, "name:int64" a number, "name:some.Type" a message.
func describe(
	path, pkg, service string, methods, messages []string,
) *descriptorpb.FileDescriptorProto {
	file := &descriptorpb.FileDescriptorProto{
		Name: proto.String(path), Package: proto.String(pkg), Syntax: proto.String("proto3"),
		Dependency: []string{pb.File_rpc_proto.Path(), mvccpb.File_kv_proto.Path()},
	}
	for _, line := range messages {
		words := strings.Fields(line)
		one := &descriptorpb.DescriptorProto{Name: proto.String(words[0])}
		for i, word := range words[1:] {
			one.Field = append(one.Field, describeField(word, int32(i+1)))
		}
		file.MessageType = append(file.MessageType, one)
	}
	described := &descriptorpb.ServiceDescriptorProto{Name: proto.String(service)}
	for _, line := range methods {
		words := strings.Fields(line)
		described.Method = append(described.Method, &descriptorpb.MethodDescriptorProto{
			Name:            proto.String(words[0]),
			InputType:       proto.String("." + pkg + "." + words[1]),
			OutputType:      proto.String("." + pkg + "." + words[2]),
			ServerStreaming: proto.Bool(len(words) > 3),
		})
	}
	file.Service = append(file.Service, described)
	return file
}

func describeField(word string, number int32) *descriptorpb.FieldDescriptorProto {
	name, kind, _ := strings.Cut(word, ":")
	field := &descriptorpb.FieldDescriptorProto{
		Name: proto.String(name), JsonName: proto.String(name), Number: proto.Int32(number),
		Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
	}
	switch kind {
	case "":
		field.Type = descriptorpb.FieldDescriptorProto_TYPE_BYTES.Enum()
	case "int64":
		field.Type = descriptorpb.FieldDescriptorProto_TYPE_INT64.Enum()
	default:
		field.Type = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum()
		field.TypeName = proto.String("." + kind)
	}
	return field
}
