// Package vfs is the seam between storage and the device: files as a log needs them, on the
// operating system and in memory that can crash.
//
// # The problem
//
// A program that says "saved" must be right about it after the power failed. What a device holds
// then is not what the program wrote, but what was synced, plus any part of the rest:
//
//	program     create a    write 1    sync a    write 2    write 3    rename a b    crash
//	                                     │
//	certain     the bytes of write 1  ◄──┘  under a name, if its directory was synced
//	possible    neither name, a, or b; writes 2 and 3 or parts of them, in any order
//
// No test on a real device shows the possible outcomes at will. Memory does: CrashClone makes an
// image of what a crash at this moment could leave, chosen by a generator, so the same seed gives
// the same image. All of storage runs on it in the simulator, the same code as on the system.
//
// # What can be relied on
//
// Of any FS:
//
//  1. What Sync of a file returned nil for, bytes and size, is there after a crash, if the name is.
//  2. What SyncDir returned nil for, the names of a directory, is there after a crash.
//  3. A directory is one of the names of its parent, so the parents are synced too: MakeDir.
//  4. A rename happens or does not; never are both names gone.
//  5. Of the rest everything may be lost or kept or cut, piece by piece, each piece by itself.
//  6. A sector that is written again keeps the bytes that are the same.
//  7. A handle reads and writes its file, whatever happens to the name.
//
// Rule 6 is what lets a log put a new batch behind an old one in the same sector. Devices promise
// it by writing a sector whole or not at all; Memory tears inside of the new bytes, never outside.
//
// # Memory
//
// A file is a list of pages, and a list of how to undo what came after the last sync:
//
//	pages    │ 4096 │ nil: zeros │ 4096 │      crash images may share them; copied when written
//	changes  │ write 300 at 5000, the size was 5000 │ write 20 at 10, 20 bytes of undo │ ...
//	undo     │ the old 20 bytes at 10 │ ...
//
// A write costs a copy of what it overwrites, a sync costs nothing, and a crash image walks the
// undo back and then lets each change have its fate. So the simulator, which writes and syncs
// millions of times for each crash, pays little.
//
// # Example
//
//	memory := vfs.NewMemory()
//	file, err := memory.Create("a")
//	...
//	image := memory.CrashClone(rand.New(rand.NewPCG(1, 2)))
//	file, err = image.Open("a") // there or not
//
// Wrap puts a judge in front of an FS: it sees each operation before it happens, counts it, delays
// it, lets it fail, or lies about it. Package vfstest has the suite that every FS passes, and the
// way to crash a piece of work everywhere.
//
// Here too is what all files of storage share: how they begin (AppendPreamble), their checksum
// (Checksum), and how damage and newer versions are reported (CorruptionError, VersionError).
//
// # What it does not do
//
//   - No locks: a Memory belongs to one goroutine. Only OS may be shared.
//   - No permissions, links, or times.
//   - Memory is never full; a judge that answers ErrNoSpace plays that.
//   - Unsynced changes are kept without a bound, as in the cache of a system: sync them.
//   - A sync that failed leaves the state unknown, as on a system: nothing there is to be trusted.
package vfs
