// Package wal keeps a log of opaque records that survives crashes: what Append returned nil for is
// there when the log is opened again.
//
// # The problem
//
// A member of a cluster promises things: a vote, an entry stored. A promise counts only when it
// would survive a crash of the whole machine. So the member writes it to the log, waits until the
// device has it, and promises then. Everything else it keeps can be rebuilt from a checkpoint and
// the log. This wait is on the path of every write of every client, so a batch of records costs one
// write and one sync, however many records it has.
//
// After a crash the log must tell three things apart, and the bytes do not say which is which:
//
//   - the end of the log;
//   - a batch whose write was under way. Nobody was promised anything: it is cut away;
//   - a batch that was promised and that the device has lost or changed. It must not be cut away,
//     as if it had never been, and it must not be read: the log is refused.
//
// # The bytes
//
// A log is a row of segments, files of a fixed size whose blocks are reserved before they are used.
// Batches follow each other without gaps; a batch that does not fit begins the next segment.
//
//	0000000000000001.wal            0000000000000002.wal            0000000000000003.wal
//	┌────────┬───────┬───────┬───┐  ┌────────┬───────┬──────────┐  ┌──────────────────┐
//	│ header │ batch │ batch │ 0 │  │ header │ batch │ 0 0 0 .. │  │ 0 0 0 0 0 0 0 .. │
//	└────────┴───────┴───────┴───┘  └────────┴───────┴──────────┘  └──────────────────┘
//	                                 the current one ▲              the spare one
//	                                                 └ the next batch goes here
//
//	header of a segment, 48 bytes
//	┌──────────┬─────────┬─────┬────────┬──────┬──────────┬───────┬─────┐
//	│ detcdWAL │ version │ sum │ number │ size │ sequence │ chain │ sum │
//	│    8     │    4    │  4  │   8    │  8   │    8     │   4   │  4  │
//	└──────────┴─────────┴─────┴────────┴──────┴──────────┴───────┴─────┘
//
//	batch, a multiple of 8 bytes
//	┌────────┬───────┬──────────┬───────┬────────┬──────┬─────┬────────┬──────┬─────┬───────┐
//	│ offset │ count │ sequence │ chain │ length │ body │ sum │ length │ data │ ... │ zeros │
//	│   4    │   4   │    8     │   4   │   4    │  4   │  4  │   4    │      │     │ 0..7  │
//	└────────┴───────┴──────────┴───────┴────────┴──────┴─────┴────────┴──────┴─────┴───────┘
//	 ◄──────────────── header of the batch ─────────────────► ◄──────── its body ─────────►
//
// sequence is the number of the first record of a batch or segment, chain the sum of the batch
// before it. So the sums form a chain, and a batch from elsewhere does not fit into it. The sum of
// a batch is seeded with the chain of its segment and covers its offset: a batch can be recognised
// by itself, also behind one that cannot be read, and nothing that a client writes looks like one.
// docs/formats/wal.md has the grammar and a log to read byte by byte.
//
// # Recovery
//
// Open reads batches until it meets something that is not the next batch. Three facts decide what
// that is. A batch is written only after the one before it was synced: so whatever was written
// behind a bad batch proves that this one was whole once, and is damaged. A segment is blank before
// it is used: so what is not zero was written. And the header of a segment is written together with
// its first batch, in one write: so beginning a segment costs nothing extra, and a bad header with
// nothing behind it is a torn write like any other. See table, where each case is a row.
//
//	crash while batch 3 is written      batch 1, batch 2, some bytes      cut the bytes
//	a bit of batch 3 flips, then        batch 1, batch 2, bad, batch 4    refuse: damaged
//	  recovery, after batch 4
//	the same, batch 3 is the last       batch 1, batch 2, bad             cut: it looks torn
//
// The last case is the price of one sync per batch (docs/decisions/0101): the caller gets a Torn
// and can tell its users. In a cluster the other members have the records.
//
// What Open returns is durable. A process may have died between a write and its sync while the
// system lived on; the next process sees the batch, and would act on it, although a power failure
// could still take it away. So Open syncs what it found before it returns.
//
// # Space
//
// When half of a segment is used the next one is made: reserved, synced, named. If the device is
// full the log notices then, while there is room left for what is under way: HasHeadroom turns
// false, and the caller refuses new work. Blocks that were reserved and never written make a sync
// dearer, because the system must also note that they are in use now; so now and then a batch is
// followed by zeros that take the next 256 KiB into use at once (docs/decisions/0102).
//
// # Example
//
//	log, recovery, err := wal.Open(fs, "wal", 1, wal.Options{})
//	for _, record := range recovery.Records {
//		replay(record.Sequence, record.Data)
//	}
//	err = log.Append([][]byte{vote, entry})  // nil: both are durable
//	err = log.Release(checkpoint)            // what a checkpoint covers can go
//
// # What it does not do
//
//   - It does not know what a record means, and never changes one.
//   - It starts no goroutine and has no lock: one owner calls it.
//   - It does not repair: damage is reported with file and offset (vfs.CorruptionError).
//   - It does not notice by itself that the last segments were deleted, that all of what was
//     written last turned to zeros, or that it is an older copy, or another log altogether. The
//     caller can write down a Position and have Open refuse a log that was never there.
//   - After a failed write or sync it does not try again: what a device has then is not known.
package wal
