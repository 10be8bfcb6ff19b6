// Package archive keeps records in ascending order of their ID in immutable, checksummed segments.
//
// # The problem
//
// A store of many revisions writes each key and value once, reads any of them later, and forgets
// most of them in the end. A tree of pages that are updated in place writes every change several
// times, and must be stopped to be made smaller. But revisions only ascend: so they are kept as
// what they are, a log, in pieces that never change once they are full. What is forgotten is marked
// as dead, and pieces that are mostly dead are rewritten in the background, a little at a time.
//
// # The picture
//
//	     Kill marks records dead                          Append
//	          │        │                                    │
//	┌─────────▼──┐ ┌───▼────────┐   ┌────────────┐ ┌────────▼───┐
//	│ sealed     │ │ sealed     │   │ full       │ │ active     │   ascending IDs ──►
//	│ file       │ │ file       │   │ memory,    │ │ memory,    │
//	│ table      │ │ table      │   │ file grows │ │ file grows │
//	└────┬───────┘ └─────┬──────┘   └──────┬─────┘ └────────────┘
//	     └──── merge ────┘                 └─ sealed, once its file is whole
//	             ▼
//	      ┌────────────┐
//	      │ draft      │  replaces its sources, once its file is whole;
//	      └────────────┘  theirs are removed when no checkpoint needs them
//
// The owner, an [Archive], decides and never writes. What it wants of the disk it hands out as a
// [Step], one at a time; [Execute] does it, perhaps on another goroutine; [Archive.Done] takes
// note. A record is readable from the moment of Append, for the segment that grows is in memory
// too. Of a sealed segment only a table is in memory, 12 bytes a record; its records are read from
// the file.
//
// Readers use a [View]: the slice of sealed segments, and a copy of the slice headers of the one
// that grows. The owner replaces the former as a whole and only ever adds behind the end of the
// latter, so a view costs one small allocation and never changes. It needs no release.
//
// [Archive.Defragment] has more of that done than merges think worth it.
//
// A checkpoint names the segments that make up the archive. [Archive.Flush] gives the list, and the
// step after which it is true. After a crash [Open] makes the directory what the list says: it
// deletes segments that are not named and cuts the last one to its named length. So it does not
// matter what became of bytes that were written later. Kills are not kept: who uses the archive
// knows why a record is dead, and says it again.
//
// # An example
//
// With segments of 4 records, after records 1 to 10 were appended, 1, 2, 3, 5, 6 and 8 killed, and
// all steps executed:
//
//	s1 [1 2 3 4]  s2 [5 6 7 8]  (9 10)      sealed, sealed, in memory
//	s1 [† † † 4]  s2 [† † 7 †]  (9 10)      mostly dead both, so they are merged
//	s4 [4 7]                    (9 10)      s1 and s2 are retired
//
// s1 and s2 stay on disk until a checkpoint that names s4 is durable and Saved has said so; after a
// crash before that, Open finds them and deletes s4. A view that was made before the merge reads on
// from s1 and s2, even when their files were removed.
//
// # The bytes of a segment
//
//	0          8         12         16                                              file ends
//	├──────────┼──────────┼──────────┼────────┬────────┬──┼───────┬───────┬──┼─────────┤
//	│ detcdseg │ version  │ checksum │ record │ record │..│ entry │ entry │..│ trailer │
//	└──────────┴──────────┴──────────┴────────┴────────┴──┴───────┴───────┴──┴─────────┘
//	  header                           data                footer (sealed segments only)
//
//	record    checksum u32 │ major │ minor │ head size │ body size │ head │ body
//	entry     major - that of the entry before │ minor │ head size │ body size │ head
//	trailer   size of the entries u64 │ their number u32 │ chain u32 │ checksum of the footer u32
//
// u32 and u64 are little-endian, other numbers are varints, checksums are CRC-32C. The chain is the
// checksum of the checksums of all records. docs/formats/archive.md says more, byte by byte.
//
// So every byte is under a checksum: a record under its own, which every read from a file verifies;
// all records under the chain; the chain under the footer's; and that one in the checkpoint. Of an
// unsealed segment the checkpoint has the chain.
//
// # Invariants
//
// They hold between any two calls; the function valid in the tests checks exactly these.
//
//  1. IDs ascend strictly, within a segment and from one to the next.
//  2. The records of a segment lie behind each other from its header to the end of its data.
//  3. The dead bytes of a segment are those of its dead records, and the sums those of all sealed.
//  4. Sealed segments are whole in their files and not in memory; full ones are closed and not yet
//     whole in their files; the active one is open. Only the active one may be empty.
//  5. No two files have one name, and no name that is still to come is taken.
//  6. The sources of a merge are neighbours among the sealed; each record of its draft is one of
//     theirs, and dead in both or in neither.
//  7. What a checkpoint names, the last one saved or one begun since, is in the archive or retired.
//  8. If planned is set no merge is worth it, and if swept is set no file can be removed but those
//     that the step does which is under way.
//
// # What it does not do
//
// It bounds neither what was appended and not yet written nor how often a checkpoint is made: see
// [Stats]. It does not cache what it reads; the operating system does. It does not heal: damage is
// reported with file and offset, and mended by another member's copy. It does not know why a record
// is dead, and finds records by nothing but their ID.
package archive
