// Package vfstest tests what rests on a vfs.FS.
//
// Run is the conformance suite: what every FS must do for storage to be right on it. The operating
// system and memory pass the same suite, so what is tested on the one holds on the other.
//
// CrashEverywhere is how storage tests its recovery. It wraps a Memory so that a piece of work, say
// a few appends to a log, is stopped for a moment before each operation that changes something:
//
//	work      Create   Write   Sync   Write   Sync
//	             ▲       ▲       ▲      ▲       ▲      ▲
//	images      123     123     123    123     123    123
//
// At each ▲ it makes crash images (first one where nothing unsynced survived, then by chance) and
// gives them to a check, which knows from the variables of the test what was acknowledged so far
// and opens the image as a restart would. Afterwards the work goes on as if nothing had happened.
// One run of the work meets all its crash points, and a check may do the same again with what the
// recovery does.
//
// EverySyncCounts leaves out one sync of a directory after the other, and wants each to be missed.
//
// It does not test that a device keeps what it promised: that is what fsync is for.
package vfstest
