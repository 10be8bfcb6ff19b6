package v2http

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"pgregory.net/rapid"

	"detcd/kv/auth"
	"detcd/kv/v2"
)

// A shown node is one as encoding/json writes it, in etcd's order.
type shown struct {
	Key        string     `json:"key,omitempty"`
	Value      *string    `json:"value,omitempty"`
	Dir        bool       `json:"dir,omitempty"`
	Expiration *time.Time `json:"expiration,omitempty"`
	TTL        int64      `json:"ttl,omitempty"`
	Nodes      []*shown   `json:"nodes,omitempty"`
	Modified   uint64     `json:"modifiedIndex,omitempty"`
	Created    uint64     `json:"createdIndex,omitempty"`
}

func shownOf(r *v2.Record) *shown {
	s := &shown{Key: r.Key, Dir: r.Dir, TTL: r.TTL, Modified: uint64(r.Modified),
		Created: uint64(r.Created)}
	if r.Valued {
		s.Value = &r.Value
	}
	if r.Expires != 0 {
		at := time.Unix(0, int64(r.Expires)).UTC()
		s.Expiration = &at
	}
	return s
}

func TestEventsAreWrittenAsEncodingJSONWritesThem(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z<>&"\\/\x00-\x1f\x7f é]*`),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
	record := func(t *rapid.T) *v2.Record {
		r := &v2.Record{Node: v2.Node{Key: "/" + text.Draw(t, "key"), Dir: rapid.Bool().Draw(t, "dir"),
			Modified: 5, Created: v2.Index(rapid.Uint64().Draw(t, "created"))}}
		if r.Valued = !r.Dir && rapid.Bool().Draw(t, "valued"); r.Valued {
			r.Value = text.Draw(t, "value")
		}
		r.Expires = v2.Time(rapid.Int64Range(-1<<62, 1<<62).Draw(t, "expires"))
		r.TTL = rapid.Int64Range(-2, 3).Draw(t, "ttl")
		return r
	}
	rapid.Check(t, func(t *rapid.T) {
		e := &v2.Event{Action: v2.Set, Node: *record(t)}
		want := struct {
			Action string `json:"action"`
			Node   *shown `json:"node,omitempty"`
			Prev   *shown `json:"prevNode,omitempty"`
		}{"set", shownOf(&e.Node), nil}
		if rapid.Bool().Draw(t, "previous") {
			e.Prev = record(t)
			want.Prev = shownOf(e.Prev)
		}
		var out bytes.Buffer
		if err := json.NewEncoder(&out).Encode(want); err != nil {
			t.Fatal(err)
		}
		if got := appendEvent(nil, e, false); !bytes.Equal(got, out.Bytes()) {
			t.Fatalf("got  %s\nwant %s", got, out.Bytes())
		}
	})
}

func TestAListingIsWhatIsThere(t *testing.T) {
	w := newWorld(t, 0)
	for _, key := range []string{"/d/b", "/d/a/x", "/d/_h/y", "/d/a-", "/c"} {
		w.set(key, "v")
	}
	var all func(s *shown) string
	all = func(s *shown) string {
		out := s.Key
		for _, n := range s.Nodes {
			out += "(" + all(n) + ")"
		}
		return out
	}
	for path, want := range map[string]string{
		"/":                  "(/c)(/d)",
		"/?recursive=true":   "(/c)(/d(/d/a(/d/a/x))(/d/a-)(/d/b))",
		"/d?sorted=true":     "/d(/d/a)(/d/a-)(/d/b)",
		"/d/_h":              "/d/_h(/d/_h/y)",
		"/d/a?recursive=1":   "/d/a(/d/a/x)",
		"/c?quorum=true":     "/c",
		"/c?wait=1&quorum=1": "/c",
	} {
		status, text := w.ask("GET", "/v2/keys"+path, "")
		var got struct{ Node *shown }
		if err := json.Unmarshal([]byte(text), &got); err != nil || status != 200 {
			t.Fatalf("%s: %d %s", path, status, text)
		}
		if list := all(got.Node); list != want {
			t.Errorf("%s: %s", path, list)
		}
	}
}

func TestLargeRequestsAreRefused(t *testing.T) {
	w := newWorld(t, 0)
	most := w.handler.options.RequestBytesMax
	for _, test := range []struct {
		path, body string
		status     int
		cause      string
	}{
		{"/a", "value=" + strings.Repeat("v", most), 500, "etcdserver: request is too large"},
		{"/a", "value=" + strings.Repeat("v", 4*most), 400, "http: request body too large"},
		{strings.Repeat("/d", v2.DepthMax+1), "value=1", 400, "the key has more than 256 parts"},
		{"/" + strings.Repeat("k", v2.KeyBytesMax), "", 400, "the key has more than 32768 bytes"},
	} {
		status, text := w.ask("PUT", "/v2/keys"+test.path, test.body)
		if status != test.status || !strings.Contains(text, `"cause":"`+test.cause+`"`) {
			t.Errorf("%.20s: %d %s", test.path, status, text)
		}
	}
	fits := "value=" + strings.Repeat("v", most-99)
	if status, text := w.ask("PUT", "/v2/keys/a", fits); status != 201 {
		t.Errorf("%d %.99s", status, text)
	}
}

func TestItIsClosedWhileUsersAreEnabled(t *testing.T) {
	w := newWorld(t, 0)
	book := auth.New()
	for _, err := range []error{book.AddUser(auth.Root, "hash", false), book.AddRole(auth.Root),
		book.GrantRole(auth.Root, auth.Root), book.Enable()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	w.closed = book.View()
	for _, line := range []string{"GET /v2/keys/a", "PUT /v2/keys/a", "GET /v2/keys/a?wait=true",
		"GET /v2/members", "POST /v2/members", "DELETE /v2/members/a"} {
		method, path, _ := strings.Cut(line, " ")
		status, text := w.ask(method, path, "")
		if status != 401 || !strings.Contains(text, "Insufficient credentials") {
			t.Errorf("%s: %d %s", line, status, text)
		}
	}
}

func TestMembers(t *testing.T) {
	w := newWorld(t, 0)
	urls := `{"peerURLs":["http://127.0.0.1:1"]}`
	for _, test := range []struct {
		line, body string
		failure    error
		status     int
		text       string
	}{
		{"GET /v2/machines", "", nil, 200, "http://c"},
		{"GET /v2/members", "", nil, 200, `{"members":[{"id":"a","name":"m","peerURLs":["http://p"],` +
			`"clientURLs":["http://c"]},{"id":"b","name":"","peerURLs":["http://q"],"clientURLs":[]}]}` +
			"\n"},
		{"GET /v2/members/leader", "", nil, 200, `{"id":"a","name":"m","peerURLs":["http://p"],` +
			`"clientURLs":["http://c"]}` + "\n"},
		{"POST /v2/members", urls, nil, 201, `{"id":"d","name":"","peerURLs":["http://127.0.0.1:1"],` +
			`"clientURLs":[]}` + "\n"},
		{"POST /v2/members", urls, rpctypes.ErrGRPCPeerURLExist, 409,
			`{"message":"membership: peerURL exists"}`},
		{"POST /v2/members", urls, rpctypes.ErrGRPCUnhealthy, 500, `{"message":"Internal Server Error"}`},
		{"DELETE /v2/members/A", "", nil, 204, ""},
		{"DELETE /v2/members/A", "", rpctypes.ErrGRPCMemberNotFound, 404,
			`{"message":"No such member: a"}`},
		{"DELETE /v2/members/a", "", fmt.Errorf("%w: %w", ErrRemoved, errors.New("x")), 410,
			`{"message":"Member permanently removed: a"}`},
		{"PUT /v2/members/a", urls, nil, 204, ""},
		{"PUT /v2/members/a", "{}", nil, 400, `{"message":"no valid URLs given"}`},
	} {
		w.failure = test.failure
		method, path, _ := strings.Cut(test.line, " ")
		if status, text := w.ask(method, path, test.body); status != test.status || text != test.text {
			t.Errorf("%s: %d %s", test.line, status, text)
		}
	}
}

func TestStats(t *testing.T) {
	w := newWorld(t, 0)
	if status, text := w.ask("GET", "/v2/stats/leader", ""); status != http.StatusForbidden ||
		text != `{"message":"not current leader"}` {
		t.Errorf("%d %s", status, text)
	}
	w.self = Self{Name: "m", ID: 0xa, Leads: true, Leader: 0xa, Sent: 3}
	if _, text := w.ask("GET", "/v2/stats/leader", ""); text != `{"leader":"a","followers":{"b":`+
		`{"latency":{"current":1,"average":1.5,"standardDeviation":0,"minimum":0,"maximum":2},`+
		`"counts":{"fail":1,"success":2}}}}` {
		t.Error(text)
	}
	if _, text := w.ask("GET", "/v2/stats/self", ""); !strings.HasPrefix(text,
		`{"name":"m","id":"a","state":"StateLeader","startTime":"`) ||
		!strings.HasSuffix(text, `"recvAppendRequestCnt":0,"sendAppendRequestCnt":3}`) {
		t.Error(text)
	}
	w.set("/a", "")
	w.ask("GET", "/v2/keys/a", "")
	w.ask("GET", "/v2/keys/b", "")
	if _, text := w.ask("GET", "/v2/stats/store", ""); !strings.HasPrefix(text,
		`{"getsSuccess":1,"getsFail":1,"setsSuccess":1,"setsFail":0,"deleteSuccess":0,`) {
		t.Error(text)
	}
	counts := w.handler.Counts()
	if counts.Received[0] != 6 || counts.Refused[0] != 2 || counts.Received[1] != 1 {
		t.Errorf("%+v", counts)
	}
}

func TestUsersOfV2AreNotPretended(t *testing.T) {
	w := newWorld(t, 0)
	for _, line := range []string{"PUT /v2/auth/enable", "DELETE /v2/auth/enable",
		"PUT /v2/auth/users/ann", "GET /v2/auth/users/ann", "PUT /v2/auth/roles/one"} {
		method, path, _ := strings.Cut(line, " ")
		if status, text := w.ask(method, path, "{}"); status != http.StatusNotImplemented ||
			!strings.Contains(text, "not supported") {
			t.Errorf("%s: %d %s", line, status, text)
		}
	}
}

func FuzzForm(f *testing.F) {
	f.Add("PUT", "/a?prevIndex=5&ttl=9", "value=1&refresh=true")
	f.Add("GET", "/a?wait=true&waitIndex=18446744073709551615", "")
	f.Add("POST", "/%2e%2e/a", "value=%zz")
	f.Fuzz(func(t *testing.T, method, path, body string) {
		r, err := http.NewRequest(method, "http://h/v2/keys", strings.NewReader(body))
		if err != nil {
			return
		}
		key, query, _ := strings.Cut(path, "?")
		r.URL.RawQuery = query
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		now := time.Unix(1_700_000_000, 0)
		q, refusal := parse(r, key, now)
		if refusal != nil {
			if refusal.Code.Message() == "" || refusal.Index != 0 {
				t.Fatalf("%+v", refusal)
			}
			return
		}
		if c := q.command(now); c != nil {
			again, err := v2.DecodeCommand(c.Append(nil))
			if err != nil || again != *c {
				t.Fatalf("%+v became %+v: %v", c, again, err)
			}
		}
	})
}
