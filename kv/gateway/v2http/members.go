package v2http

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"go.etcd.io/etcd/client/pkg/v3/types"
)

// A member is what is told of one, in this order.
type member struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	PeerURLs   []string `json:"peerURLs"`
	ClientURLs []string `json:"clientURLs"`
}

func memberOf(m *pb.Member) member {
	return member{
		strconv.FormatUint(m.ID, 16), m.Name,
		append([]string{}, m.PeerURLs...), append([]string{}, m.ClientURLs...),
	}
}

// machines lists where clients find the members.
func (h *Handler) machines(w http.ResponseWriter, r *http.Request) {
	if !allow(w, r, "GET", "HEAD") {
		return
	}
	all, err := h.options.Membership.Members(r.Context(), false)
	if err != nil {
		fail(w, http.StatusInternalServerError, internal)
		return
	}
	var urls []string
	for _, m := range all {
		urls = append(urls, m.ClientURLs...)
	}
	slices.Sort(urls)
	io.WriteString(w, strings.Join(urls, ", "))
}

// internal is all that a client is told of most failures; the log has more.
const internal = "Internal Server Error"

// members serves /v2/members.
func (h *Handler) members(w http.ResponseWriter, r *http.Request) {
	if !allow(w, r, "GET", "POST", "DELETE", "PUT") || h.closed(w) {
		return
	}
	h.sign(w)
	ctx, cancel := context.WithTimeout(r.Context(), h.options.Timeout)
	defer cancel()
	name := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/v2/members"), "/")
	switch r.Method {
	case http.MethodGet:
		h.listMembers(ctx, w, name)
	case http.MethodPost:
		if urls, ok := h.peerURLs(w, r); ok {
			h.addMember(ctx, w, urls)
		}
	default:
		h.changeMember(ctx, w, r, name)
	}
}

func (h *Handler) listMembers(ctx context.Context, w http.ResponseWriter, name string) {
	all, err := h.options.Membership.Members(ctx, false)
	if err != nil {
		h.failed(w, "list", err)
		return
	}
	leader := h.options.Node.Status().Leader
	at := slices.IndexFunc(all, func(m *pb.Member) bool { return m.ID == leader })
	switch {
	case name == "":
		list := make([]member, len(all))
		for i, m := range all {
			list[i] = memberOf(m)
		}
		show(w, http.StatusOK, map[string][]member{"members": list})
	case name != "leader":
		fail(w, http.StatusNotFound, "Not found")
	case at < 0:
		fail(w, http.StatusServiceUnavailable, "During election")
	default:
		show(w, http.StatusOK, memberOf(all[at]))
	}
}

// show writes a value and ends the line.
func show(w http.ResponseWriter, status int, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // strings can be written
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(text, '\n'))
}

// peerURLs reads the body of a change.
func (h *Handler) peerURLs(w http.ResponseWriter, r *http.Request) ([]string, bool) {
	kind, _, parameters := strings.Cut(r.Header.Get("Content-Type"), ";")
	if parameters {
		kind = strings.TrimSpace(strings.ToLower(kind))
	}
	if kind != "application/json" {
		fail(w, http.StatusUnsupportedMediaType,
			fmt.Sprintf("Bad Content-Type %s, accept application/json", kind))
		return nil, false
	}
	var body struct {
		PeerURLs []string `json:"peerURLs"`
	}
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyMore))
	if err == nil {
		err = json.Unmarshal(text, &body)
	}
	var urls types.URLs
	if err == nil {
		urls, err = types.NewURLs(body.PeerURLs)
	}
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return nil, false
	}
	return urls.StringSlice(), true
}

func (h *Handler) addMember(ctx context.Context, w http.ResponseWriter, urls []string) {
	added, _, err := h.options.Membership.AddMember(ctx, urls, false)
	if err != nil {
		h.failed(w, "add", err)
		return
	}
	show(w, http.StatusCreated, memberOf(added))
}

// changeMember removes a member, or says where it is.
func (h *Handler) changeMember(
	ctx context.Context, w http.ResponseWriter, r *http.Request, name string,
) {
	if name == "" {
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
		return
	}
	id, err := types.IDFromString(name)
	if err != nil {
		fail(w, http.StatusNotFound, "No such member: "+name)
		return
	}
	what := "remove"
	if r.Method == http.MethodDelete {
		_, err = h.options.Membership.RemoveMember(ctx, uint64(id))
	} else {
		what = "update"
		urls, ok := h.peerURLs(w, r)
		if !ok {
			return
		}
		_, err = h.options.Membership.UpdateMember(ctx, uint64(id), urls)
	}
	switch {
	case errors.Is(err, ErrRemoved):
		fail(w, http.StatusGone, "Member permanently removed: "+id.String())
	case errors.Is(err, rpctypes.ErrGRPCMemberNotFound):
		fail(w, http.StatusNotFound, "No such member: "+id.String())
	case err != nil:
		h.failed(w, what, err)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// ErrRemoved is what RemoveMember may wrap besides its own error: the member was there once.
var ErrRemoved = errors.New("the member was removed before")

// failed answers why a change of the members was not made.
func (h *Handler) failed(w http.ResponseWriter, what string, err error) {
	switch {
	case errors.Is(err, rpctypes.ErrGRPCPeerURLExist):
		fail(w, http.StatusConflict, "membership: peerURL exists")
	case errors.Is(err, rpctypes.ErrGRPCMemberExist):
		fail(w, http.StatusConflict, "membership: ID exists")
	default:
		h.options.Log.Warn("failed to "+what+" a member", slog.Any("error", err))
		fail(w, http.StatusInternalServerError, internal)
	}
}
