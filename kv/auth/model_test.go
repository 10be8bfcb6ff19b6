package auth

import (
	"bytes"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// naive decides as simply as it can: by looking at every key there is, one by one.
type naive struct {
	users   map[string]map[string]bool // of roles
	roles   map[string][]Permission
	enabled bool
}

// alphabet makes all keys of up to two of these letters: few enough to look at each.
var alphabet = []string{"\x00", "a", "b", "c"}

func everyKey() (all []string) {
	for _, first := range alphabet {
		all = append(all, first)
		for _, second := range alphabet {
			all = append(all, first+second)
			for _, third := range alphabet {
				all = append(all, first+second+third)
			}
		}
	}
	return all
}

// in tells whether a request, or permission, for a range is about a key.
func in(k, key, end string) bool {
	switch end {
	case "":
		return k == key
	case "\x00":
		return k >= key
	}
	return key <= k && k < end
}

func (n *naive) mayTouch(user string, access Access, k string) bool {
	for role := range n.users[user] {
		for _, p := range n.roles[role] {
			if (p.Access == access || p.Access == ReadWrite) && in(k, p.Key, p.End) {
				return true
			}
		}
	}
	return false
}

func (n *naive) may(user string, access Access, key, end string, all []string) bool {
	if !n.enabled || n.users[user][Root] {
		return true
	}
	some := false
	for _, k := range all {
		if in(k, key, end) {
			some = true
			if !n.mayTouch(user, access, k) {
				return false
			}
		}
	}
	return some || n.mayTouch(user, access, key)
}

func drawKey(t *rapid.T) string {
	return rapid.SampledFrom([]string{"\x00", "a", "ab", "b", "ba", "bb", "c", "ca"}).Draw(t, "key")
}

func drawEnd(t *rapid.T) string {
	return rapid.SampledFrom([]string{"", "", "\x00", "ab", "b", "bb", "c", "cb"}).Draw(t, "end")
}

var names = []string{Root, "u", "v", "w"}

// change makes one random change of both, and wants the same outcome.
func (n *naive) change(t *rapid.T, b *Book) {
	name := rapid.SampledFrom(names).Draw(t, "name")
	role := rapid.SampledFrom(names).Draw(t, "role")
	access := Access(rapid.IntRange(0, 3).Draw(t, "access"))
	p := Permission{access, drawKey(t), drawEnd(t)}
	_, user := n.users[name]
	_, there := n.roles[role]
	guarded := n.enabled && role == Root
	agree := func(err error, should bool) bool {
		if (err == nil) != should {
			t.Fatalf("user %q, role %q, %v: %v, should be done: %t", name, role, p, err, should)
		}
		return should
	}
	switch rapid.IntRange(0, 9).Draw(t, "change") {
	case 0:
		if agree(b.AddUser(name, hash("x"), false), !user) {
			n.users[name] = map[string]bool{}
		}
	case 1:
		if agree(b.DeleteUser(name), user && !(n.enabled && name == Root)) {
			delete(n.users, name)
		}
	case 2, 3:
		if agree(b.GrantRole(name, role), user && (there || role == Root)) {
			n.users[name][role] = true
		}
	case 4:
		if agree(b.RevokeRole(name, role), n.users[name][role] && !(guarded && name == Root)) {
			delete(n.users[name], role)
		}
	case 5:
		if agree(b.AddRole(role), !there) {
			n.roles[role] = nil
		}
	case 6:
		if agree(b.DeleteRole(role), there && !guarded) {
			delete(n.roles, role)
			for _, roles := range n.users {
				delete(roles, role)
			}
		}
	case 7, 8:
		valid := p.End == "" || p.End == "\x00" || p.Key < p.End
		if agree(b.GrantPermission(role, &p), there && valid) {
			n.roles[role] = append(n.without(role, p.Key, p.End), p)
		}
	case 9:
		before := len(n.roles[role])
		rest := n.without(role, p.Key, p.End)
		if agree(b.RevokePermission(role, p.Key, p.End), len(rest) < before) {
			n.roles[role] = rest
		}
	}
}

func (n *naive) without(role, key, end string) (rest []Permission) {
	for _, p := range n.roles[role] {
		if p.Key != key || p.End != end {
			rest = append(rest, p)
		}
	}
	return rest
}

// TestTheBookIsTheNaiveBook makes random changes and asks random questions; now and then the book
// goes through a checkpoint.
func TestTheBookIsTheNaiveBook(t *testing.T) {
	all, answers := everyKey(), map[bool]int{}
	rapid.Check(t, func(t *rapid.T) {
		b := New()
		n := &naive{users: map[string]map[string]bool{}, roles: map[string][]Permission{}}
		for range rapid.IntRange(10, 60).Draw(t, "steps") {
			n.change(t, b)
			switch rapid.IntRange(0, 19).Draw(t, "more") {
			case 0:
				b.Disable()
				n.enabled = false
			case 1, 2, 3:
				if err := b.Enable(); (err == nil) != (n.enabled || n.users[Root][Root]) {
					t.Fatalf("enable: %v", err)
				}
				n.enabled = n.enabled || n.users[Root][Root]
			case 4:
				b = again(t, b)
			}
			view := b.View()
			user := rapid.SampledFrom(names).Draw(t, "user")
			access := Access(rapid.IntRange(0, 1).Draw(t, "asked"))
			key, end := drawKey(t), drawEnd(t)
			got := view.May(Caller{user, view.Revision()}, access, []byte(key), []byte(end)) == nil
			if want := n.may(user, access, key, end, all); got != want {
				t.Fatalf("%s asks for %d of %q to %q: %t, want %t", user, access, key, end, got, want)
			}
			answers[got]++
		}
		if err := b.Check(); err != nil {
			t.Fatal(err)
		}
	})
	if answers[true] == 0 || answers[false] == 0 {
		t.Errorf("the questions have one answer only: %v", answers)
	}
}

// again gives the book of a book's checkpoint.
func again(t *rapid.T, b *Book) *Book {
	restored, err := Restore(b.Checkpoint())
	if err != nil {
		t.Fatal(err)
	}
	restored.blob = nil
	if !bytes.Equal(restored.Checkpoint(), b.Checkpoint()) {
		t.Fatal("a restored book has another checkpoint")
	}
	x, y := restored.View(), b.View()
	if x.enabled != y.enabled || x.revision != y.revision || !slices.Equal(x.Users(), y.Users()) ||
		!slices.Equal(x.Roles(), y.Roles()) {
		t.Fatalf("restored %v, was %v", x, y)
	}
	return restored
}

// FuzzRestore: whatever is taken keeps the invariants and is written as it was read.
func FuzzRestore(f *testing.F) {
	b := New()
	_ = b.AddUser(Root, hash("r"), false)
	_ = b.GrantRole(Root, Root)
	_ = b.AddRole("r")
	_ = b.GrantPermission("r", &Permission{ReadWrite, "a", "\x00"})
	f.Add(New().Checkpoint())
	f.Add(b.Checkpoint())
	f.Fuzz(func(t *testing.T, blob []byte) {
		book, err := Restore(blob)
		if err != nil {
			return
		}
		if err := book.Check(); err != nil {
			t.Fatal(err)
		}
		book.blob = nil
		second, err := Restore(book.Checkpoint())
		if err != nil || second.revision != book.revision || second.users.Len() != book.users.Len() {
			t.Fatalf("%x becomes %x: %v", blob, book.Checkpoint(), err)
		}
	})
}
