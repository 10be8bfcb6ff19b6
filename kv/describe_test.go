package kv

import (
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"detcd/kv/auth"
	"detcd/kv/v2"
)

func TestEveryKindHasItsName(t *testing.T) {
	for i, command := range authCommands() {
		name := string(command.ProtoReflect().Descriptor().Name())
		want := strings.TrimPrefix(strings.TrimSuffix(name, "Request"), "Internal")
		if got := KindName(byte(kindAuth) + byte(i)); got != want {
			t.Errorf("%s is called %q", name, got)
		}
	}
	for number := range byte(KindsMax) {
		known := number > 0 && number <= byte(kindTree) ||
			number >= byte(kindAuth) && int(number) < int(kindAuth)+len(authCommands())
		if (KindName(number) != "") != known {
			t.Errorf("kind %d is called %q", number, KindName(number))
		}
	}
}

func TestADescriptionHasNoSecrets(t *testing.T) {
	ann := auth.Caller{User: "ann", Revision: 3}
	for want, command := range map[string][]byte{
		`put:<key:"k" value_size:6 >`: encodeFor(ann, put("k", "s3cr3t")),
		"AuthUserAdd": encode(&pb.AuthUserAddRequest{
			Name: "ann", HashedPassword: "s3cr3t",
		}),
		"Authenticate": encode(&pb.InternalAuthenticateRequest{Name: "ann", SimpleToken: "s3cr3t"}),
		`v2 set "/k"`:  TreeCommand(&v2.Command{Action: v2.Set, Key: "/k", Value: "s3cr3t"}),
		"":             {},
	} {
		if got := Describe(command); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if kind := KindOf(encodeFor(ann, put("k", "v"))); kind != byte(kindPut) {
		t.Errorf("a put is of kind %d", kind)
	}
}
