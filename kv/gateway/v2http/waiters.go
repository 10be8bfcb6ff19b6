package v2http

import (
	"context"
	"errors"
	"strings"
	"sync"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"detcd/kv"
	"detcd/kv/v2"
)

// bufferMax is how many events a waiter may be behind.
const bufferMax = 100

// A waiter waits for events at a key, or below it.
type waiter struct {
	key       string
	recursive bool
	stream    bool
	since     v2.Index // of the first event that it wants; 0: the next one

	index  v2.Index       // at which it began to wait
	past   []*v2.Event    // that had happened then
	events chan *v2.Event // that happen; closed when it is too slow, or nobody may wait any more
	listed bool           // it is among those who are told
}

// waiters are the clients that wait. While there are any, one goroutine looks at what is new.
type waiters struct {
	node Node
	most int

	mutex  sync.Mutex
	byKey  map[string]map[*waiter]bool
	count  int           // clients, those included who are told what is past
	view   *v2.View      // whose events were handed out; nil: nobody waits
	quit   chan struct{} // ends the goroutine
	closed bool
}

func newWaiters(node Node, most int) *waiters {
	return &waiters{node: node, most: most, byKey: make(map[string]map[*waiter]bool)}
}

func (s *waiters) waiting() int64 {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return int64(s.count)
}

var (
	errTooMany = errors.New("etcdserver: too many requests")
	errStopped = rpctypes.ErrStopped
)

// enter lets a waiter wait, which must leave. The view is one that was taken for it.
func (s *waiters) enter(w *waiter, view *v2.View) *v2.Error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	switch {
	case s.closed:
		return failure(errStopped)
	case s.count >= s.most:
		return failure(errTooMany)
	}
	if s.view != nil {
		s.handOut(view)
		view = s.view // what is up to here was handed out before the waiter came
	}
	if w.since == 0 {
		w.since = view.Index() + 1
	}
	w.index, w.events = view.Index(), make(chan *v2.Event, bufferMax)
	for since := w.since; ; {
		event, refusal := view.Past(w.key, w.recursive, since)
		if refusal != nil {
			return refusal
		}
		if event == nil {
			break
		}
		w.past = append(w.past, event)
		if !w.stream {
			break
		}
		since = event.Index() + 1
	}
	if s.count++; s.count == 1 {
		s.view, s.quit = view, make(chan struct{})
		go s.follow(s.quit)
	}
	if len(w.past) == 0 || w.stream {
		s.list(w)
	}
	return nil
}

// list adds a waiter to those who are told.
func (s *waiters) list(w *waiter) {
	at := s.byKey[w.key]
	if at == nil {
		at = make(map[*waiter]bool)
		s.byKey[w.key] = at
	}
	at[w], w.listed = true, true
}

// unlist is the reverse.
func (s *waiters) unlist(w *waiter) {
	if !w.listed {
		return
	}
	w.listed = false
	if at := s.byKey[w.key]; len(at) > 1 {
		delete(at, w)
	} else {
		delete(s.byKey, w.key)
	}
}

// leave ends a wait.
func (s *waiters) leave(w *waiter) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.unlist(w)
	if s.count--; s.count == 0 {
		close(s.quit)
		s.view = nil
	}
}

// close ends all waiting.
func (s *waiters) close() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.closed = true
	s.closeAll()
}

func (s *waiters) closeAll() {
	for _, at := range s.byKey {
		for w := range at {
			s.unlist(w)
			close(w.events)
		}
	}
}

// follow looks at what is new until it is told to quit. When it cannot, the member has stopped.
func (s *waiters) follow(quit <-chan struct{}) {
	for {
		changed := s.node.Changed() // before the view, so that no change is missed
		view, err := s.node.View(context.Background())
		s.mutex.Lock()
		if s.quit != quit {
			s.mutex.Unlock()
			return // everybody has left, and others came
		}
		if err != nil {
			s.closeAll()
		} else if s.view != nil {
			s.handOut(view.(*kv.View).Tree())
		}
		s.mutex.Unlock()
		if err != nil {
			return
		}
		select {
		case <-changed:
		case <-quit:
			return
		}
	}
}

// handOut tells of what happened up to a view. Who was to be told of what is forgotten already is
// let go: he will ask again, and hear why.
func (s *waiters) handOut(view *v2.View) {
	if view.Index() <= s.view.Index() {
		return
	}
	events, whole := view.Since(s.view.Index())
	if s.view = view; !whole {
		s.closeAll()
		return
	}
	for _, e := range events {
		if len(s.byKey) > 0 {
			s.tell(e)
		}
	}
}

// tell tells of one event whoever waits on the way to its node, or in the directory that went.
func (s *waiters) tell(e *v2.Event) {
	key := e.Node.Key
	for end := range len(key) + 1 {
		if end == len(key) || key[end] == '/' {
			s.tellAt(e, key[:end])
		}
	}
	if e.Removed() {
		for at := range s.byKey {
			if strings.HasPrefix(at, key+"/") {
				s.tellAt(e, at)
			}
		}
	}
}

func (s *waiters) tellAt(e *v2.Event, key string) {
	for w := range s.byKey[key] {
		if e.Index() < w.since || !e.Concerns(key, w.recursive) {
			continue
		}
		select {
		case w.events <- e:
			if !w.stream {
				s.unlist(w)
			}
		default:
			s.unlist(w)
			close(w.events)
		}
	}
}
