package rpc

import (
	"slices"
	"testing"

	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
)

// A tool that knows nothing finds all services and can describe their messages.
func TestTheServerDescribesItself(t *testing.T) {
	s, _ := recipes(t)
	stream, err := grpc_reflection_v1.NewServerReflectionClient(s.conn).ServerReflectionInfo(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	type question = grpc_reflection_v1.ServerReflectionRequest
	ask := func(r *question) *grpc_reflection_v1.ServerReflectionResponse {
		t.Helper()
		if err := stream.Send(r); err != nil {
			t.Fatal(err)
		}
		answer, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	listed := ask(&question{
		MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_ListServices{},
	})
	var names []string
	for _, service := range listed.GetListServicesResponse().GetService() {
		names = append(names, service.Name)
	}
	for _, want := range []string{
		"etcdserverpb.KV", "etcdserverpb.Auth", "v3lockpb.Lock", "v3electionpb.Election",
	} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is not among %v", want, names)
		}
	}
	for symbol, want := range map[string]string{
		"etcdserverpb.KV": "etcdserverpb", "v3electionpb.Election.Observe": "v3electionpb",
		"v3lockpb.LockRequest": "v3lockpb", "mvccpb.KeyValue": "mvccpb",
	} {
		answer := ask(&question{
			MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_FileContainingSymbol{
				FileContainingSymbol: symbol,
			},
		})
		files := answer.GetFileDescriptorResponse().GetFileDescriptorProto()
		var first descriptorpb.FileDescriptorProto
		if len(files) == 0 || proto.Unmarshal(files[0], &first) != nil || first.GetPackage() != want {
			t.Errorf("%s: %v", symbol, answer)
		}
	}
}
