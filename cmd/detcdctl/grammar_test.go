package main

import (
	"slices"
	"strings"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/protobuf/proto"
)

func TestAConditionIsATargetAKeyAnOperatorAndAValue(t *testing.T) {
	for _, c := range []struct {
		line string
		want clientv3.Cmp
	}{
		{`value("a") = "1"`, clientv3.Compare(clientv3.Value("a"), "=", "1")},
		{`val("a") != ""`, clientv3.Compare(clientv3.Value("a"), "!=", "")},
		{`val("a \" b")="x"`, clientv3.Compare(clientv3.Value(`a " b`), "=", "x")},
		{"value(`a`) = `\\`", clientv3.Compare(clientv3.Value("a"), "=", `\`)},
		{`mod("a") > "7"`, clientv3.Compare(clientv3.ModRevision("a"), ">", 7)},
		{`m("a") < "-7"`, clientv3.Compare(clientv3.ModRevision("a"), "<", -7)},
		{`c("a") = "0"`, clientv3.Compare(clientv3.CreateRevision("a"), "=", 0)},
		{`create ( "a" )   =   "0" `, clientv3.Compare(clientv3.CreateRevision("a"), "=", 0)},
		{`ver("") = "3"`, clientv3.Compare(clientv3.Version(""), "=", 3)},
		{`version("a") = "3"`, clientv3.Compare(clientv3.Version("a"), "=", 3)},
		{`lease("a") = "0"`, clientv3.Compare(clientv3.LeaseValue("a"), "=", 0)},
		{`lease("a") = "694d71"`, clientv3.Compare(clientv3.LeaseValue("a"), "=", 0x694d71)},
	} {
		got, err := parseCompare(c.line)
		if err != nil || !sameCompare(got, c.want) {
			t.Errorf("%s: %v, %v; want %v", c.line, got.GetCompare(), err, c.want.GetCompare())
		}
	}
}

// sameCompare compares conditions as they are on the wire.
func sameCompare(a, b clientv3.Cmp) bool {
	return proto.Equal(a.GetCompare(), b.GetCompare())
}

func TestWhatIsNoConditionIsRefusedWithAReason(t *testing.T) {
	for line, want := range map[string]string{
		``:                                 "wanted",
		`value`:                            "wanted",
		`value("a"`:                        "no )",
		`value(a) = "1"`:                   "the key is not between quotes",
		`value('a') = "1"`:                 "the key is not between quotes",
		`value("a) = "1"`:                  "no )",
		`value("a") "1"`:                   "= != < >",
		`value("a") == "1"`:                "the value is not between quotes",
		`value("a") >= "1"`:                "the value is not between quotes",
		`value("a") = 1`:                   "the value is not between quotes",
		`value("a") = "1" "2"`:             "more behind the value",
		`bogus("a") = "1"`:                 "unknown target bogus",
		`mod("a") = "x"`:                   "invalid txn compare request",
		`lease("a") = "0x1"`:               "invalid txn compare request",
		`version("a") = "1e3"`:             "invalid txn compare request",
		`mod("a") = "9999999999999999999"`: "invalid txn compare request",
	} {
		if _, err := parseCompare(line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", line, err, want)
		}
	}
}

func TestALineIsSplitLikeOneOfAShell(t *testing.T) {
	for line, want := range map[string][]string{
		``:                   nil,
		`  put  a b `:        {"put", "a", "b"},
		`put "a b" 'c "d'`:   {"put", "a b", `c "d`},
		`put "a\tb" "\x00"`:  {"put", "a\tb", "\x00"},
		`put "" ''`:          {"put", "", ""},
		`get --limit=3 "a"b`: {"get", "--limit=3", "a", "b"},
		`get --user="a b"`:   {"get", `--user="a`, `b"`},
	} {
		got, err := split(line)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v; want %q", line, got, err, want)
		}
	}
	for _, line := range []string{`"a`, `'a`, `put "a\q"`, `"`, `a '`} {
		if got, err := split(line); err == nil {
			t.Errorf("%s: %q; want an error", line, got)
		}
	}
}

func TestAnOperationIsACommandWithItsFlags(t *testing.T) {
	for _, line := range []string{
		"put a b", `put "a b" 'c d' --prev-kv`, "put a --ignore-value --lease 7", "get a",
		"get a b --limit 3", "get --prefix a --order DESCEND --sort-by MODIFY", "del a --prev-kv",
		"del a b", "del --from-key a",
	} {
		if _, err := parseOperation(line); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	for _, line := range []string{
		"", "put", "put a", "get", "foo a", "get a --nosuchflag", "put a b c", "del a b c",
		"get a -h", "put a b --lease x", "get a --write-out json", "get --limit x a",
	} {
		if _, err := parseOperation(line); err == nil {
			t.Errorf("%q is taken", line)
		}
	}
}

// FuzzTransactions: whatever is typed, it is read or refused. etcdctl ends with a panic on some.
func FuzzTransactions(f *testing.F) {
	for _, line := range []string{
		`lease("a") = "0"`, `value("a") = "1"`, `mod("a") ? "1"`, `put a b --lease 7`, `get "a" --prefix`,
		`del a b`, `put "`, "value(`", `get -h`, `put --`, "get -\xff",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		line = strings.TrimSpace(strings.ReplaceAll(line, "\n", " "))
		if compare, err := parseCompare(line); err == nil {
			if len(compare.GetCompare().GetKey()) > len(line) {
				t.Errorf("%q: a key from nowhere: %v", line, compare.GetCompare())
			}
		}
		if operation, err := parseOperation(line); err == nil {
			if !operation.IsGet() && !operation.IsPut() && !operation.IsDelete() {
				t.Errorf("%q: it is none of put, get and del", line)
			}
		}
	})
}
