package gateway

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc/status"

	"detcd/kv/rpc"
)

// A verdict is what /health says, in this order.
type verdict struct {
	Health string `json:"health"`
	Reason string `json:"reason"`
}

// health answers 200 when the member can serve: no alarm that is not excluded, a leader, room on
// its device (unless NOSPACE is excluded), a read that all agree on. With ?serializable=true, a
// read of what is here.
func (g *Gateway) health(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	local := query.Get("serializable") == "true"
	v := verdict{Health: "true"}
	if v.Reason = g.illness(r.Context(), query["exclude"], local); v.Reason != "" {
		v.Health = "false"
	}
	text, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if v.Health != "true" {
		g.ill.Add(1)
		g.options.Log.Warn("serving /health false", slog.String("reason", v.Reason))
		http.Error(w, string(text), http.StatusServiceUnavailable)
		return
	}
	g.well.Add(1)
	w.Write(text)
}

// illness says what is wrong with the member; "": nothing. The texts are etcd's.
func (g *Gateway) illness(ctx context.Context, excluded []string, local bool) string {
	now := g.options.Node.Status()
	if name := alarmed(&now, excluded); name != "" {
		return "ALARM " + name
	}
	if !local && now.Leader == 0 {
		return "RAFT NO LEADER"
	}
	if !local && now.Refusing != nil && !contains(excluded, pb.AlarmType_NOSPACE.String()) {
		if now.Refusing == rpc.ErrTooManyFiles {
			return "TOO MANY OPEN FILES"
		}
		return "NO SPACE LEFT ON DEVICE"
	}
	read := g.readAgreed
	if local {
		read = g.readHere
	}
	if err := read(ctx); err != nil {
		return "RANGE ERROR:" + err.Error()
	}
	return ""
}

// alarmed is the name of the first alarm that is not excluded.
func alarmed(now *rpc.Status, excluded []string) string {
	for _, alarm := range now.Alarms {
		name := "UNKNOWN"
		switch alarm.Kind {
		case pb.AlarmType_NOSPACE:
			name = "NOSPACE"
		case pb.AlarmType_CORRUPT:
			name = "CORRUPT"
		}
		if !contains(excluded, alarm.Kind.String()) {
			return name
		}
	}
	return ""
}

// readHere reads what is applied here.
func (g *Gateway) readHere(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, g.options.Timeout)
	defer cancel()
	_, err := g.options.Node.View(ctx)
	return readable(err)
}

// readAgreed reads what all members agree on.
func (g *Gateway) readAgreed(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, g.options.Timeout)
	defer cancel()
	_, err := g.options.Node.Barrier(ctx)
	return readable(err)
}

// A plain error has a text without the words that gRPC puts around it.
type plain string

func (p plain) Error() string { return string(p) }

func readable(err error) error {
	if s, ok := status.FromError(err); ok && err != nil {
		return plain(s.Message())
	}
	return err
}
