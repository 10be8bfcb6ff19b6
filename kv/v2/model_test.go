package v2_test

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"detcd/kv/v2"
)

// draw draws a command on few keys, so that they meet.
func draw(t *rapid.T, at v2.Time) v2.Command {
	name := rapid.SampledFrom([]string{"a", "b", "a-", "_h", "a\x00"})
	key := ""
	for range rapid.IntRange(0, 3).Draw(t, "depth") {
		key += "/" + name.Draw(t, "name")
	}
	c := v2.Command{
		Action:    rapid.SampledFrom([]v2.Action{1, 1, 1, 2, 3, 4, 5, 6, 7}).Draw(t, "action"),
		Key:       key,
		Value:     rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "value"),
		Dir:       rapid.IntRange(0, 3).Draw(t, "dir") == 0,
		Recursive: rapid.IntRange(0, 3).Draw(t, "recursive") == 0,
		Now:       at,
	}
	if ttl := rapid.IntRange(-8, 5).Draw(t, "ttl"); ttl >= 0 {
		c.Expires = at + v2.Time(ttl)*500_000_000
	}
	switch c.Action {
	case v2.Create:
		c.InOrder = rapid.Bool().Draw(t, "in order")
	case v2.CompareAndSwap, v2.CompareAndDelete:
		c.PrevValue = rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "previous value")
		c.PrevIndex = v2.Index(rapid.SampledFrom([]int{0, 0, 4, 5, 6}).Draw(t, "previous index"))
	case v2.Expire:
		c.Expires = at
	}
	if c.Expires != 0 && c.Action != v2.Expire && c.Action < v2.Delete {
		c.Refresh = rapid.IntRange(0, 2).Draw(t, "refresh") == 0 && c.Action != v2.Create
	}
	return c
}

// TestATreeDoesWhatANaiveOneDoes also takes the tree through a checkpoint now and then, and through
// the bytes of its commands: it must go on as if nothing had been.
func TestATreeDoesWhatANaiveOneDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree, model, at := v2.New(), newNaive(), now
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			at += v2.Time(rapid.IntRange(0, 3).Draw(t, "time")) * 300_000_000
			c := draw(t, at)
			c, err := v2.DecodeCommand(c.Append(nil))
			if err != nil {
				t.Fatal(err)
			}
			event, refusal := tree.Apply(&c)
			wantEvent, wantRefusal := model.apply(c)
			if !reflect.DeepEqual(event, wantEvent) || !reflect.DeepEqual(refusal, wantRefusal) {
				t.Fatalf("%+v\ngot  %+v %v\nwant %+v %v", c, event, refusal, wantEvent, wantRefusal)
			}
			if rapid.IntRange(0, 9).Draw(t, "restore") == 0 {
				tree = reborn(t, tree)
			}
			compare(t, tree, model)
		}
	})
}

func reborn(t *rapid.T, tree *v2.Tree) *v2.Tree {
	state := tree.Checkpoint()
	again, err := v2.Restore(state)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again.Checkpoint(), state) {
		t.Fatal("a checkpoint of what was restored is another one")
	}
	return again
}

func compare(t *rapid.T, tree *v2.Tree, model *naive) {
	if err := tree.Check(); err != nil {
		t.Fatal(err)
	}
	view := tree.View()
	if view.Index() != model.index() {
		t.Fatalf("index %d, not %d", view.Index(), model.index())
	}
	for key, node := range model.nodes {
		if got, err := view.Find(key); err != nil || *got != node {
			t.Fatalf("%q: %+v %v, not %+v", key, got, err, node)
		}
		var list []v2.Node
		view.Each(key, func(n *v2.Node) bool { list = append(list, *n); return true })
		if want := model.list(key); !reflect.DeepEqual(list, want) {
			t.Fatalf("in %q: %v, not %v", key, list, want)
		}
	}
	wait := draw(t, 0)
	since := v2.Index(rapid.IntRange(0, 70).Draw(t, "since"))
	_, refusal := view.Find(wait.Key)
	if want := model.way(wait.Key); !reflect.DeepEqual(refusal, want) {
		t.Fatalf("%q: %v, not %v", wait.Key, refusal, want)
	}
	event, refusal := view.Past(wait.Key, wait.Recursive, since)
	wantEvent, wantRefusal := model.past(wait.Key, wait.Recursive, since)
	if !reflect.DeepEqual(event, wantEvent) || !reflect.DeepEqual(refusal, wantRefusal) {
		t.Fatalf("a wait at %q (recursive: %v) from %d\ngot  %+v %v\nwant %+v %v", wait.Key,
			wait.Recursive, since, event, refusal, wantEvent, wantRefusal)
	}
}

func TestTheWindowHasTheLastThousand(t *testing.T) {
	tree, model := v2.New(), newNaive()
	for i := range 1200 {
		c := v2.Command{Action: v2.Set, Key: fmt.Sprint("/", i), Now: now}
		tree.Apply(&c)
		model.apply(c)
		for _, since := range []v2.Index{0, 1, 3, 4, tree.Index() - 1000, tree.Index() - 999, 5000} {
			event, err := tree.View().Past("", true, since)
			wantEvent, wantErr := model.past("", true, since)
			if !reflect.DeepEqual(event, wantEvent) || !reflect.DeepEqual(err, wantErr) {
				t.Fatalf("at %d from %d: %+v %v, not %+v %v", tree.Index(), since, event, err, wantEvent,
					wantErr)
			}
		}
	}
	for _, test := range []struct {
		after v2.Index
		count int
		whole bool
	}{{tree.Index(), 0, true}, {tree.Index() - 1, 1, true}, {203, 1000, true}, {202, 1000, false}} {
		events, whole := tree.View().Since(test.after)
		if len(events) != test.count || whole != test.whole {
			t.Errorf("after %d: %d events, %v", test.after, len(events), whole)
		}
	}
}

func TestTheWindowIsBoundedByBytes(t *testing.T) {
	tree := v2.New()
	value := string(make([]byte, 1<<20))
	for range 40 {
		tree.Apply(&v2.Command{Action: v2.Set, Key: "/a", Value: value, Now: now})
	}
	events, whole := tree.View().Since(3)
	if whole || len(events) != 7 { // each but the first has two values of a little over 1 MiB
		t.Errorf("%d events", len(events))
	}
	if err := tree.Check(); err != nil {
		t.Error(err)
	}
}

func TestAViewStaysAsItIs(t *testing.T) {
	tree := v2.New()
	tree.Apply(&v2.Command{Action: v2.Set, Key: "/a", Value: "1"})
	view := tree.View()
	if tree.View() != view {
		t.Error("two views of one state")
	}
	done := make(chan error)
	go func() {
		for range 1000 {
			n, err := view.Find("/a")
			events, whole := view.Since(3)
			if err != nil || n.Value != "1" || view.Index() != 4 || len(events) != 1 || !whole {
				done <- fmt.Errorf("%+v %v at %d, %d events", n, err, view.Index(), len(events))
				return
			}
		}
		done <- nil
	}()
	for range 2000 {
		tree.Apply(&v2.Command{Action: v2.Set, Key: "/a", Value: "2"})
		tree.View()
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
