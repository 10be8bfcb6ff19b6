// Package access judges whether a permission was there when a request was served, and gone when one
// was refused.
//
// # Problem
//
// Who takes a permission away and is told that it is done relies on it: no request that is made
// later is served, by whatever member it is asked. And a permission that was given is there.
//
// # Picture
//
//	root     |--grant--|        |--revoke--|
//	the user    |-served-|  |-refused-| |-served-|  |-served-|
//	              may be      never       may be      never
//
// A permission is there or not: a store of one bit. Grants set it, revocations clear it, what is
// served has seen it set and what is refused has seen it cleared. So checker.Linearizable judges it
// as it judges any store, requests that overlap a change and changes that were not answered too.
//
// # What it does not do
//
// It judges one permission of one user at a time, and only what is promised to be of the present:
// no serializable read and no watch, which a member serves by what it knows itself.
package access
