// Package kv is the etcd data model as a deterministic machine.
package kv
