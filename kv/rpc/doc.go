// Package rpc serves etcd's v3 gRPC protocol for one member: it translates and carries, and decides
// nothing.
package rpc
