package v2http

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/status"

	"detcd/kv"
	"detcd/kv/v2"
)

const keysPrefix = "/v2/keys"

// keys serves /v2/keys.
func (h *Handler) keys(w http.ResponseWriter, r *http.Request) {
	if !allow(w, r, "HEAD", "GET", "PUT", "POST", "DELETE") {
		return
	}
	h.sign(w)
	now := time.Now()
	r.Body = http.MaxBytesReader(w, r.Body, 3*int64(h.options.RequestBytesMax)+bodyMore)
	q, refusal := parse(r, strings.TrimPrefix(r.URL.Path, keysPrefix), now)
	if refusal == nil && h.options.Auth().Enabled() {
		refusal = kv.TreeClosed()
	}
	if refusal != nil {
		h.refuse(w, refusal)
		return
	}
	if q.wait && !q.quorum {
		h.wait(w, r, q)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), h.options.Timeout)
	defer cancel()
	if c := q.command(now); c != nil {
		h.change(ctx, w, q, c)
	} else {
		h.get(ctx, w, q)
	}
}

// change has a command executed.
func (h *Handler) change(
	ctx context.Context, w http.ResponseWriter, q *request, c *v2.Command,
) {
	command := kv.TreeCommand(c)
	if len(command) > h.options.RequestBytesMax {
		h.refuse(w, refuse(v2.RaftInternal, rpctypes.ErrRequestTooLarge.Error()))
		return
	}
	answer, err := h.options.Node.Submit(ctx, command)
	if err != nil {
		h.refuse(w, failure(err))
		return
	}
	switch answer := answer.(type) {
	case *v2.Event:
		h.succeed(w, answer.Index())
		if answer.Created() {
			w.WriteHeader(http.StatusCreated)
		}
		deletes := answer.Action == v2.Delete || answer.Action == v2.CompareAndDelete
		w.Write(appendEvent(nil, answer, q.noValueOnSuccess && !deletes))
	case *v2.Error:
		h.refuse(w, answer)
	default:
		h.refuse(w, refuse(v2.RaftInternal, fmt.Sprintf("the answer is a %T", answer)))
	}
}

// get reads a node.
func (h *Handler) get(ctx context.Context, w http.ResponseWriter, q *request) {
	view, refusal := h.view(ctx, q.quorum && q.method == http.MethodGet)
	if refusal != nil {
		h.refuse(w, refusal)
		return
	}
	n, refusal := view.Find(q.key)
	if refusal != nil {
		h.counts.misses.Add(1)
		h.refuse(w, refusal)
		return
	}
	h.counts.gets.Add(1)
	h.succeed(w, view.Index())
	l := &listing{
		out: bufio.NewWriterSize(w, 16<<10), view: view, now: v2.Time(time.Now().UnixNano()),
		recursive: q.recursive,
	}
	if err := l.get(n); err != nil {
		h.options.Log.Debug("a client of v2 has gone: " + err.Error())
	}
}

// view is what this member has applied, or, with an agreement, all that was answered by any.
func (h *Handler) view(ctx context.Context, agreed bool) (*v2.View, *v2.Error) {
	read := h.options.Node.View
	if agreed {
		read = h.options.Node.Barrier
	}
	view, err := read(ctx)
	if err != nil {
		return nil, failure(err)
	}
	return view.(*kv.View).Tree(), nil
}

// succeed writes the headers of an answer at an index.
func (h *Handler) succeed(w http.ResponseWriter, index v2.Index) {
	now := h.options.Node.Status()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Etcd-Index", strconv.FormatUint(uint64(index), 10))
	w.Header().Set("X-Raft-Index", strconv.FormatUint(now.RaftIndex, 10))
	w.Header().Set("X-Raft-Term", strconv.FormatUint(now.RaftTerm, 10))
}

// errCanceled is etcd's; rpctypes has another text.
var errCanceled = errors.New("etcdserver: request cancelled")

// failure is what a client is told when the member did not do what it was asked.
func failure(err error) *v2.Error {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		err = rpctypes.ErrTimeout
	case errors.Is(err, context.Canceled):
		err = errCanceled
	}
	text := err.Error()
	if s, ok := status.FromError(err); ok {
		text = s.Message()
	}
	return refuse(v2.RaftInternal, text)
}

// statusOf is that of HTTP.
func statusOf(code v2.Code) int {
	switch code {
	case v2.KeyNotFound:
		return http.StatusNotFound
	case v2.NotFile, v2.DirectoryNotEmpty:
		return http.StatusForbidden
	case v2.Unauthorized:
		return http.StatusUnauthorized
	case v2.CompareFailed, v2.KeyExists:
		return http.StatusPreconditionFailed
	case v2.RaftInternal:
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}

// refuse answers with an error of etcd's.
func (h *Handler) refuse(w http.ResponseWriter, e *v2.Error) {
	text, err := json.Marshal(struct {
		Code    v2.Code  `json:"errorCode"`
		Message string   `json:"message"`
		Cause   string   `json:"cause,omitempty"`
		Index   v2.Index `json:"index"`
	}{e.Code, e.Code.Message(), e.Cause, e.Index})
	if err != nil {
		panic(err) // strings and numbers can be written
	}
	w.Header().Set("X-Etcd-Index", strconv.FormatUint(uint64(e.Index), 10))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(statusOf(e.Code))
	w.Write(append(text, '\n'))
}
