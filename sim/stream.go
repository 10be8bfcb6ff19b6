package sim

import (
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"detcd/kv"
	"detcd/kv/watch"
)

// stream is a member's side of a client's watch: kv/watch reads, this carries. It keeps order, as a
// connection does; where one response is lost the connection is broken.
type stream struct {
	member *member
	client *watcher
	watch  *watch.Stream
	last   int64 // when the latest response arrives
	over   bool
	number int64 // in what is recorded for the checker
}

var watchOptions = watch.Options{
	ProgressInterval: 700 * time.Millisecond, FragmentBytes: 4 << 10, StepBytes: 3 << 10,
}

// openStream gives the client its stream before anything else: the connection may break at once.
func (m *member) openStream(client *watcher, create *pb.WatchCreateRequest) {
	s := &stream{member: m, client: client, watch: watch.NewStream(watchOptions)}
	client.stream = s
	m.streams = append(m.streams, s)
	s.number = m.world.judge.record.watch(client.client, m.world.now, create)
	s.request(&pb.WatchRequest{
		RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: create}})
	s.tick(m.life)
}

func (s *stream) request(r *pb.WatchRequest) {
	life := s.member.life
	s.member.awake(func() {
		if !s.over && s.member.life == life {
			s.watch.Request(r, s.member.store.View().(*kv.View).View, s.member.world.now)
			s.step()
		}
	})
}

// tick lets the stream say how far it is now and then.
func (s *stream) tick(life int) {
	s.member.world.after(watchOptions.ProgressInterval/2, func() {
		if s.over || s.member.life != life || !s.member.up() {
			return
		}
		if !s.member.paused {
			s.step()
		}
		s.tick(life)
	})
}

func (s *stream) step() {
	m := s.member
	view := m.store.View().(*kv.View).View
	for more := true; more && !s.over; {
		var err error
		if more, err = s.watch.Step(view, m.world.now); err != nil {
			if !m.disk.failing() && !m.disk.damaged {
				m.world.judge.fail("member %d cannot read for a watch: %v", m.number, err)
			}
			s.broken()
			return
		}
		for _, response := range s.watch.Take() {
			s.send(response)
		}
	}
}

func (s *stream) send(response *pb.WatchResponse) {
	w := s.member.world
	if w.fates.clientCut[s.member.number]+w.fates.clientMute[s.member.number] > 0 {
		s.broken()
		return
	}
	delay := w.clientDelay(s.client.client.random)
	s.last = max(s.last+1, w.now+int64(delay))
	w.after(time.Duration(s.last-w.now), func() {
		if s.client.stream == s {
			w.judge.record.watched(s.client.client, w.now, s.number, response)
			s.client.receive(response)
		}
	})
}

// broken ends the connection; the client notices a little later.
func (s *stream) broken() {
	if s.over {
		return
	}
	s.over = true
	for i, other := range s.member.streams {
		if other == s {
			s.member.streams = append(s.member.streams[:i:i], s.member.streams[i+1:]...)
			break
		}
	}
	s.client.disconnected(s)
}

// wakeStreams has the streams of the member look at what was applied since.
func (m *member) wakeStreams() {
	revision := m.store.Revision()
	if revision == m.seen {
		return
	}
	m.seen = revision
	m.world.judge.observe(m)
	if m.waking || len(m.streams) == 0 {
		return
	}
	m.waking = true
	life := m.life
	m.world.after(time.Millisecond, func() {
		if m.life != life || !m.up() {
			return
		}
		m.waking = false
		if m.paused {
			return
		}
		for _, s := range append([]*stream(nil), m.streams...) {
			s.step()
		}
	})
}
