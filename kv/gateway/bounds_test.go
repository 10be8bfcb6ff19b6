package gateway

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// A slowMember takes its time for a view.
type slowMember struct {
	*member
	entered, release chan bool
}

func (m *slowMember) View(context.Context) (any, error) {
	m.entered <- true
	<-m.release
	return nil, rpctypes.ErrGRPCStopped
}

func TestHashesOverHTTPAreBounded(t *testing.T) {
	m := &slowMember{well(), make(chan bool), make(chan bool)}
	handler := Peer(m, cluster{member: well()}, time.Second, nobody)
	done := make(chan *httptest.ResponseRecorder, hashesMax)
	get := func() {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/members/hashkv",
			strings.NewReader(`{"revision":0}`)))
		done <- w
	}
	for range hashesMax {
		go get()
		<-m.entered
	}
	go get()
	select {
	case <-m.entered:
		t.Fatal("one too many is let in")
	case w := <-done:
		const want = "etcdserver: too many hashes at this member, 4 are possible at a time\n"
		if w.Code != http.StatusTooManyRequests || w.Body.String() != want {
			t.Errorf("one too many: %d %s", w.Code, w.Body)
		}
	}
	close(m.release)
	for range hashesMax {
		if w := <-done; w.Code != http.StatusBadRequest {
			t.Errorf("one of those that are possible: %d", w.Code)
		}
	}
	go get()
	<-m.entered // it is let in again
}

func TestLooksIntoTheProcessAreBounded(t *testing.T) {
	g := newGateway(t, well(), func(o *Options) { o.Profiling = true })
	ctx, leave := context.WithCancel(t.Context())
	done := make(chan bool, debugMax)
	for range debugMax {
		go func() {
			defer func() { done <- true }()
			for code := http.StatusTooManyRequests; code == http.StatusTooManyRequests; {
				r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/debug/pprof/heap?seconds=3600", nil)
				w := httptest.NewRecorder()
				g.ServeHTTP(w, r)
				code = w.Code // the question below may have had its place
			}
		}()
	}
	await := func(want int) {
		t.Helper()
		for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
			code, _, text := ask(g, "GET /debug/vars")
			if code == want {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%d %.200s, want %d", code, text, want)
			}
		}
	}
	await(http.StatusTooManyRequests)
	leave()
	for range debugMax {
		<-done
	}
	await(http.StatusOK)
}
