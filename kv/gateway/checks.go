package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"detcd/kv/rpc"
)

// A check is one thing that must be well for a member to be alive or ready.
type check struct {
	name  string
	run   func(g *Gateway, ctx context.Context) error
	extra bool // etcd has no such check: it is in the report only when it fails
}

var (
	dataCorruption   = check{name: "data_corruption", run: (*Gateway).checkCorruption}
	serializableRead = check{name: "serializable_read", run: (*Gateway).readHere}
	linearizableRead = check{name: "linearizable_read", run: (*Gateway).readAgreed}
	nonLearner       = check{name: "non_learner", run: (*Gateway).checkLearner}
	deviceSpace      = check{name: "device_space", run: (*Gateway).checkSpace, extra: true}
)

var (
	errDeviceFull   = errors.New("no space left on the device; writes are refused")
	errTooManyFiles = errors.New("too many open files; writes are refused")
)

func (g *Gateway) checkSpace(context.Context) error {
	switch g.options.Node.Status().Refusing {
	case nil:
		return nil
	case rpc.ErrTooManyFiles:
		return errTooManyFiles
	}
	return errDeviceFull
}

var errLearner = errors.New("not supported for learner")

func (g *Gateway) checkLearner(context.Context) error {
	if g.options.Node.Status().Learner {
		return errLearner
	}
	return nil
}

func (g *Gateway) checkCorruption(context.Context) error {
	for _, alarm := range g.options.Node.Status().Alarms {
		if alarm.Kind == pb.AlarmType_CORRUPT {
			return errors.New("alarm activated: " + alarm.Kind.String())
		}
	}
	return nil
}

// probe adds a path that runs checks, but those that ?exclude= names, and a path for each of them.
func (g *Gateway) probe(mux *http.ServeMux, path string, checks ...check) {
	mux.HandleFunc(path, onlyGet(func(w http.ResponseWriter, r *http.Request) {
		excluded := r.URL.Query()["exclude"]
		g.answer(w, r, slices.DeleteFunc(slices.Clone(checks), func(c check) bool {
			return contains(excluded, c.name)
		}))
	}))
	for _, c := range checks {
		mux.HandleFunc(path+"/"+c.name, onlyGet(func(w http.ResponseWriter, r *http.Request) {
			g.answer(w, r, []check{c})
		}))
	}
}

// contains tells whether the values of a parameter, which may be given more than once, have a name.
func contains(values []string, name string) bool { return slices.Contains(values, name) }

// answer runs checks and tells the outcome as Kubernetes does, and below it, where there is
// anything to say, why the member cannot do all of its work.
func (g *Gateway) answer(w http.ResponseWriter, r *http.Request, checks []check) {
	var report strings.Builder
	well := true
	for _, c := range checks {
		if err := c.run(g, r.Context()); err != nil {
			fmt.Fprintf(&report, "[-]%s failed: %v\n", c.name, err)
			well = false
			continue
		}
		if c.extra && len(checks) > 1 {
			continue
		}
		fmt.Fprintf(&report, "[+]%s ok\n", c.name)
	}
	for _, trouble := range g.options.Node.Troubles() {
		fmt.Fprintf(&report, "%s\n", trouble)
	}
	if !well {
		g.options.Log.Error("a health check failed", slog.String("path", r.URL.Path),
			slog.String("output", report.String()))
		http.Error(w, report.String(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.URL.Query().Has("verbose") {
		fmt.Fprint(w, report.String())
	}
	fmt.Fprint(w, "ok\n")
}
