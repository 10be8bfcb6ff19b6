package gateway

import (
	"encoding/json"
	"net/http"

	"go.etcd.io/etcd/api/v3/version"
)

// A release is what /version says, in this order.
type release struct {
	Server  string `json:"etcdserver"`
	Cluster string `json:"etcdcluster"`
	Storage string `json:"storage"`
}

// version says whose protocol is spoken.
func (g *Gateway) version(w http.ResponseWriter, _ *http.Request) {
	cluster := g.options.Node.Status().Downgrade.ClusterVersion()
	text, err := json.Marshal(release{Server: version.Version, Cluster: cluster, Storage: cluster})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Write(text)
}
