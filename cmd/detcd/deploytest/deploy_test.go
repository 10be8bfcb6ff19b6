// Package deploytest tests what starts members and fleets elsewhere than in a shell: that the
// manifests of deploy name flags, ports and paths that there are, and that what they say serves.
package deploytest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"detcd/cmd/detcd/testbed"
)

const root = "../../.."

// object is what the tests read of a Kubernetes object.
type object struct {
	APIVersion string `json:"apiVersion"`
	Kind       string
	Metadata   struct{ Name string }
	Spec       struct {
		ServiceName string `json:"serviceName"`
		Completions int
		Template    struct {
			Spec struct{ Containers []container }
		}
	}
}

type container struct {
	Command []string
	Args    []string
	Ports   []struct {
		Name          string
		ContainerPort int `json:"containerPort"`
	}
	LivenessProbe, ReadinessProbe, StartupProbe *probe
}

type probe struct {
	HTTPGet struct{ Path, Port string } `json:"httpGet"`
}

// manifest reads the objects of a file.
func manifest(t *testing.T, name string) (list []object) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "deploy", name))
	if err != nil {
		t.Fatal(err)
	}
	for part := range strings.SplitSeq(string(text), "\n---\n") {
		var o object
		if err := yaml.Unmarshal([]byte(part), &o); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if o.APIVersion == "" || o.Kind == "" || o.Metadata.Name == "" {
			t.Fatalf("%s: an object without a kind or a name: %+v", name, o)
		}
		list = append(list, o)
	}
	return list
}

// only returns the container of the one object of a kind.
func only(t *testing.T, list []object, kind string) (object, container) {
	t.Helper()
	for _, o := range list {
		if o.Kind == kind && len(o.Spec.Template.Spec.Containers) == 1 {
			return o, o.Spec.Template.Spec.Containers[0]
		}
	}
	t.Fatalf("no %s with one container", kind)
	return object{}, container{}
}

// lab builds detcdlab.
func lab(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "detcdlab")
	command := exec.Command("go", "build", "-o", path, "./cmd/detcdlab")
	command.Dir = root
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// What the StatefulSet says serves: its arguments, with addresses of this machine in the place of
// those of pods, start a member that answers at the paths of its probes.
func TestTheStatefulSetServes(t *testing.T) {
	set, c := only(t, manifest(t, "statefulset.yaml"), "StatefulSet")
	if set.Spec.ServiceName != "detcd" || strings.Join(c.Command, " ") != "detcd" {
		t.Fatalf("%+v", set)
	}
	client, peer := address(t), address(t)
	peers := regexp.MustCompile(`--initial-cluster=.*`)
	var arguments []string
	for _, argument := range c.Args {
		argument = peers.ReplaceAllString(argument, "--initial-cluster=detcd-0=http://"+peer)
		argument = strings.NewReplacer("$(POD_NAME).detcd:2379", client, "0.0.0.0:2379", client,
			"$(POD_NAME).detcd:2380", peer, "0.0.0.0:2380", peer, "$(POD_NAME)", "detcd-0",
			"/var/lib/detcd", t.TempDir()).Replace(argument)
		arguments = append(arguments, argument)
	}
	ports := map[string]int{}
	for _, p := range c.Ports {
		ports[p.Name] = p.ContainerPort
	}
	if ports["client"] != 2379 || ports["peer"] != 2380 {
		t.Errorf("ports %v", ports)
	}
	log := serve(t, testbed.Detcd(t), arguments)
	for name, p := range map[string]*probe{"liveness": c.LivenessProbe,
		"readiness": c.ReadinessProbe, "startup": c.StartupProbe} {
		if p == nil || p.HTTPGet.Port != "client" {
			t.Fatalf("%s: %+v", name, p)
		}
		if err := answers(t.Context(), "http://"+client+p.HTTPGet.Path, log); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
}

// process is a member that runs until the test ends.
type process struct {
	ended chan struct{}
	log   bytes.Buffer // to be read when it has ended
}

func serve(t *testing.T, binary string, arguments []string) *process {
	t.Helper()
	p := &process{ended: make(chan struct{})}
	command := exec.Command(binary, arguments...)
	command.Stderr = &p.log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { defer close(p.ended); _ = command.Wait() }()
	t.Cleanup(func() { _ = command.Process.Kill(); <-p.ended })
	return p
}

// answers waits until a path is answered with 200, or the member has ended.
func answers(ctx context.Context, url string, p *process) error {
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			_ = response.Body.Close()
			switch response.StatusCode {
			case http.StatusOK:
				return nil
			case http.StatusNotFound:
				return fmt.Errorf("there is no %s", url)
			}
		}
		select {
		case <-p.ended:
			return fmt.Errorf("it ended:\n%s", &p.log)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func address(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// The pods of the Job run all parts of the seeds, each its own.
func TestThePodsOfTheFleetShareTheSeeds(t *testing.T) {
	job, c := only(t, manifest(t, "fleet.yaml"), "Job")
	parts := fmt.Sprintf("--shard=job/%d", job.Spec.Completions)
	if strings.Join(c.Command, " ") != "detcdlab" || len(c.Args) == 0 || c.Args[0] != "sim" ||
		!strings.Contains(strings.Join(c.Args, " "), parts) {
		t.Fatalf("%v %v, want %s", c.Command, c.Args, parts)
	}
	program := lab(t)
	few := regexp.MustCompile(`--seeds=.*`)
	for _, index := range []int{0, job.Spec.Completions - 1} {
		var arguments []string
		for _, argument := range append(c.Args, "--profile=calm", "--duration=1s", "--world=plain") {
			argument = few.ReplaceAllString(argument, fmt.Sprintf("--seeds=1-%d", job.Spec.Completions))
			arguments = append(arguments, argument)
		}
		command := exec.Command(program, arguments...)
		command.Env = append(os.Environ(), fmt.Sprintf("JOB_COMPLETION_INDEX=%d", index))
		out, err := command.CombinedOutput()
		if err != nil || !strings.Contains(string(out), fmt.Sprintf("seed %d ", index+1)) {
			t.Errorf("pod %d: %v\n%s", index, err, out)
		}
	}
}

// systemd takes the unit, with the program in a place where there is one.
func TestSystemdTakesTheUnit(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "deploy/detcd.service"))
	if err != nil {
		t.Fatal(err)
	}
	start := regexp.MustCompile(`(?m)^ExecStart=(\S+) (.*)$`).FindStringSubmatch(string(text))
	if start == nil || start[1] != "/usr/local/bin/detcd" {
		t.Fatalf("it starts %q", start)
	}
	binary := testbed.Detcd(t)
	help, err := exec.Command(binary, "--help").CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	for _, flag := range regexp.MustCompile(`--[a-z-]+`).FindAllString(start[2], -1) {
		if !strings.Contains(string(help), flag+" ") {
			t.Errorf("there is no %s", flag)
		}
	}
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("the rest is for systemd, which is not here")
	}
	unit := filepath.Join(t.TempDir(), "detcd.service")
	there := strings.ReplaceAll(string(text), start[1], binary)
	if err := os.WriteFile(unit, []byte(there), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("systemd-analyze", "verify", unit).CombinedOutput()
	if err != nil || strings.Contains(string(out), unit) {
		t.Errorf("%v\n%s", err, out)
	}
}

// The image is built with the Go that go.mod asks for, from packages that there are, and holds the
// programs that the manifests start.
func TestTheImageHasThePrograms(t *testing.T) {
	image, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	module, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(string(module))
	if version == nil || !strings.Contains(string(image), "FROM golang:"+version[1]+" ") {
		t.Errorf("go.mod wants %q", version)
	}
	built := regexp.MustCompile(`\./cmd/(\w+)`).FindAllStringSubmatch(string(image), -1)
	names := map[string]bool{}
	for _, program := range built {
		names[program[1]] = true
		if _, err := os.Stat(filepath.Join(root, "cmd", program[1], "main.go")); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"statefulset.yaml", "fleet.yaml"} {
		for _, o := range manifest(t, name) {
			for _, c := range o.Spec.Template.Spec.Containers {
				if !names[c.Command[0]] {
					t.Errorf("%s starts %v, which the image has not: %v", name, c.Command, names)
				}
			}
		}
	}
}
