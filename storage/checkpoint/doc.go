// Package checkpoint saves one blob so that after any crash there is the old one or the new one,
// whole.
//
// # The problem
//
// A log that is only appended to grows for ever, and reading it takes longer and longer. So now and
// then a member writes down its state (how far it has applied the log, its members, which archive
// segments hold the rest) and lets go of the log before that. From then on all depends on this
// blob: it must be durable before anything is deleted for its sake, and never half of it may be
// taken for the whole.
//
// # The steps
//
//	1  write  unfinished                    header and blob, under a name that Load ignores
//	2  sync   unfinished                    now the bytes are durable
//	3  rename unfinished → 000000000000002a.checkpoint       atomic: no name, or the whole
//	4  sync   the directory                 now the name is durable, and Save may return nil
//	5  remove 0000000000000017.checkpoint   what it replaces
//
// A crash before step 4 leaves the old one or the new one, after it the new one; the old one may
// come back beside it, and Load takes the highest number.
//
// # The bytes
//
//	┌──────────┬─────────┬─────┬────────┬────────┬──────┬─────┬──────┐
//	│ detcdCKP │ version │ sum │ number │ length │ body │ sum │ blob │
//	│    8     │    4    │  4  │   8    │   8    │  4   │  4  │      │
//	└──────────┴─────────┴─────┴────────┴────────┴──────┴─────┴──────┘
//	 ◄──── preamble ─────►                         ▲      ▲
//	                       checksum of the blob ───┘      └─── checksum of all before it
//
// docs/formats/checkpoint.md has the grammar and a file to read byte by byte.
//
// # Example
//
//	err := checkpoint.Save(fs, "checkpoint", applied, state)
//	number, state, err := checkpoint.Load(fs, "checkpoint") // number 0: there is none
//
// # Invariants
//
//  1. A file with the name of a checkpoint was synced before it got the name.
//  2. Its content never changes. A checkpoint under the same number is another file.
//  3. When Save or Load has returned a checkpoint, no crash brings back an older one.
//
// # What it does not do
//
//   - It never falls back to an older checkpoint when the newest is damaged: what the older one
//     needs may be gone. Damage is reported with file and offset, and other members have the state.
//   - It keeps no history, and knows nothing of what the blob names.
//   - It holds the blob in memory, once.
package checkpoint
