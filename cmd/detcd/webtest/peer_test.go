package webtest

import (
	"strings"
	"testing"
	"time"

	"detcd/cmd/detcd/testbed"
)

// What is asked at the address of the members, by etcd's members and by curious people.
func TestBothAnswerAtTheAddressOfTheMembers(t *testing.T) {
	var urls []string
	for _, binary := range []string{testbed.Tool(t, "etcd"), testbed.Detcd(t)} {
		cluster := testbed.Launch(t, testbed.Options{Binary: binary, Args: testbed.Alike()})
		m := cluster.Members()[0]
		ask(t, m.ClientURL(), `POST /v3/kv/put {"key":"~foo~","value":"~bar~"}`)
		urls = append(urls, m.PeerURL())
		for !strings.Contains(ask(t, m.PeerURL(), "GET /members").text, `"name":"m1"`) {
			time.Sleep(10 * time.Millisecond) // it has not told its name yet
		}
	}
	for _, line := range []string{
		"GET /version", "POST /version", "GET /members", "POST /members", "GET /members/",
		"GET /members/nope", "GET /members/promote/1", "POST /members/promote/x",
		"POST /members/promote/",
		"POST /members/promote/17", "POST /members/promote/99999999999999999999",
		`GET /members/hashkv {"revision":0}`, `GET /members/hashkv {"revision":2}`,
		`GET /members/hashkv {"revision":99}`, `GET /members/hashkv {"revision":1}`,
		`GET /members/hashkv {"revision":"x"}`, "GET /members/hashkv", "GET /members/hashkv []",
		"POST /members/hashkv {}", "GET /downgrade/enabled", "POST /downgrade/enabled",
		"GET /health", "GET /v3/kv/range", "GET /",
	} {
		same(t, urls[0], urls[1], line)
	}
	self := strings.Trim(strings.Fields(ask(t, urls[0], "GET /members").text)[0], `[{"`)
	id, _, _ := strings.Cut(strings.TrimPrefix(self, `id":`), ",")
	same(t, urls[0], urls[1], "POST /members/promote/"+id)
	const header = "X-Etcd-Cluster-ID: "
	cluster := ask(t, urls[0], "GET /members").header.Get("X-Etcd-Cluster-ID")
	for _, value := range []string{cluster, "abc"} {
		same(t, urls[0], urls[1], `GET /members/hashkv {"revision":0}`, header+value)
	}
}
