package mvcc

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

var etcdAddresses = flag.String("etcd", "",
	"record what etcd answers: comma-separated host:port of fresh members, one for each script")

// TestAnswersAreThoseOfEtcd plays scripts whose answers were recorded from etcd 3.7.3. To record
// them again, start as many empty single members as there are scripts:
//
//	go test ./kv/mvcc -run AnswersAreThoseOfEtcd -etcd 127.0.0.1:2379,127.0.0.1:3379,...
func TestAnswersAreThoseOfEtcd(t *testing.T) {
	addresses := strings.Split(*etcdAddresses, ",")
	recorded := 0
	scripts(t, "etcd", func(t *testing.T, file string) {
		if *etcdAddresses == "" {
			play(t, file, false, (&player{server: storeServer{newScripted(t)}}).do)
			return
		}
		connection, err := grpc.NewClient(addresses[recorded],
			grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		recorded++
		play(t, file, true, (&player{server: etcdServer{connection}}).do)
	})
}

// A server is what a script runs against.
type server interface {
	txn(ops [][]string) string // put, delete and get
	compact(revision int64) error
	hash(revision int64) (hash uint32, compact, at int64, err error)
	grant(lease int64)
}

// player translates the lines of a script.
type player struct {
	server              server
	revision, compacted int64
}

func (p *player) do(request []string) string {
	switch request[0] {
	case "compact":
		at := p.at(request[1])
		if err := p.server.compact(at); err != nil {
			return fmt.Sprintf("%d: %s", at, textOf(err))
		}
		p.compacted = at
		return fmt.Sprint(at)
	case "hash":
		hash, compact, at, err := p.server.hash(p.at(request[1]))
		if err != nil {
			return textOf(err)
		}
		return fmt.Sprintf("%d, compacted %d, at %d", hash, compact, at)
	case "grant":
		p.server.grant(number(request[1]))
		return ""
	case "fill":
		var out string
		for i := range number(request[2]) {
			key, value := fmt.Sprintf("%s%03d", request[1], i), fmt.Sprint(i*i%7)
			out = p.server.txn([][]string{{"put", key, value}})
		}
		return out
	default:
		return p.server.txn(operations(request))
	}
}

// operations are the parts of "txn OPERATION; OPERATION", or the one that a request is.
func operations(request []string) (ops [][]string) {
	if request[0] != "txn" {
		return [][]string{request}
	}
	for op := range strings.SplitSeq(strings.Join(request[1:], " "), ";") {
		ops = append(ops, strings.Fields(op))
	}
	return ops
}

// at is a revision: a number, or +N for so many after the last compaction.
func (p *player) at(text string) int64 {
	if after, relative := strings.CutPrefix(text, "+"); relative {
		return p.compacted + number(after)
	}
	return number(text)
}

// textOf is the text of an error without what only the wire adds.
func textOf(err error) string {
	return strings.TrimPrefix(status.Convert(err).Message(), "etcdserver: ")
}

type storeServer struct{ *Store }

func (s storeServer) txn(ops [][]string) string {
	var out strings.Builder
	txn := s.Begin()
	for _, op := range ops {
		a := arguments(op[1:])
		switch op[0] {
		case "put":
			txn.Put(a.word(0), a.word(1), a.number(2))
		case "delete":
			fmt.Fprintf(&out, "deleted %d\n", len(txn.DeleteRange(a.word(0), a.word(1))))
		case "get":
			out.WriteString(describeRange(txn.Range(parseRange(a))))
		default:
			panic("no such request: " + op[0])
		}
	}
	before := s.Revision()
	if revision := txn.End(); revision > before {
		fmt.Fprintf(&out, "revision %d\n", revision)
	}
	return out.String()
}

func (s storeServer) compact(revision int64) error {
	err := s.Compact(revision)
	for s.Work(1) {
	}
	return err
}

func (s storeServer) hash(revision int64) (uint32, int64, int64, error) {
	return s.View().Hash(revision)
}

func (s storeServer) grant(int64) {}
