package gateway

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"detcd/kv"
	"detcd/kv/auth"
	"detcd/kv/rpc"
)

// A member is a Node that is as a test says.
type member struct {
	status  rpc.Status
	view    error
	barrier error
	users   auth.Book
	trouble []string
}

func (m *member) Troubles() []string { return m.trouble }

func (m *member) Status() rpc.Status                   { return m.status }
func (m *member) View(context.Context) (any, error)    { return nil, m.view }
func (m *member) Barrier(context.Context) (any, error) { return nil, m.barrier }

func (m *member) Auth() *auth.View { return m.users.View() }

func well() *member { return &member{status: rpc.Status{Leader: 1}} }

func (m *member) alarm(all ...pb.AlarmType) *member {
	for _, alarm := range all {
		m.status.Alarms = append(m.status.Alarms, kv.Alarm{Member: 1, Kind: alarm})
	}
	return m
}

func newGateway(t *testing.T, m *member, change func(*Options)) *Gateway {
	t.Helper()
	options := Options{Node: m, Timeout: time.Second}
	if change != nil {
		change(&options)
	}
	g, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// ask sends "METHOD target" and returns the status, the headers and the body.
func ask(g http.Handler, line string, headers ...string) (int, http.Header, string) {
	method, target, _ := strings.Cut(line, " ")
	r := httptest.NewRequest(method, target, nil)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		if r.Header.Set(name, value); name == "Host" {
			r.Host = value
		}
	}
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	body, _ := io.ReadAll(w.Result().Body)
	return w.Code, w.Result().Header, string(body)
}

func TestHealthSaysWhatIsWrong(t *testing.T) {
	leaderless := well()
	leaderless.status.Leader = 0
	leaderless.barrier = rpctypes.ErrGRPCTimeout
	slow := well()
	slow.barrier = rpctypes.ErrGRPCTimeout
	gone := well()
	gone.view, gone.barrier = rpctypes.ErrGRPCStopped, rpctypes.ErrGRPCStopped
	full := well().alarm(pb.AlarmType_NOSPACE)
	cramped := well()
	cramped.status.Refusing = rpc.ErrDeviceFull
	crowded := well()
	crowded.status.Refusing = rpc.ErrTooManyFiles
	both := well().alarm(pb.AlarmType_CORRUPT, pb.AlarmType_NOSPACE)
	for _, c := range []struct {
		member  *member
		request string
		reason  string // "": healthy
	}{
		{well(), "GET /health", ""},
		{well(), "GET /health?serializable=true", ""},
		{leaderless, "GET /health", "RAFT NO LEADER"},
		{leaderless, "GET /health?serializable=true", ""},
		{leaderless, "GET /health?serializable=yes", "RAFT NO LEADER"},
		{slow, "GET /health", "RANGE ERROR:etcdserver: request timed out"},
		{gone, "GET /health?serializable=true", "RANGE ERROR:etcdserver: server stopped"},
		{full, "GET /health", "ALARM NOSPACE"},
		{full, "GET /health?exclude=NOSPACE", ""},
		{full, "GET /health?exclude=CORRUPT", "ALARM NOSPACE"},
		{cramped, "GET /health", "NO SPACE LEFT ON DEVICE"},
		{crowded, "GET /health", "TOO MANY OPEN FILES"},
		{cramped, "GET /health?exclude=NOSPACE", ""},
		{cramped, "GET /health?serializable=true", ""}, // it is alive, and reads go on
		{both, "GET /health?exclude=CORRUPT", "ALARM NOSPACE"},
		{both, "GET /health?exclude=CORRUPT&exclude=NOSPACE", ""},
		{both, "GET /health?exclude=NOSPACE", "ALARM CORRUPT"},
	} {
		code, _, body := ask(newGateway(t, c.member, nil), c.request)
		wantCode, want := http.StatusOK, `{"health":"true","reason":""}`
		if c.reason != "" {
			wantCode = http.StatusServiceUnavailable
			want = `{"health":"false","reason":"` + c.reason + `"}` + "\n"
		}
		if code != wantCode || body != want {
			t.Errorf("%s: %d %q, want %d %q", c.request, code, body, wantCode, want)
		}
	}
}

func TestProbesNameTheChecksThatFail(t *testing.T) {
	isolated := well()
	isolated.barrier = rpctypes.ErrGRPCTimeout
	alone := well()
	alone.barrier = rpctypes.ErrGRPCTimeout
	alone.trouble = []string{"no leader since noon", "not reachable: m2 at http://m2:2380"}
	cramped := well()
	cramped.status.Refusing, cramped.trouble = rpc.ErrDeviceFull, []string{"no space on /var"}
	crowded := well()
	crowded.status.Refusing = rpc.ErrTooManyFiles
	learner := well()
	learner.status.Learner = true
	corrupt := well().alarm(pb.AlarmType_CORRUPT)
	timedOut := "[-]linearizable_read failed: etcdserver: request timed out\n"
	ok := func(names ...string) (lines string) {
		for _, name := range names {
			lines += "[+]" + name + " ok\n"
		}
		return lines
	}
	for _, c := range []struct {
		member  *member
		request string
		code    int
		body    string
	}{
		{well(), "GET /livez", 200, "ok\n"},
		{well(), "GET /livez?verbose", 200, ok("serializable_read") + "ok\n"},
		{well(), "GET /readyz?verbose", 200,
			ok("data_corruption", "serializable_read", "linearizable_read", "non_learner") + "ok\n"},
		{well(), "GET /readyz/data_corruption", 200, "ok\n"},
		{well(), "GET /livez/nope", 404, "404 page not found\n"},
		{well(), "GET /livez/linearizable_read", 404, "404 page not found\n"},
		{isolated, "GET /livez", 200, "ok\n"},
		{isolated, "GET /readyz", 503, ok("data_corruption", "serializable_read") + timedOut +
			ok("non_learner") + "\n"},
		{isolated, "GET /readyz?exclude=linearizable_read", 200, "ok\n"},
		{isolated, "GET /readyz/linearizable_read", 503, timedOut + "\n"},
		{alone, "GET /readyz?verbose", 503, ok("data_corruption", "serializable_read") + timedOut +
			ok("non_learner") + "no leader since noon\nnot reachable: m2 at http://m2:2380\n\n"},
		{alone, "GET /livez", 200, "ok\n"},
		{alone, "GET /livez?verbose", 200, ok("serializable_read") +
			"no leader since noon\nnot reachable: m2 at http://m2:2380\nok\n"},
		{cramped, "GET /livez", 200, "ok\n"},
		{cramped, "GET /readyz", 503,
			ok("data_corruption", "serializable_read", "linearizable_read", "non_learner") +
				"[-]device_space failed: no space left on the device; writes are refused\n" +
				"no space on /var\n\n"},
		{cramped, "GET /readyz?exclude=device_space", 200, "ok\n"},
		{crowded, "GET /readyz/device_space", 503,
			"[-]device_space failed: too many open files; writes are refused\n\n"},
		{well(), "GET /readyz/device_space?verbose", 200, ok("device_space") + "ok\n"},
		{learner, "GET /readyz/non_learner", 503,
			"[-]non_learner failed: not supported for learner\n\n"},
		{corrupt, "GET /readyz/data_corruption", 503,
			"[-]data_corruption failed: alarm activated: CORRUPT\n\n"},
		{well().alarm(pb.AlarmType_NOSPACE), "GET /readyz", 200, "ok\n"},
	} {
		code, _, body := ask(newGateway(t, c.member, nil), c.request)
		if code != c.code || body != c.body {
			t.Errorf("%s: %d %q, want %d %q", c.request, code, body, c.code, c.body)
		}
	}
}

func TestOnlyGetIsAllowed(t *testing.T) {
	g := newGateway(t, well(), nil)
	for _, path := range []string{"/health", "/livez", "/readyz/non_learner", "/version"} {
		code, header, body := ask(g, "PUT "+path)
		if code != 405 || header.Get("Allow") != "GET" || body != "Method Not Allowed\n" {
			t.Errorf("%s: %d %v %q", path, code, header, body)
		}
	}
}

func TestWhichPagesMayReadAnswers(t *testing.T) {
	some := []string{"http://a", "http://b"}
	for _, c := range []struct {
		origins      []string
		origin, want string
	}{
		{nil, "http://x", "*"}, {[]string{"*"}, "", "*"}, {some, "http://b", "http://b"},
		{some, "http://x", ""}, {some, "", ""},
	} {
		g := newGateway(t, well(), func(o *Options) { o.Origins = c.origins })
		for _, method := range []string{"GET", "OPTIONS"} {
			code, header, _ := ask(g, method+" /version", "Origin: "+c.origin)
			if got := header.Get("Access-Control-Allow-Origin"); code != 200 || got != c.want {
				t.Errorf("%s of %q where %q may: %d %q, want %q", method, c.origin, c.origins, code,
					got, c.want)
			}
		}
	}
}

func TestAnUnknownHostIsMisdirected(t *testing.T) {
	g := newGateway(t, well(), func(o *Options) { o.Hosts = []string{"good", "10.0.0.1"} })
	for host, want := range map[string]int{
		"good": 200, "good:2379": 200, "10.0.0.1:1": 200, "evil": 421, "evil:80": 421, "good.evil": 421,
	} {
		code, _, body := ask(g, "GET /version", "Host: "+host)
		if code != want || (want == 421) != strings.Contains(body, "CVE-2018-5702") {
			t.Errorf("%s: %d %q, want %d", host, code, body, want)
		}
	}
	if code, _, _ := ask(g, "GET https://evil/version"); code != 200 {
		t.Error("with TLS the certificate says who may be called what")
	}
	if code, _, _ := ask(g.Observation(), "GET http://evil/health"); code != 200 {
		t.Error("the address for observers asks for no name")
	}
}

func TestProfilesNeedAFlag(t *testing.T) {
	for _, profiling := range []bool{false, true} {
		g := newGateway(t, well(), func(o *Options) { o.Profiling = profiling })
		if code, _, _ := ask(g, "GET /debug/pprof/"); (code == 200) != profiling {
			t.Errorf("profiling %v: %d", profiling, code)
		}
	}
}

func FuzzNoRequestEndsTheGateway(f *testing.F) {
	for _, seed := range []string{
		"/health?exclude=%zz", "/readyz?verbose&exclude", "/v3beta/", "/v3beta/../x", "/livez//", "*",
	} {
		f.Add("GET", seed, "host", "origin")
	}
	f.Fuzz(func(t *testing.T, method, target, host, origin string) {
		r, err := http.NewRequest(method, "http://x/", nil)
		if err != nil {
			t.Skip()
		}
		if r.URL, err = r.URL.Parse(target); err != nil {
			t.Skip()
		}
		r.Host, r.Header = host, http.Header{"Origin": {origin}}
		w := httptest.NewRecorder()
		newGateway(t, well(), func(o *Options) { o.Hosts = []string{"host"} }).ServeHTTP(w, r)
		if w.Code >= 500 && w.Code != http.StatusServiceUnavailable {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}
