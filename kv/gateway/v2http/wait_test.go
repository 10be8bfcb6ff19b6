package v2http

import (
	"bufio"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"detcd/kv/v2"
)

// line reads one event of a stream and gives what it is about, as in "set /a".
func line(t *testing.T, from *bufio.Reader) string {
	t.Helper()
	text, err := from.ReadString('\n')
	if err != nil {
		return err.Error()
	}
	_, action, _ := strings.Cut(text, `"action":"`)
	action, rest, _ := strings.Cut(action, `"`)
	_, key, _ := strings.Cut(rest, `"key":"`)
	key, _, _ = strings.Cut(key, `"`)
	return action + " " + key
}

func TestAWaitIsToldOfTheNextEvent(t *testing.T) {
	w := newWorld(t, 0)
	w.set("/dir/hidden", "0")
	for _, test := range []struct{ path, key, method, changed, want string }{
		{"/a?wait=true", "", "PUT", "/a", "set /a"},
		{"/dir?wait=true&recursive=true", "", "PUT", "/dir/x", "set /dir/x"},
		{"/?wait=true&recursive=true", "/_a", "PUT", "/b", "set /b"},
		{"/dir?wait=true", "/dir/y", "DELETE", "/dir?recursive=true", "delete /dir"},
		{"/deep/er/never?wait=true", "/deep/er/x", "DELETE", "/deep?recursive=true", "delete /deep"},
	} {
		response := w.send("GET", "/v2/keys"+test.path, "")
		if got := response.Header.Get("X-Etcd-Index"); got == "" {
			t.Errorf("%s: no index", test.path)
		}
		if test.key != "" {
			w.set(test.key, "this is not for it")
		}
		w.ask(test.method, "/v2/keys"+test.changed, "value=1")
		from := bufio.NewReader(response.Body)
		if got := line(t, from); got != test.want {
			t.Errorf("%s: %s", test.path, got)
		}
		if got := line(t, from); got != "EOF" {
			t.Errorf("%s: and then %s", test.path, got)
		}
		response.Body.Close()
	}
	if n := w.handler.Counts().Waiting; n != 0 {
		t.Errorf("%d still wait", n)
	}
}

func TestAWaitIsToldOfThePast(t *testing.T) {
	w := newWorld(t, 0)
	first := w.set("/a", "1")
	w.set("/b", "1")
	w.set("/a", "2")
	_, text := w.ask("GET", fmt.Sprintf("/v2/keys/a?wait=true&waitIndex=%d", first), "")
	want := `{"action":"set","node":{"key":"/a","value":"1",` +
		`"modifiedIndex":4,"createdIndex":4}}` + "\n"
	if text != want {
		t.Error(text)
	}
	for range v2.EventsMax {
		w.set("/c", "")
	}
	response := w.send("GET", "/v2/keys/a?wait=true&waitIndex=6", "")
	want = `{"errorCode":401,"message":"The event in requested index is outdated and cleared",` +
		`"cause":"the requested history has been cleared [7/6]","index":1006}` + "\n"
	if text := read(t, response); response.StatusCode != 400 || text != want ||
		response.Header.Get("X-Etcd-Index") != "1006" {
		t.Errorf("%d %s", response.StatusCode, text)
	}
}

func TestAStreamGoesOnAfterThePast(t *testing.T) {
	w := newWorld(t, 0)
	w.set("/a/1", "")
	w.set("/a/2", "")
	response := w.send("GET", "/v2/keys/a?wait=true&stream=true&recursive=true&waitIndex=1", "")
	defer response.Body.Close()
	from := bufio.NewReader(response.Body)
	w.set("/b", "")
	w.set("/a/3", "")
	w.ask("DELETE", "/v2/keys/a?recursive=true", "")
	w.set("/a/4", "")
	for _, want := range []string{"set /a/1", "set /a/2", "set /a/3", "delete /a", "set /a/4"} {
		if got := line(t, from); got != want {
			t.Fatalf("%s, not %s", got, want)
		}
	}
}

func TestOnlySoManyWait(t *testing.T) {
	w := newWorld(t, 2)
	first := w.send("GET", "/v2/keys/a?wait=true", "")
	second := w.send("GET", "/v2/keys/a?wait=true", "")
	defer second.Body.Close()
	status, text := w.ask("GET", "/v2/keys/a?wait=true", "")
	want := `{"errorCode":300,"message":"Raft Internal Error",` +
		`"cause":"etcdserver: too many requests","index":0}` + "\n"
	if status != http.StatusInternalServerError || text != want {
		t.Errorf("%d %s", status, text)
	}
	w.set("/a", "")
	read(t, first)
	read(t, second)
	for w.handler.Counts().Waiting > 0 {
		runtime.Gosched() // the handlers are about to return
	}
	third := w.send("GET", "/v2/keys/a?wait=true", "")
	third.Body.Close()
	if third.StatusCode != http.StatusOK {
		t.Error(third.Status)
	}
}

func TestAWaitFromALaterIndexIsToldOfNothingBefore(t *testing.T) {
	w := newWorld(t, 0)
	response := w.send("GET", "/v2/keys/a?wait=true&waitIndex=5", "")
	w.set("/a", "early")
	w.set("/a", "late")
	if text := read(t, response); !strings.Contains(text, `"value":"late"`) {
		t.Error(text)
	}
}

// The goroutine that looks at what is new is late here: nothing tells it of changes.
func TestWhoComesBeforeTheNewsIsNotToldTwice(t *testing.T) {
	w := newWorld(t, 0)
	w.quiet = true
	enter := func(key string, since v2.Index) *waiter {
		view, _ := w.handler.view(t.Context(), false)
		one := &waiter{key: key, stream: true, since: since}
		if refusal := w.handler.waiters.enter(one, view); refusal != nil {
			t.Fatal(refusal)
		}
		return one
	}
	first := enter("/a", 0)
	defer w.handler.waiters.leave(first)
	w.set("/a", "1")
	second := enter("/a", 4)
	defer w.handler.waiters.leave(second)
	w.set("/a", "2")
	third := enter("/a", 0) // hands out what is new
	defer w.handler.waiters.leave(third)
	for i, want := range []int{2, 1, 0} {
		if got := len([]*waiter{first, second, third}[i].events); got != want {
			t.Errorf("%d events for waiter %d, not %d", got, i, want)
		}
	}
	if len(second.past) != 1 || second.past[0].Index() != 4 {
		t.Errorf("the past has %d events", len(second.past))
	}
}

// A waiter that nobody reads stands for a client that takes nothing.
func TestWhoIsTooSlowIsLetGo(t *testing.T) {
	w := newWorld(t, 0)
	view, _ := w.handler.view(t.Context(), false)
	slow := &waiter{key: "/a", stream: true}
	if refusal := w.handler.waiters.enter(slow, view); refusal != nil {
		t.Fatal(refusal)
	}
	defer w.handler.waiters.leave(slow)
	for range bufferMax + 1 {
		w.set("/a", "")
		view, _ := w.handler.view(t.Context(), false)
		w.handler.waiters.mutex.Lock()
		w.handler.waiters.handOut(view)
		w.handler.waiters.mutex.Unlock()
	}
	count := 0
	for range slow.events {
		count++
	}
	if count != bufferMax || slow.listed {
		t.Errorf("%d events, listed: %v", count, slow.listed)
	}
}

func TestWhoWaitsMissesNothingThatHappensMeanwhile(t *testing.T) {
	w := newWorld(t, 0)
	stop := make(chan struct{})
	written := make(chan v2.Index)
	go func() {
		last := v2.Index(0)
		for {
			select {
			case <-stop:
				written <- last
				return
			default:
				last = w.set("/a", "x")
			}
		}
	}()
	w.set("/a", "x")
	next := v2.Index(4)
	for range 200 {
		_, text := w.ask("GET", fmt.Sprintf("/v2/keys/a?wait=true&waitIndex=%d", next), "")
		if !strings.Contains(text, fmt.Sprintf(`"modifiedIndex":%d,`, next)) {
			t.Errorf("from %d: %s", next, text)
			break
		}
		next++
	}
	close(stop)
	<-written
}

func TestAStoppedMemberEndsAllWaiting(t *testing.T) {
	w := newWorld(t, 0)
	one := w.send("GET", "/v2/keys/a?wait=true", "")
	w.change(func() { w.stopped = true })
	if text := read(t, one); text != "" {
		t.Error(text)
	}
	if status, _ := w.ask("GET", "/v2/keys/a?wait=true", ""); status != 500 {
		t.Error(status)
	}
}

func TestAClosedHandlerEndsAllWaiting(t *testing.T) {
	w := newWorld(t, 0)
	one := w.send("GET", "/v2/keys/a?wait=true", "")
	w.handler.Close()
	if text := read(t, one); text != "" {
		t.Error(text)
	}
	if status, _ := w.ask("GET", "/v2/keys/a?wait=true", ""); status != 500 {
		t.Error(status)
	}
}
