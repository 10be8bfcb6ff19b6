// Package auth knows who may do what: users, roles, and the ranges of keys that a role may read or
// write.
//
// # The problem
//
// That a request is permitted must be decided when it is executed, not when it arrives: between the
// two stands the log, and in it, perhaps, the very change that takes the permission away. And it
// must be decided alike by every member. But who makes a request only the member knows that was
// asked: it has seen the password, the token or the certificate. So two things are kept apart.
//
//	     the member that is asked                          every member
//	┌─────────────────────────────┐            ┌────────────────────────────────┐
//	│ token "k…Q.17" is of ann,   │  in the    │ Book at revision 5             │
//	│ found out at revision 5     ├── log ────►│ ann: reader                    │
//	│ Caller{ann, 5}              │            │ reader: read [a, c), read [c, f)│
//	└─────────────────────────────┘            └────────────────────────────────┘
//
// A Caller says who asks, and at which revision of the book that was found out. When the book has
// moved on by the time the request is executed, it is refused with ErrOldRevision and nothing is
// done: the token may have been of a user who is gone, or of another one of the same name. The
// client asks again. Who is Root is not held to it.
//
// # Ranges
//
// A user has roles and a role has permissions, each for a key, a range, or all keys from one on. A
// request for a range is permitted if each of its keys is in some permission of some role: what
// matters is the union. A role keeps the union of its own permissions (spans), made when it is
// changed. A check walks along the range that is asked for, as far as any of the user's roles
// reaches, and on from there:
//
//	asked for       ├───────────────────────────┤
//	role 1       ├───────────┤        ├──────┤
//	role 2             ├────────────────┤  ├────────┤
//	walk            └────────►──────────►────►──────►  permitted
//
// # Example
//
//	book := auth.New()
//	book.AddRole("reader")
//	book.GrantPermission("reader", &auth.Permission{Access: auth.Read, Key: "a", End: "f"})
//	book.AddUser("ann", hash, false)
//	book.GrantRole("ann", "reader")
//	view := book.View()
//	view.May(auth.Caller{User: "ann", Revision: view.Revision()}, auth.Read, []byte("b"), nil)
//
// # Invariants
//
// Book.Check tests these.
//
//  1. The revision is above 0.
//  2. Users and roles have names, and are filed under them.
//  3. Who has no password has no hash of one.
//  4. The roles of a user ascend; each is there, but the role Root need not be.
//  5. The permissions of a role have keys, ascend by key, and no two are for one range.
//  6. The spans of a role are the union of its permissions.
//  7. While the book is enabled, the user Root is there and has the role Root.
//
// Besides, the revision never goes back, and the same changes give the same book.
//
// # What it does not do
//
// It hashes no password and makes no token: that takes time and randomness, which kv/rpc has. It
// does not bound how many users and roles there are; only Root makes them. A permission that is
// granted again for the same range replaces the one that was there, always: etcd adds a second one
// when the role has another permission for the same first key, so that taking the right to write
// away by granting to read may fail there.
package auth
