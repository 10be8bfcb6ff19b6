package mvcc

import (
	"flag"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/etcd/api/v3/mvccpb"
)

var rewrite = flag.Bool("rewrite", false, "write into the scripts what comes of them")

// TestAnomalies tells the textbook anomalies as scripts: which of them views prevent, which take a
// compare, and of what.
func TestAnomalies(t *testing.T) {
	scripts(t, "anomalies", func(t *testing.T, file string) {
		s := &stage{t: t, store: newScripted(t), actors: map[string]*actor{}}
		play(t, file, *rewrite, s.do)
		if err := s.store.Check(); err != nil {
			t.Error(err)
		}
	})
}

// A stage has a store and those who use it. Who has no name looks anew each time.
type stage struct {
	t      *testing.T
	store  *Store
	actors map[string]*actor
}

type actor struct {
	view *View
	txn  *Txn
}

// do performs "[name:] request" or "[name:] if compare and compare: request, request".
func (s *stage) do(request []string) string {
	a := &actor{}
	if name, named := strings.CutSuffix(request[0], ":"); named {
		request = request[1:]
		if s.actors[name] == nil {
			s.actors[name] = a
		}
		a = s.actors[name]
	}
	if request[0] != "if" {
		return s.perform(a, request)
	}
	compares, requests, _ := strings.Cut(strings.Join(request[1:], " "), ": ")
	txn := s.store.Begin()
	for compare := range strings.SplitSeq(compares, " and ") {
		if !s.holds(txn, compare) {
			txn.End()
			return "refused"
		}
	}
	for r := range strings.SplitSeq(requests, ", ") {
		s.perform(&actor{txn: txn}, strings.Fields(r))
	}
	return fmt.Sprintf("done at %d", txn.End())
}

func (s *stage) perform(a *actor, request []string) string {
	arguments := arguments(request[1:])
	switch request[0] {
	case "look":
		a.view = s.store.View()
		return fmt.Sprintf("revision %d", a.view.Revision())
	case "begin":
		a.txn = s.store.Begin()
		return ""
	case "end":
		revision := a.txn.End()
		a.txn = nil
		return fmt.Sprintf("revision %d", revision)
	case "get":
		if a.txn != nil {
			return describeRange(a.txn.Range(parseRange(arguments)))
		}
		if a.view == nil {
			a.view = s.store.View()
		}
		return describeRange(a.view.Range(parseRange(arguments)))
	case "compact":
		return (&player{server: storeServer{s.store}}).do(request)
	case "events":
		return s.events(arguments.number(0), arguments.number(1))
	}
	if a.txn != nil {
		write(a.txn, request)
		return ""
	}
	return storeServer{s.store}.txn(operations(request))
}

func write(txn *Txn, request []string) {
	a := arguments(request[1:])
	switch request[0] {
	case "put":
		txn.Put(a.word(0), a.word(1), 0)
	case "delete":
		txn.DeleteRange(a.word(0), a.word(1))
	default:
		panic("no such request: " + request[0])
	}
}

var comparison = regexp.MustCompile(`^(\w+)\[(.*?)(?:\.\.(.*))?\] ([<=>]) (\d+)$`)

// holds is a compare of a txn: every key of the range must satisfy it; one that is missing is zero.
func (s *stage) holds(txn *Txn, compare string) bool {
	m := comparison.FindStringSubmatch(compare)
	if m == nil {
		s.t.Fatalf("this is no compare: %s", compare)
	}
	found, err := txn.Range(RangeOptions{Key: word(m[2]), End: word(m[3])})
	if err != nil {
		s.t.Fatal(err)
	}
	if len(found.KVs) == 0 {
		found.KVs = []*mvccpb.KeyValue{{}}
	}
	return !slices.ContainsFunc(found.KVs, func(kv *mvccpb.KeyValue) bool {
		is := map[string]int64{"mod": kv.ModRevision, "create": kv.CreateRevision,
			"version": kv.Version}[m[1]]
		return !map[string]bool{"<": is < number(m[5]), "=": is == number(m[5]),
			">": is > number(m[5])}[m[4]]
	})
}

func (s *stage) events(from, to int64) string {
	var out strings.Builder
	err := s.store.View().Events(from, to, nil, func(revision int64, events []*mvccpb.Event) bool {
		for _, e := range events {
			fmt.Fprintf(&out, "%d: %v %s = %q\n", revision, e.Type, e.Kv.Key, e.Kv.Value)
		}
		return true
	})
	if err != nil {
		return err.Error()
	}
	return out.String()
}
