package v2test

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"detcd/cmd/detcd/testbed"
)

var old = flag.String("etcd34", "", "the binary of an etcd 3.4, as .ci/clients/fetch unpacks it")

// A pair is etcd and detcd, who are asked the same.
type pair struct{ etcd, detcd string }

// launchPair starts both. They are alike in all that a client can see: IDs, and the first index.
func launchPair(t *testing.T) pair {
	if *old == "" {
		t.Skip("run `make diff-v2`")
	}
	if _, err := os.Stat(*old); err != nil {
		t.Fatal(err)
	}
	launch := func(binary string) string {
		return testbed.Launch(t, testbed.Options{Binary: binary, Members: 1, Args: append(
			testbed.Alike(), "--enable-v2=true")}).Endpoints()[0]
	}
	return pair{launch(*old), launch(testbed.Detcd(t))}
}

// A question is a request, without the address.
type question struct{ method, path, body string }

func (q question) String() string { return q.method + " " + q.path + " " + q.body }

// begin sends a question and returns when the headers are there.
func begin(t *rapid.T, base string, q question) *http.Response {
	request, err := http.NewRequest(q.method, "http://"+base+q.path, strings.NewReader(q.body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

// said is all of an answer that is compared.
func said(t *rapid.T, response *http.Response, body string) string {
	head := response.Status
	for _, name := range []string{"Content-Type", "Allow", "X-Etcd-Index", "X-Etcd-Cluster-Id"} {
		head += "\n" + name + ": " + response.Header.Get(name)
	}
	for _, name := range []string{"X-Raft-Index", "X-Raft-Term"} { // there or not
		head += fmt.Sprintf("\n%s: %v", name, response.Header.Get(name) != "")
	}
	body = regexp.MustCompile(`"expiration":"[^"]*"`).ReplaceAllString(body, `"expiration":"T"`)
	return head + "\n" + regexp.MustCompile(`"ttl":\d+`).ReplaceAllString(body, `"ttl":N`)
}

func ask(t *rapid.T, base string, q question) string {
	response := begin(t, base, q)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return said(t, response, string(body))
}

// drawKey draws a key below a directory; few, so that they meet.
func drawKey(t *rapid.T, dir string) string {
	key := dir
	for range rapid.IntRange(0, 3).Draw(t, "depth") {
		key += "/" + rapid.SampledFrom([]string{"a", "b", "ab", "_h", "ü", "x%20y"}).Draw(t, "name")
	}
	return key
}

// drawQuestion draws a question. A listing is always sorted: else etcd's is in any order. No time
// to live ends while it is compared.
func drawQuestion(t *rapid.T, dir string) question {
	q := question{
		method: rapid.SampledFrom([]string{"GET", "GET", "PUT", "PUT", "PUT", "PUT", "POST", "DELETE",
			"DELETE", "HEAD", "PATCH"}).Draw(t, "method"),
		path: "/v2/keys" + drawKey(t, dir),
	}
	form := url.Values{}
	yes := rapid.SampledFrom([]string{"true", "true", "1", "false", "maybe", ""})
	value := rapid.SampledFrom([]string{"1", "2", "", "<&>\"\\\n", "中文\u2028"})
	fields := map[string]*rapid.Generator[string]{
		"recursive": yes, "dir": yes, "quorum": yes, "refresh": yes,
		"prevExist": yes, "noValueOnSuccess": yes, "value": value, "prevValue": value,
		"prevIndex": rapid.SampledFrom([]string{"0", "4", "5", "6", "7", "9", "x", "-1"}),
		"ttl":       rapid.SampledFrom([]string{"1000", "", "x", "18446744073709551616"}),
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		odds := 6
		if name == "value" {
			odds = 1
		}
		with := rapid.IntRange(0, odds).Draw(t, "with "+name) == 0
		if with || name == "value" && q.method == "PUT" {
			form.Set(name, fields[name].Draw(t, name))
		}
	}
	if q.method == "GET" || q.method == "HEAD" {
		form.Set("sorted", "true")
	}
	if q.method == "PUT" || q.method == "POST" {
		q.body = form.Encode()
	} else {
		q.path += "?" + form.Encode()
	}
	return q
}

// TestEtcdAndDetcdAnswerAlike sends the same requests to both, and lets clients wait meanwhile.
// Each sequence has a directory of its own; the index goes on.
func TestEtcdAndDetcdAnswerAlike(t *testing.T) {
	p, count := launchPair(t), 0
	rapid.Check(t, func(t *rapid.T) {
		count++
		dir := fmt.Sprintf("/d%d", count)
		compare := func(q question) {
			etcd, detcd := ask(t, p.etcd, q), ask(t, p.detcd, q)
			if etcd != detcd {
				t.Fatalf("%v\n--- etcd:\n%s\n--- detcd:\n%s", q, etcd, detcd)
			}
		}
		compare(question{"PUT", "/v2/keys" + dir + "/a/b", "value=1"})
		wait := question{"GET", "/v2/keys" + drawKey(t, dir) + "?wait=true", ""}
		if rapid.Bool().Draw(t, "recursive wait") {
			wait.path += "&recursive=true"
		}
		// Of a key that is not there when a directory above it goes, etcd says nothing to who waits.
		key, _, _ := strings.Cut(wait.path, "?")
		compare(question{"PUT", key, "value=begin"})
		if strings.HasPrefix(key, "/v2/keys"+dir+"/a/b/") { // below a file
			wait.path, key = "/v2/keys"+dir+"/a/b?wait=true", "/v2/keys"+dir+"/a/b"
		}
		waits := [2]*http.Response{begin(t, p.etcd, wait), begin(t, p.detcd, wait)}
		for range rapid.IntRange(10, 40).Draw(t, "requests") {
			compare(drawQuestion(t, dir))
		}
		// Whoever still waits is told now.
		compare(question{"DELETE", "/v2/keys" + dir + "?recursive=true", ""})
		var told [2]string
		for i, response := range waits {
			line, err := bufio.NewReader(response.Body).ReadString('\n')
			response.Body.Close()
			if err != nil && response.StatusCode == http.StatusOK {
				t.Fatalf("%v: %v", wait, err)
			}
			told[i] = said(t, response, line)
		}
		if told[0] != told[1] {
			t.Fatalf("%v\n--- etcd:\n%s\n--- detcd:\n%s", wait, told[0], told[1])
		}
	})
}
