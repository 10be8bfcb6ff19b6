package explore

import (
	"reflect"
	"slices"
	"strings"

	"detcd/consensus/replica"
)

// sum is a running hash of 64 bits.
type sum uint64

func (s *sum) mix(value uint64) {
	h := (uint64(*s) ^ value) * 0x9e3779b97f4a7c15
	*s = sum(h ^ h>>29)
}

func (s *sum) text(text string) {
	s.mix(uint64(len(text)))
	for len(text) >= 8 {
		s.mix(uint64(text[0]) | uint64(text[1])<<8 | uint64(text[2])<<16 | uint64(text[3])<<24 |
			uint64(text[4])<<32 | uint64(text[5])<<40 | uint64(text[6])<<48 | uint64(text[7])<<56)
		text = text[8:]
	}
	for i := range len(text) {
		s.mix(uint64(text[i]))
	}
}

// ignored are the fields of a member that decide nothing of what it will do, by type and name.
// Everything else counts, also fields that do not exist yet, so that two states are taken for one
// only if nothing could tell them apart.
var ignored = map[string]string{
	"replica.Replica.options":     "the same in all lives but for SessionID, digested beside it",
	"replica.Replica.ticks":       "only differences count, and only where members publish themselves",
	"replica.Replica.scratch":     "memory that is used again",
	"replica.Replica.firstSeen":   "all incarnations are 0 here, known or not",
	"replica.Replica.background":  "the background lane stands still here",
	"replica.requests.block":      "memory that is used again",
	"replica.memoryLog.sequences": "where entries are on the disk: of use for checkpoints only",
	"replica.Write.Records":       "the entries and the state that are in them are beside it",
	"replica.writes.next":         "as sequences",
	"replica.writes.at":           "as sequences",
	"replica.writes.scratch":      "memory that is used again",
	"raft.raft.tick":              "follows from the role",
	"raft.raft.step":              "follows from the role",
}

// digester walks everything that a member is made of.
type digester struct {
	sum
	now    replica.Time
	within []uintptr // pointers that are being walked: a structure may lead back to itself
}

// digest returns a hash of all that decides what the member will do. Times count as ages.
func digest(r *replica.Replica) sum {
	value := reflect.ValueOf(r)
	d := digester{now: replica.Time(value.Elem().FieldByName("now").Int())}
	d.walk(value)
	return d.sum
}

// ageMax is beyond what any rule of a member looks back to, in these small worlds.
const ageMax = 8 * replica.Time(tick)

var timeType = reflect.TypeFor[replica.Time]()

func (d *digester) walk(v reflect.Value) {
	if v.Type() == timeType {
		if at := replica.Time(v.Int()); at != 0 {
			d.mix(1 + uint64(min(d.now-at, ageMax)))
			return
		}
	}
	switch v.Kind() {
	case reflect.Bool:
		d.mix(map[bool]uint64{true: 1}[v.Bool()])
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		d.mix(uint64(v.Int()))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		d.mix(v.Uint())
	case reflect.String:
		d.text(v.String())
	case reflect.Pointer, reflect.Interface:
		d.refer(v)
	case reflect.Slice, reflect.Array:
		d.list(v)
	case reflect.Map:
		d.table(v)
	case reflect.Struct:
		d.fields(v)
	case reflect.Func:
		d.mix(map[bool]uint64{true: 1}[v.IsNil()])
	default:
		panic("explore: a member holds a " + v.Kind().String())
	}
}

func (d *digester) refer(v reflect.Value) {
	if v.IsNil() {
		d.mix(0)
		return
	}
	if v.Kind() == reflect.Interface {
		d.text(v.Elem().Type().String())
		d.walk(v.Elem())
		return
	}
	if i := slices.Index(d.within, v.Pointer()); i >= 0 {
		d.mix(uint64(i))
		return
	}
	d.mix(1)
	d.within = append(d.within, v.Pointer())
	d.walk(v.Elem())
	d.within = d.within[:len(d.within)-1]
}

func (d *digester) list(v reflect.Value) {
	if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
		d.text(string(v.Bytes()))
		return
	}
	d.mix(uint64(v.Len()))
	for i := range v.Len() {
		d.walk(v.Index(i))
	}
}

// table adds a map: the sum of its entries, whose order does not matter.
func (d *digester) table(v reflect.Value) {
	var all uint64
	for entries := v.MapRange(); entries.Next(); {
		one := digester{now: d.now, within: d.within}
		one.walk(entries.Key())
		one.walk(entries.Value())
		all += uint64(one.sum)
	}
	d.mix(uint64(v.Len()))
	d.mix(all)
}

func (d *digester) fields(v reflect.Value) {
	kind := v.Type()
	if strings.HasPrefix(kind.PkgPath(), "google.golang.org/protobuf/") {
		return // caches of the encoding
	}
	if kind.String() == "tracker.Inflights" {
		d.inflights(v)
		return
	}
	for i := range v.NumField() {
		if _, skip := ignored[kind.String()+"."+kind.Field(i).Name]; !skip {
			d.walk(v.Field(i))
		}
	}
}

// inflights adds the appends that raft counts as under way: a ring, of which a part is in use.
func (d *digester) inflights(v reflect.Value) {
	buffer, start := v.FieldByName("buffer"), int(v.FieldByName("start").Int())
	count := int(v.FieldByName("count").Int())
	d.mix(uint64(count))
	for i := range count {
		d.walk(buffer.Index((start + i) % int(v.FieldByName("size").Int())))
	}
}

// elapsed returns how many ticks ago raft's election time-out began.
func elapsed(r *replica.Replica) int {
	node := reflect.ValueOf(r).Elem().FieldByName("node").Elem()
	return int(node.FieldByName("raft").Elem().FieldByName("electionElapsed").Int())
}
