package v2_test

import (
	"bytes"
	"strings"
	"testing"

	"detcd/kv/v2"
)

func FuzzCommand(f *testing.F) {
	for _, c := range []v2.Command{
		{Action: v2.Set, Key: "/a/b", Value: "1", Now: now, Expires: now + 1},
		{Action: v2.CompareAndSwap, Key: "/a", PrevValue: "x", PrevIndex: 7, Refresh: true},
		{Action: v2.Create, InOrder: true, Dir: true}, {Action: v2.Expire, Expires: now},
	} {
		f.Add(c.Append(nil))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		c, err := v2.DecodeCommand(in)
		if err != nil {
			return
		}
		if again, err := v2.DecodeCommand(c.Append(nil)); err != nil || again != c {
			t.Fatalf("%+v became %+v: %v", c, again, err)
		}
		tree := v2.New()
		tree.Apply(&c)
		if err := tree.Check(); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzCheckpoint(f *testing.F) {
	tree := v2.New()
	f.Add(tree.Checkpoint())
	for _, c := range []v2.Command{
		{Action: v2.Set, Key: "/a/b", Value: "1", Now: now, Expires: now + 1},
		{Action: v2.Update, Key: "/a", Refresh: true}, {Action: v2.Delete, Key: "/a/b"},
	} {
		tree.Apply(&c)
		f.Add(tree.Checkpoint())
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		tree, err := v2.Restore(in)
		if err != nil {
			return
		}
		state := tree.Checkpoint()
		if again, err := v2.Restore(state); err != nil || !bytes.Equal(again.Checkpoint(), state) {
			t.Fatalf("it is not restored again: %v", err)
		}
		tree.Apply(&v2.Command{Action: v2.Set, Key: "/x/y"})
		if err := tree.Check(); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzClean(f *testing.F) {
	for _, path := range []string{"", "/", "a/", "/a/../../b//c/.", "/_a\x00/%2F"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		key := v2.Clean(path)
		bad := key != v2.Clean(key) || strings.HasSuffix(key, "/")
		for i, part := range strings.Split(key, "/") {
			bad = bad || (part == "") != (i == 0) || part == "." || part == ".."
		}
		if bad {
			t.Fatalf("%q became %q", path, key)
		}
	})
}
