package replica

import (
	"hash/crc32"
	"slices"

	"detcd/storage/archive"
)

// A pace is how many bytes are under way at once. There must be enough to fill a link of a long
// round trip, and no more: what waits in front of a narrow place delays whatever shares it. So
// answers that come as fast as the fastest did, and a tick, let it grow; two ticks later than that
// they let it shrink. (This is the idea of LEDBAT, RFC 6817.)
type pace struct {
	window int
	base   Time // how long the fastest answer took; 0: none came yet
	latest Time // how long the latest took
}

func (p *pace) answered(took Time, length int, o *Options) {
	p.latest = took
	if p.base == 0 || took < p.base {
		p.base = took
	}
	switch tick := Time(o.Tick); {
	case took <= p.base+tick:
		p.window = min(p.window+length, o.FetchBytesMax)
	case took <= p.base+2*tick:
	case p.window <= o.ChunkBytes: // nothing else is under way: so long is the way now
		p.base = took
	default:
		p.window = max(p.window-length/2, o.ChunkBytes)
	}
}

// patience is how long answers may take.
func (p *pace) patience(o *Options) Time {
	return max(Time(o.ElectionTicks)*Time(o.Tick), 2*p.latest)
}

// timeoutsMax is how often patience is doubled; a little later it ends.
const timeoutsMax = 3

// fetch asks for more, as much as may be under way, or begins the last audit.
func (r *Replica) fetch() {
	v := r.snapshots.receiver
	if v.awaitsOffer || v.stepped {
		return
	}
	underWay := v.held
	for _, q := range v.requests {
		underWay += q.length
	}
	for _, p := range v.parts {
		for p.asked < p.segment.Length {
			length := int(min(p.segment.Length-p.asked, int64(r.options.ChunkBytes)))
			if underWay > 0 && underWay+length > v.pace.window {
				return
			}
			underWay += length
			q := &chunkRequest{part: p, offset: p.asked, length: length, first: r.now}
			p.asked += int64(length)
			v.requests = append(v.requests, q)
			r.sendFetch(q)
		}
	}
}

func (r *Replica) sendFetch(q *chunkRequest) {
	v := r.snapshots.receiver
	q.number, q.file, q.last = v.number, q.part.file, r.now
	w := writer{}
	w.uvarint(q.file)
	w.uvarint(uint64(q.offset))
	w.uvarint(uint64(q.length))
	r.send(Message{Kind: MessageFetch, To: v.from, ID: v.number, Data: w.bytes})
}

func (r *Replica) receiveChunk(m Message) {
	v := r.snapshots.receiver
	header := reader{bytes: m.Data}
	file, offset := header.uvarint(), int64(header.uvarint())
	header.uvarint() // the length that was asked for
	data := header.bytes
	if v == nil || v.from != m.From || header.bad || len(data) == 0 {
		return
	}
	i := slices.IndexFunc(v.requests, func(q *chunkRequest) bool {
		return q.number == m.ID && q.file == file && q.offset == offset
	})
	if i < 0 {
		return
	}
	q := v.requests[i]
	if len(data) > q.length {
		r.abandon("more arrived than was asked for")
		return
	}
	v.lastChunkAt, v.timeouts = r.now, 0
	v.pace.answered(r.now-q.first, len(data), &r.options)
	if len(data) == q.length || q.part.dropped {
		v.requests = slices.Delete(v.requests, i, i+1)
	}
	if !q.part.dropped {
		v.hold(q.part, piece{offset, data})
		if q.offset, q.length = offset+int64(len(data)), q.length-len(data); q.length > 0 {
			r.sendFetch(q)
		}
	}
	r.fetch()
}

// hold keeps what arrived until it can be staged; of the state there is nothing to stage.
func (v *receiver) hold(p *part, arrived piece) {
	at, _ := slices.BinarySearchFunc(p.held, arrived.offset, func(held piece, offset int64) int {
		return int(held.offset - offset)
	})
	p.held = slices.Insert(p.held, at, arrived)
	v.held += len(arrived.data)
	if p.file > 0 {
		return
	}
	for _, next := range p.front() {
		p.data = append(p.data, next...)
		p.stored += int64(len(next))
		v.held -= len(next)
	}
}

// front takes off what follows what is staged.
func (p *part) front() [][]byte {
	var list [][]byte
	next := p.stored
	for len(p.held) > 0 && p.held[0].offset == next {
		list = append(list, p.held[0].data)
		next += int64(len(p.held[0].data))
		p.held = p.held[1:]
	}
	return list
}

// receiverBulk is what is to be done with what has arrived, nil when that is nothing. A file that
// is whole is synced and audited while the next ones are on their way.
func (r *Replica) receiverTask() *BackgroundTask {
	v := r.snapshots.receiver
	if v == nil && r.snapshots.garbage == nil {
		return nil // as nearly always: it costs nothing
	}
	bulk := &BackgroundTask{Remove: r.snapshots.garbage, receiver: v}
	r.snapshots.garbage = nil
	if v == nil || v.auditing || v.stepped {
		return bulk.orNil()
	}
	for _, p := range v.parts {
		if p.file == 0 || p.whole {
			continue
		}
		if pieces := p.front(); pieces != nil {
			bulk.Stage = &Stage{Name: p.segment.Name, Offset: p.stored, Data: pieces}
			for _, data := range pieces {
				p.staging += int64(len(data))
			}
		}
		if p.stored+p.staging == p.segment.Length {
			bulk.Verify = []archive.Segment{p.segment}
		}
		if bulk.Stage != nil || bulk.Verify != nil {
			bulk.part = p
			return bulk
		}
	}
	if !v.awaitsOffer && v.complete() {
		v.auditing = true
		bulk.Order = append([]archive.Segment{}, v.checkpoint.segments...)
	}
	return bulk.orNil()
}

func (b *BackgroundTask) orNil() *BackgroundTask {
	if b.Remove == nil && b.Order == nil {
		return nil
	}
	return b
}

func (v *receiver) complete() bool {
	return !slices.ContainsFunc(v.parts, func(p *part) bool {
		return p.stored < p.segment.Length || p.file > 0 && !p.whole
	})
}

// received takes note of what receiverBulk wanted done.
func (r *Replica) received(bulk *BackgroundTask) {
	v, p := r.snapshots.receiver, bulk.part
	if v == nil || bulk.receiver != v {
		return
	}
	if p != nil {
		v.held -= int(p.staging)
		p.stored, p.staging = p.stored+p.staging, 0
	}
	switch {
	case p != nil && p.dropped:
	case bulk.Damage != nil:
		r.damaged(bulk)
		return
	case bulk.Order != nil:
		r.audited()
		return
	case bulk.Verify != nil:
		p.whole = bulk.Verify[0] == p.segment // it may have grown since
	}
	r.fetch()
}

// damaged lets go of a part that is not what was offered; or of all, where they do not fit
// together.
func (r *Replica) damaged(bulk *BackgroundTask) {
	r.abandon(bulk.Damage.Error())
	if bulk.Order != nil {
		r.snapshots.distrust = true
		r.dropReceiver()
		return
	}
	v := r.snapshots.receiver
	r.dropPart(bulk.part)
	v.parts = slices.DeleteFunc(v.parts, func(p *part) bool { return p.dropped })
}

// audited hands a complete snapshot to raft, which may find that it has no use for it any more.
func (r *Replica) audited() {
	v := r.snapshots.receiver
	state := v.parts[len(v.parts)-1].data
	if crc32.Checksum(state, castagnoli) != v.stateSum {
		v.auditing = false
		r.abandon("the state that arrived is not what was offered")
		return
	}
	v.checkpoint.state = state
	v.stepped, r.snapshots.distrust = true, false
	r.step(v.message)
	r.noticeRole()
}

// tickReceiver asks again for what got lost, and lets go of a snapshot that is not needed any more.
func (r *Replica) tickReceiver() {
	v := r.snapshots.receiver
	switch {
	case v == nil || v.auditing && !v.stepped || v.stepped && r.snapshotTaken():
		return
	case v.checkpoint.applied <= r.Status().Committed:
		r.dropReceiver()
		return
	case v.stepped: // what a leader of an earlier term offered: the next one has the same segments
		v.auditing, v.stepped = false, false
		r.abandon("another member leads")
	}
	if v.awaitsOffer {
		return
	}
	patience := v.pace.patience(&r.options)
	switch silent := r.now-v.lastChunkAt >= patience<<min(v.timeouts, timeoutsMax); {
	case silent && v.timeouts == timeoutsMax+2:
		r.abandon("the leader does not send it")
	case silent && len(v.requests) > 0:
		v.timeouts++
		r.beginAgain()
		r.fetch()
	default:
		r.repeatLost(patience)
	}
}

// beginAgain goes on behind what is here, as slowly as at first: who did not answer for so long
// will not.
func (r *Replica) beginAgain() {
	v := r.snapshots.receiver
	v.forgetRequests()
	v.pace.window, v.lastChunkAt = r.options.ChunkBytes, r.now
}

// repeatLost is for single chunks: others arrive meanwhile.
func (r *Replica) repeatLost(patience Time) {
	v := r.snapshots.receiver
	v.requests = slices.DeleteFunc(v.requests, func(q *chunkRequest) bool {
		if r.now-q.last < patience {
			return false
		}
		if !q.part.dropped {
			r.sendFetch(q)
		}
		return q.part.dropped
	})
	r.fetch()
}
