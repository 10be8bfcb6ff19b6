package v2http

import "net/http"

// noUsers is what a client is told who would change users or roles of v2.
const noUsers = "users and roles of v2 are not supported; use those of v3, which close /v2"

// authEnabled serves /v2/auth/enable: users of v2 are never enabled.
func (h *Handler) authEnabled(w http.ResponseWriter, r *http.Request) {
	if !allow(w, r, "GET", "PUT", "DELETE") {
		return
	}
	h.sign(w)
	if r.Method != http.MethodGet {
		fail(w, http.StatusNotImplemented, noUsers)
		return
	}
	show(w, http.StatusOK, map[string]bool{"enabled": false})
}

// authUsers serves /v2/auth/users: there are none.
func (h *Handler) authUsers(w http.ResponseWriter, r *http.Request) {
	h.authList(w, r, "/v2/auth/users", `{"users":null}`)
}

// authRoles serves /v2/auth/roles: there is the one that etcd has always.
func (h *Handler) authRoles(w http.ResponseWriter, r *http.Request) {
	h.authList(w, r, "/v2/auth/roles",
		`{"roles":[{"role":"root","permissions":{"kv":{"read":["/*"],"write":["/*"]}}}]}`)
}

func (h *Handler) authList(w http.ResponseWriter, r *http.Request, page, list string) {
	if r.URL.Path == page && !allow(w, r, "GET") {
		return
	}
	h.sign(w)
	if r.URL.Path != page {
		fail(w, http.StatusNotImplemented, noUsers)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write([]byte(list + "\n"))
}
