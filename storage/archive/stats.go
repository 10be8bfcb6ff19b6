package archive

// Stats are sizes in bytes, and counts. Live and Dead count whole records.
type Stats struct {
	Segments  int   // in the present list, the unsealed one included
	Records   int   // live and dead
	Live      int64 // bytes of records that were not killed
	Dead      int64 // bytes of killed records that no merge has dropped yet
	Unwritten int64 // bytes that are only in memory
	Memory    int64 // bytes of records and tables in memory
	Disk      int64 // bytes of files, including those that wait for removal
	InUse     int64 // bytes of files that would be there if nothing in them were dead
}

const entrySize = 12

// Stats returns the sizes as they are now. It is cheap.
func (a *Archive) Stats() Stats {
	out := a.sums
	out.InUse = out.inUse()
	for _, d := range a.drafts() {
		out.add(&d.table, &d.dead)
		out.addDraft(d)
		out.InUse += d.table.data() - d.dead.bytes
		out.Unwritten += d.unwritten()
	}
	if a.merge != nil {
		out.addDraft(a.merge.draft)
		out.Memory += int64(a.merge.draft.table.length()) * entrySize
	}
	for _, s := range a.retired {
		out.Disk += s.Length
	}
	return out
}

// Live is that of Stats alone, which costs less to find out.
func (a *Archive) Live() int64 {
	live := a.sums.Live + a.active.table.data() - a.active.dead.bytes
	for _, d := range a.full {
		live += d.table.data() - d.dead.bytes
	}
	return live
}

func (s *Stats) add(t *table, dead *graves) {
	s.Segments++
	s.Records += t.length()
	s.Live += t.data() - dead.bytes
	s.Dead += dead.bytes
	s.Memory += int64(t.length()) * entrySize
}

func (s *Stats) addDraft(d *draft) {
	for _, c := range d.chunks {
		s.Memory += int64(len(c.data))
	}
	s.Memory += int64(len(d.footer.bytes))
	s.Disk += d.written
}
