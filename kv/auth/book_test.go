package auth

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"testing"
)

// hash is any, as the protocol has it.
func hash(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func ExampleBook() {
	book := New()
	_ = book.AddRole("reader")
	_ = book.GrantPermission("reader", &Permission{Read, "a", "c"})
	_ = book.GrantPermission("reader", &Permission{Read, "c", "f"})
	_ = book.AddUser(Root, "", true)
	_ = book.GrantRole(Root, Root)
	_ = book.AddUser("ann", hash("secret"), false)
	_ = book.GrantRole("ann", "reader")
	fmt.Println(book.Enable(), book.View().Revision())
	view := book.View()
	ann := Caller{"ann", view.Revision()}
	fmt.Println(view.May(ann, Read, []byte("b"), []byte("d")))
	fmt.Println(view.May(ann, Read, []byte("b"), []byte("g")))
	fmt.Println(view.May(ann, Write, []byte("b"), nil))
	_ = book.RevokeRole("ann", "reader")
	fmt.Println(book.View().May(ann, Read, []byte("b"), nil), view.May(ann, Read, []byte("b"), nil))
	// Output:
	// <nil> 8
	// <nil>
	// permission denied
	// permission denied
	// revision of auth store is old <nil>
}

// enabled is a book with Root, ann who may read [a, c), and bob who has a role without permissions.
func enabled(t *testing.T) *Book {
	t.Helper()
	b := New()
	for _, err := range []error{
		b.AddUser(Root, hash("r"), false), b.GrantRole(Root, Root), b.AddRole(Root),
		b.AddRole("reader"), b.GrantPermission("reader", &Permission{Read, "a", "c"}),
		b.AddUser("ann", hash("a"), false), b.GrantRole("ann", "reader"),
		b.AddRole("idle"), b.AddUser("bob", "", true), b.GrantRole("bob", "idle"), b.Enable(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func TestEveryRefusalOfAChange(t *testing.T) {
	bare := New()
	b := enabled(t)
	before := b.View()
	for i, c := range []struct{ got, want error }{
		{bare.Enable(), ErrNoRootUser}, {errors.Join(bare.AddUser(Root, "", true)), nil},
		{bare.Enable(), ErrNoRootRole},
		{b.AddUser("", "", false), ErrUserEmpty}, {b.AddUser("ann", "", false), ErrUserExists},
		{b.AddUser("eve", "%", false), ErrNoPassword}, {b.ChangePassword("eve", ""), ErrUserUnknown},
		{b.ChangePassword("ann", "%"), ErrNoPassword}, {b.DeleteUser("eve"), ErrUserUnknown},
		{b.DeleteUser(Root), ErrManagement}, {b.GrantRole("eve", "reader"), ErrUserUnknown},
		{b.GrantRole("ann", "writer"), ErrRoleUnknown}, {b.RevokeRole("eve", "x"), ErrUserUnknown},
		{b.RevokeRole("ann", "idle"), ErrRoleNotGranted}, {b.RevokeRole(Root, Root), ErrManagement},
		{b.AddRole(""), ErrRoleEmpty}, {b.AddRole("idle"), ErrRoleExists},
		{b.DeleteRole("writer"), ErrRoleUnknown}, {b.DeleteRole(Root), ErrManagement},
		{b.GrantPermission("writer", nil), ErrNoPermission},
		{b.GrantPermission("idle", &Permission{Read, "", "b"}), ErrManagement},
		{b.GrantPermission("idle", &Permission{Read, "b", "b"}), ErrManagement},
		{b.GrantPermission("writer", &Permission{Read, "b", ""}), ErrRoleUnknown},
		{b.RevokePermission("writer", "b", ""), ErrRoleUnknown},
		{b.RevokePermission("reader", "a", ""), ErrNotGranted},
		{b.Enable(), nil}, {b.GrantRole("ann", "reader"), nil}, // nothing changes
	} {
		if !errors.Is(c.got, c.want) {
			t.Errorf("%d: %v, want %v", i, c.got, c.want)
		}
	}
	if b.View() != before {
		t.Error("a refused change changed something")
	}
}

func TestEveryRefusalOfACaller(t *testing.T) {
	b := enabled(t)
	v := b.View()
	now, key := v.Revision(), []byte("b")
	for i, c := range []struct{ got, want error }{
		{v.Somebody(Caller{}), ErrUserEmpty}, {v.Somebody(Caller{"eve", 1}), nil},
		{v.Admin(Caller{}), ErrUserEmpty}, {v.Admin(Caller{"", now}), ErrUserEmpty},
		{v.Admin(Caller{"eve", now}), ErrUserUnknown}, {v.Admin(Caller{"ann", now}), ErrDenied},
		{v.Admin(Caller{Root, 1}), nil},
		{v.May(Caller{}, Read, key, nil), ErrUserEmpty},
		{v.May(Caller{"ann", now - 1}, Read, key, nil), ErrOldRevision},
		{v.May(Caller{Root, now - 1}, Read, key, nil), ErrOldRevision},
		{v.May(Caller{"eve", now}, Read, key, nil), ErrDenied},
		{v.May(Caller{"bob", now}, Read, key, nil), ErrDenied},
		{v.May(Caller{"ann", now}, Write, key, nil), ErrDenied},
		{v.May(Caller{"ann", now + 1}, Read, key, nil), nil},
		{v.May(Caller{Root, now}, Write, []byte{0}, []byte{0}), nil},
		{v.Fresh(Caller{"ann", now + 1}), ErrOldRevision}, {v.Fresh(Caller{}), nil},
		{v.Admin(Itself()), nil}, {v.Somebody(Itself()), nil}, {v.Fresh(Itself()), nil},
		{v.May(Itself(), Write, key, nil), nil},
	} {
		if c.got != c.want {
			t.Errorf("%d: %v, want %v", i, c.got, c.want)
		}
	}
	b.Disable()
	off := b.View()
	for _, err := range []error{off.Somebody(Caller{}), off.Admin(Caller{}),
		off.May(Caller{}, Write, key, nil), off.Fresh(Caller{"ann", 1})} {
		if err != nil {
			t.Errorf("disabled: %v", err)
		}
	}
	if off.Revision() != now+1 || v.Enabled() != true {
		t.Error("disabling is a change, and an old view stays as it is")
	}
}

func TestAPermissionThatIsGrantedAgainReplacesTheFirst(t *testing.T) {
	b := New()
	_ = b.AddRole("r")
	for _, p := range []Permission{
		{ReadWrite, "b", "d"}, {Read, "b", "c"}, {Write, "a", ""}, {Read, "b", "d"}, {7, "c", ""},
	} {
		_ = b.GrantPermission("r", &p)
	}
	want := []Permission{{Write, "a", ""}, {Read, "b", "d"}, {Read, "b", "c"}, {7, "c", ""}}
	if got := b.View().Role("r").Permissions; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestADeletedRoleIsTakenFromItsUsers(t *testing.T) {
	b := enabled(t)
	_ = b.GrantRole("bob", "reader")
	before := b.View().Revision()
	if err := b.DeleteRole("reader"); err != nil {
		t.Fatal(err)
	}
	v := b.View()
	if v.Revision() != before+1 || v.User("ann").Has("reader") || v.User("bob").Has("reader") ||
		!v.User("bob").Has("idle") {
		t.Errorf("revision %d, ann %v, bob %v", v.Revision(), v.User("ann"), v.User("bob"))
	}
}

func TestImportJoinsPermissionsForOneRange(t *testing.T) {
	roles := []Role{{Name: "r", Permissions: []Permission{
		{Read, "b", "d"}, {Read, "a", ""}, {Write, "b", "d"}, {Read, "a", ""}}}}
	b, err := Import([]User{{Name: "ann", Roles: []string{"r", "r"}}}, roles, false, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []Permission{{Read, "a", ""}, {ReadWrite, "b", "d"}}
	got := b.View()
	if !slices.Equal(got.Role("r").Permissions, want) || got.Revision() != 1 {
		t.Errorf("%v at revision %d", got.Role("r").Permissions, got.Revision())
	}
	if _, err := Import([]User{{Name: "ann", Roles: []string{"x"}}}, nil, false, 9); err == nil {
		t.Error("a role that is not there is taken")
	}
	if _, err := Import(nil, nil, true, 9); !errors.Is(err, ErrDamaged) {
		t.Errorf("enabled without root: %v", err)
	}
}

func TestCheckFindsEveryBrokenInvariant(t *testing.T) {
	for number, damage := range map[int]func(b *Book){
		1: func(b *Book) { b.revision = 0 },
		2: func(b *Book) { b.users.Set("eve", b.View().User("ann")) },
		3: func(b *Book) { b.View().User("bob").Hash = []byte("h") },
		4: func(b *Book) { b.roles.Delete("reader") },
		5: func(b *Book) { b.View().Role("reader").Permissions[0].End = "a" },
		6: func(b *Book) { b.View().Role("reader").reads = nil },
		7: func(b *Book) { b.users.Delete(Root) },
	} {
		b := enabled(t)
		if err := b.Check(); err != nil {
			t.Fatal(err)
		}
		damage(b)
		want := fmt.Sprintf("auth: invariant %d", number)
		if err := b.Check(); err == nil || err.Error()[:len(want)] != want {
			t.Errorf("damage %d: %v", number, err)
		}
	}
}
