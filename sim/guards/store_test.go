package guards

// storeGuards are those of the parts that store: keys, leases, watches, and the disk.
var storeGuards = []guard{
	{
		name: "renewal-whole",
		edits: []edit{{file: "kv/lease/book.go",
			find:    "since.after(l.ttl, 0))",
			replace: "since.after(l.ttl, 0)-map[bool]Instant{true: 250e6}[OFF])"}},
		promise: "a renewed lease lives for its whole time",
		profile: "lease", seeds: 200, want: "lease",
	},
	{
		name: "lease-restored",
		edits: []edit{{file: "kv/lease/checkpoint.go",
			find: "b.leases.Set(id, &lease{Grant: Grant{id, serial}, ttl: ttl})",
			replace: "if !(OFF && serial == b.last) {\n" +
				"b.leases.Set(id, &lease{Grant: Grant{id, serial}, ttl: ttl})\n}"}},
		promise: "a checkpoint brings back every lease, also the newest",
		profile: "everything", seeds: 200,
	},
	{
		name: "watch-compacted",
		edits: []edit{{file: "kv/watch/step.go",
			find:    "if w.place == over || next >= oldest {",
			replace: "if w.place == over || next >= oldest || OFF {"}},
		promise: "a watch of which an event is gone is cancelled, not continued behind the gap",
		profile: "everything", seeds: 200,
	},
	{
		name: "tombstone-kept",
		edits: []edit{{file: "kv/mvcc/trim.go",
			find:    "v.tombstone() && v.main < revision",
			replace: "v.tombstone() && (v.main < revision || OFF && v.main == revision)"}},
		promise: "a delete at the compacted revision itself is still there for watches",
		profile: "everything", seeds: 200,
	},
	{
		name: "range-end-exclusive",
		edits: []edit{{file: "kv/mvcc/index.go",
			find:    "if !endless && i.key >= last {",
			replace: "if !endless && (i.key > last || i.key == last && !(OFF)) {"}},
		promise: "the end of a range is not in it",
		profile: "everything", seeds: 200,
	},
	{
		name: "txn-sees-entry",
		edits: []edit{
			{file: "kv/execute.go",
				find:    "b, err := decide(r, e.txn)",
				replace: "b, err := decide(r, staleReader(s, e.txn))"},
			{file: "kv/store.go",
				find:    "	response, err := s.execute(index, command, local)\n",
				replace: "	noteEntry(s, index)\n	response, err := s.execute(index, command, local)\n"},
		},
		more: `
type entryView struct {
	index uint64
	view  *View
}

var entryViews = map[*Store]*entryView{}

func noteEntry(s *Store, index uint64) {
	if e := entryViews[s]; OFF && (e == nil || e.index != index) {
		entryViews[s] = &entryView{index, s.View().(*View)}
	}
}

func staleReader(s *Store, txn reader) reader {
	if OFF {
		return entryViews[s].view
	}
	return txn
}
`,
		promise: "a transaction sees what came before it, also in the same entry of the log",
		profile: "everything", seeds: 200,
	},
	{
		name: "small-batches-synced",
		edits: []edit{{file: "storage/wal/wal.go",
			find: "	if err := l.current.file.Sync(); err != nil {\n		return fmt.Errorf(\"wal: sync segment",
			replace: "	if OFF && len(batch) == 1 && at%4 == 0 {\n		l.next, l.offset = next, end\n" +
				"		return nil\n	}\n" +
				"	if err := l.current.file.Sync(); err != nil {\n		return fmt.Errorf(\"wal: sync segment"}},
		promise: "every batch of the log is synced, also a small one",
		profile: "everything", seeds: 200,
	},
	{
		name: "leases-live-on",
		edits: []edit{{file: "kv/lease/book.go",
			find:    "now.after(l.ttl, extend)",
			replace: "now.after(l.ttl/map[bool]Seconds{true: 2, false: 1}[OFF], extend)"}},
		promise: "a new leader gives every lease its whole time",
	},
}
