package bench

import "time"

// pace wakes each connection when one of its clients is due, until the stage is over. A connection
// would wake by its own deadline, too, but up to a millisecond late: an idle process of Go polls in
// whole milliseconds, and what is sent late would be charged to the server.
func (r *run) pace(st *stage, finished <-chan struct{}) {
	for turn := 0; ; turn++ {
		for number := range st.clients {
			due := st.due(number, turn)
			for wait := time.Until(due); wait > 0; wait = time.Until(due) {
				sleep(min(wait, paceCheck))
				select {
				case <-finished:
					return
				default:
				}
			}
			if w, ok := r.carriers[number%len(r.carriers)].(*wire); ok {
				w.wake()
			}
		}
	}
}

// paceCheck is how often it is looked whether a stage is over.
const paceCheck = 10 * time.Millisecond

// doze makes the next read of a connection end at a time, or when it is woken.
func (w *wire) doze(until time.Time) error {
	w.dozeLock.Lock()
	defer w.dozeLock.Unlock()
	w.dozing = true
	return w.conn.SetReadDeadline(until)
}

// rise ends what doze began.
func (w *wire) rise() error {
	w.dozeLock.Lock()
	defer w.dozeLock.Unlock()
	w.dozing = false
	return w.conn.SetReadDeadline(time.Time{})
}

// wake ends the doze of a connection, if it does. Any goroutine may call it.
func (w *wire) wake() {
	w.dozeLock.Lock()
	defer w.dozeLock.Unlock()
	if w.dozing {
		// An error means that the connection is closed, which its own goroutine finds out.
		_ = w.conn.SetReadDeadline(time.Unix(1, 0))
	}
}
