package v2http

import (
	"context"
	"net/http"
	"time"

	"detcd/kv/v2"
)

// writeTime is how long a client may take to accept an event.
const writeTime = 30 * time.Second

// wait answers with the next event, or a stream of them. The headers come at once.
func (h *Handler) wait(w http.ResponseWriter, r *http.Request, q *request) {
	ctx, cancel := context.WithTimeout(r.Context(), h.options.Timeout)
	view, refusal := h.view(ctx, false)
	cancel()
	one := &waiter{key: q.key, recursive: q.recursive, stream: q.stream, since: q.waitIndex}
	if refusal == nil {
		refusal = h.waiters.enter(one, view)
	}
	if refusal != nil {
		h.refuse(w, refusal)
		return
	}
	defer h.waiters.leave(one)
	if a, ok := w.(*answer); ok {
		a.waited = true
	}
	h.succeed(w, one.index)
	w.WriteHeader(http.StatusOK)
	out := http.NewResponseController(w)
	if out.Flush() != nil {
		return
	}
	tell := func(e *v2.Event) (more bool) {
		out.SetWriteDeadline(time.Now().Add(writeTime))
		defer out.SetWriteDeadline(time.Time{})
		_, err := w.Write(appendEvent(nil, e, false))
		return err == nil && q.stream && out.Flush() == nil
	}
	for _, e := range one.past {
		if !tell(e) {
			return
		}
	}
	for {
		select {
		case <-r.Context().Done():
			return
		case e, more := <-one.events:
			if !more || !tell(e) {
				return
			}
		}
	}
}
