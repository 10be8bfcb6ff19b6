package mvcc

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"hash/crc32"
	"math"
	"slices"
	"sort"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"
)

// change is one change in the history of the model.
type change struct {
	Revision
	key, value      string
	create, version int64 // version 0: a delete
	lease           int64
}

func (c change) live() bool { return c.version > 0 }

func (c change) meta() Meta {
	if !c.live() {
		return Meta{}
	}
	return Meta{c.create, c.Main, c.version, c.lease}
}

func (c change) kv() *mvccpb.KeyValue {
	return &mvccpb.KeyValue{Key: []byte(c.key), Value: []byte(c.value), CreateRevision: c.create,
		ModRevision: c.Main, Version: c.version, Lease: c.lease}
}

// model is the store told in the simplest way: the list of all changes that ever were. For the hash
// it also plays what etcd does to its file.
type model struct {
	history   []change
	revision  int64
	compacted int64
	stored    []change    // what etcd's file has once its compactions are done
	hashes    []modelHash // what etcd remembers of compactions
}

type modelHash struct {
	hash              uint32
	compact, revision int64
}

func newModel() *model { return &model{revision: 1, compacted: -1} }

func (m *model) clone() *model {
	c := *m
	c.history, c.stored, c.hashes =
		slices.Clone(m.history), slices.Clone(m.stored), slices.Clone(m.hashes)
	return &c
}

// latest returns the last change of a key up to a revision.
func (m *model) latest(key string, revision int64) (last change) {
	for _, c := range m.history {
		if c.key == key && c.Main <= revision {
			last = c
		}
	}
	return last
}

func inside(key string, low, high []byte) bool {
	switch {
	case len(high) == 0:
		return key == string(low)
	case string(high) == "\x00":
		return key >= string(low)
	}
	return key >= string(low) && key < string(high)
}

// visible returns what exists in an interval at a revision, in the order of keys.
func (m *model) visible(low, high []byte, revision int64) []change {
	last := map[string]change{}
	for _, c := range m.history {
		if inside(c.key, low, high) && c.Main <= revision {
			last[c.key] = c
		}
	}
	var out []change
	for _, c := range last {
		if c.live() {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b change) int { return cmp.Compare(a.key, b.key) })
	return out
}

// now is the revision that a transaction sees.
func (m *model) now(writes int64) int64 {
	if writes > 0 {
		return m.revision + 1
	}
	return m.revision
}

func (m *model) put(writes *int64, key, value string, lease int64) (previous change) {
	main := m.revision + 1
	previous = m.latest(key, main)
	c := change{Revision{main, *writes}, key, value, previous.create, previous.version + 1, lease}
	if !previous.live() {
		c.create = main
	}
	m.add(writes, c)
	return previous
}

func (m *model) remove(writes *int64, low, high []byte) []change {
	victims := m.visible(low, high, m.revision+1)
	for _, v := range victims {
		m.add(writes, change{Revision: Revision{m.revision + 1, *writes}, key: v.key})
	}
	return victims
}

func (m *model) add(writes *int64, c change) {
	m.history = append(m.history, c)
	m.stored = append(m.stored, c)
	*writes++
}

func (m *model) compact(revision int64) error {
	if revision <= m.compacted {
		return ErrCompacted
	}
	if revision > m.revision {
		return ErrFutureRevision
	}
	keep := m.keep(revision, true)
	hash := m.fileHash(m.compacted, revision, keep)
	m.hashes = append(m.hashes, modelHash{hash, m.compacted, revision})
	m.hashes = m.hashes[max(0, len(m.hashes)-10):]
	m.stored = slices.DeleteFunc(slices.Clone(m.stored), func(c change) bool {
		return c.Main <= revision && !keep[c.Revision]
	})
	m.compacted = revision
	return nil
}

// keep is the latest stored change of each key up to a revision; a delete counts only in a
// compaction, and only at just that revision.
func (m *model) keep(revision int64, compaction bool) map[Revision]bool {
	last := map[string]change{}
	for _, c := range m.stored {
		if c.Main <= revision {
			last[c.key] = c
		}
	}
	keep := map[Revision]bool{}
	for _, c := range last {
		if c.live() || compaction && c.Main == revision {
			keep[c.Revision] = true
		}
	}
	return keep
}

// fileHash goes over the stored changes by the rules of etcd's file.
func (m *model) fileHash(compacted, revision int64, keep map[Revision]bool) uint32 {
	h := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	h.Write([]byte("key"))
	for _, c := range m.stored {
		superseded := c.Main <= compacted && len(keep) > 0 && !keep[c.Revision]
		if c.Main > revision || superseded || c.Main == compacted && !c.live() {
			continue
		}
		k := binary.BigEndian.AppendUint64(nil, uint64(c.Main))
		k = binary.BigEndian.AppendUint64(append(k, '_'), uint64(c.Sub))
		kv := c.kv()
		if !c.live() {
			k = append(k, 't')
			kv = &mvccpb.KeyValue{Key: []byte(c.key)}
		}
		v, err := proto.MarshalOptions{Deterministic: true}.Marshal(kv)
		if err != nil {
			panic(err)
		}
		h.Write(k)
		h.Write(v)
	}
	return h.Sum32()
}

func (m *model) hash(revision int64) (hash uint32, compact, at int64, err error) {
	for _, h := range m.hashes {
		if h.revision == revision {
			return h.hash, h.compact, h.revision, nil
		}
	}
	switch {
	case revision > 0 && revision < m.compacted:
		return 0, 0, 0, ErrCompacted
	case revision > m.revision:
		return 0, 0, 0, ErrFutureRevision
	case revision == 0:
		revision = m.revision
	}
	return m.fileHash(m.compacted, revision, m.keep(revision, false)), m.compacted, revision, nil
}

// kvs can be sorted with package sort, as etcd does.
type kvs struct {
	list []*mvccpb.KeyValue
	less func(a, b *mvccpb.KeyValue) bool
}

func (s kvs) Len() int           { return len(s.list) }
func (s kvs) Less(i, j int) bool { return s.less(s.list[i], s.list[j]) }
func (s kvs) Swap(i, j int)      { s.list[i], s.list[j] = s.list[j], s.list[i] }

// read is a range, step by step as the feature table tells it.
func (m *model) read(o RangeOptions, now int64) (*Result, error) {
	at := o.Revision
	switch {
	case at > now:
		return nil, ErrFutureRevision
	case at <= 0:
		at = now
	case at < m.compacted:
		return nil, ErrCompacted
	}
	result := &Result{Revision: now}
	for _, c := range m.visible(o.Key, o.End, at) {
		result.KVs = append(result.KVs, c.kv())
	}
	result.Count = int64(len(result.KVs))
	if o.CountOnly {
		result.KVs = nil
		return result, nil
	}
	filters := o.MaxCreateRevision != 0 || o.MinCreateRevision != 0 ||
		o.MaxModRevision != 0 || o.MinModRevision != 0
	asIs := o.Order == OrderNone || o.Target == TargetKey && o.Order == OrderAscend
	if o.Limit > 0 && !filters && asIs {
		limit := min(o.Limit, math.MaxInt64-1) + 1
		result.KVs = result.KVs[:min(int64(len(result.KVs)), limit)]
	}
	result.KVs = slices.DeleteFunc(result.KVs, func(kv *mvccpb.KeyValue) bool {
		return o.MaxModRevision != 0 && kv.ModRevision > o.MaxModRevision ||
			o.MinModRevision != 0 && kv.ModRevision < o.MinModRevision ||
			o.MaxCreateRevision != 0 && kv.CreateRevision > o.MaxCreateRevision ||
			o.MinCreateRevision != 0 && kv.CreateRevision < o.MinCreateRevision
	})
	sortKVs(result.KVs, o)
	if o.Limit > 0 && int64(len(result.KVs)) > o.Limit {
		result.KVs, result.More = result.KVs[:o.Limit], true
	}
	for _, kv := range result.KVs {
		if o.KeysOnly {
			kv.Value = nil
			if o.Target != TargetValue {
				kv.Lease = 0
			}
		}
	}
	return result, nil
}

func sortKVs(list []*mvccpb.KeyValue, o RangeOptions) {
	less := [...]func(a, b *mvccpb.KeyValue) bool{
		TargetKey:     func(a, b *mvccpb.KeyValue) bool { return bytes.Compare(a.Key, b.Key) < 0 },
		TargetVersion: func(a, b *mvccpb.KeyValue) bool { return a.Version < b.Version },
		TargetCreate:  func(a, b *mvccpb.KeyValue) bool { return a.CreateRevision < b.CreateRevision },
		TargetMod:     func(a, b *mvccpb.KeyValue) bool { return a.ModRevision < b.ModRevision },
		TargetValue:   func(a, b *mvccpb.KeyValue) bool { return bytes.Compare(a.Value, b.Value) < 0 },
	}[o.Target]
	switch s := (kvs{list, less}); {
	case o.Order == OrderDescend:
		sort.Sort(sort.Reverse(s))
	case o.Order == OrderAscend || o.Target != TargetKey:
		sort.Sort(s)
	}
}

// events are the changes from one revision to another.
func (m *model) events(from, to int64, want func([]byte) bool) ([][]*mvccpb.Event, error) {
	if from < m.compacted {
		return nil, ErrCompacted
	}
	var last int64
	var out [][]*mvccpb.Event
	for _, c := range m.history {
		if c.Main < from || c.Main > to || c.Main > m.revision || want != nil && !want([]byte(c.key)) {
			continue
		}
		e := &mvccpb.Event{Kv: c.kv()}
		if !c.live() {
			e = &mvccpb.Event{Type: mvccpb.Event_DELETE,
				Kv: &mvccpb.KeyValue{Key: []byte(c.key), ModRevision: c.Main}}
		}
		if c.Main != last {
			out = append(out, nil)
		}
		last = c.Main
		out[len(out)-1] = append(out[len(out)-1], e)
	}
	return out, nil
}
