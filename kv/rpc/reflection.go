package rpc

import (
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// reflect lets a server say which services and messages it has, so that tools like grpcurl need no
// files. etcd does not.
func reflect(server reflection.GRPCServer, recipes *Recipes) {
	options := reflection.ServerOptions{Services: server, DescriptorResolver: resolver{recipes}}
	grpc_reflection_v1.RegisterServerReflectionServer(server, reflection.NewServerV1(options))
	grpc_reflection_v1alpha.RegisterServerReflectionServer(server, reflection.NewServer(options))
}

// A resolver knows what was described at run time, and all else.
type resolver struct{ recipes *Recipes }

// FindFileByPath finds a file.
func (r resolver) FindFileByPath(path string) (protoreflect.FileDescriptor, error) {
	if r.recipes != nil {
		for _, file := range r.recipes.files {
			if file.Path() == path {
				return file, nil
			}
		}
	}
	return protoregistry.GlobalFiles.FindFileByPath(path)
}

// FindDescriptorByName finds a service, a method, a message or a field.
func (r resolver) FindDescriptorByName(
	name protoreflect.FullName,
) (protoreflect.Descriptor, error) {
	if r.recipes != nil {
		for _, file := range r.recipes.files {
			var own protoregistry.Files
			if own.RegisterFile(file) == nil {
				if found, err := own.FindDescriptorByName(name); err == nil {
					return found, nil
				}
			}
		}
	}
	return protoregistry.GlobalFiles.FindDescriptorByName(name)
}
