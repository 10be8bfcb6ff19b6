package rpc

import (
	"context"
	"sync"

	"detcd/kv/mvcc"
	"detcd/kv/watch"
)

// A switchboard wakes those streams of the Watch service whom a change concerns. With a thousand
// streams, to wake all of them after every write would cost more than the writes.
//
// One goroutine looks at history for all, while there is any stream.
type switchboard struct {
	history func(ctx context.Context) (*mvcc.View, error)
	changed func() <-chan struct{}

	mutex sync.Mutex
	board *watch.Board
	lines map[*watch.Stream]chan struct{} // each holds a call until it is taken
	quit  chan struct{}                   // ends the goroutine; nil: there is none
}

// enter connects a stream. What it gets is ready when the stream is called.
func (b *switchboard) enter(ctx context.Context, s *watch.Stream) (<-chan struct{}, error) {
	view, err := b.history(ctx)
	if err != nil {
		return nil, err
	}
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if len(b.lines) == 0 {
		b.board = watch.NewBoard(view.Revision())
		b.lines = make(map[*watch.Stream]chan struct{})
		b.quit = make(chan struct{})
		go b.run(b.board, b.quit)
	}
	line := make(chan struct{}, 1)
	b.lines[s] = line
	b.board.Enter(s)
	return line, nil
}

func (b *switchboard) leave(s *watch.Stream) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.board.Leave(s)
	delete(b.lines, s)
	if len(b.lines) == 0 {
		close(b.quit)
	}
}

func (b *switchboard) sync(s *watch.Stream) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.board.Sync(s)
}

// run looks at history whenever there is more of it. When it cannot, the member has stopped: all
// streams are called and find that out.
func (b *switchboard) run(board *watch.Board, quit <-chan struct{}) {
	for {
		changed := b.changed() // before the view, so that no change is missed
		view, err := b.history(context.Background())
		if err != nil {
			b.callAll()
			return
		}
		for b.look(board, view) {
		}
		select {
		case <-changed:
		case <-quit:
			return
		}
	}
}

// look looks once and calls whom that concerns.
func (b *switchboard) look(board *watch.Board, view *mvcc.View) (more bool) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	called, more := board.Look(view)
	for _, s := range called {
		b.call(s)
	}
	return more
}

func (b *switchboard) callAll() {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	for s := range b.lines {
		b.call(s)
	}
}

func (b *switchboard) call(s *watch.Stream) {
	select {
	case b.lines[s] <- struct{}{}:
	default: // it was called and has not come yet
	}
}
