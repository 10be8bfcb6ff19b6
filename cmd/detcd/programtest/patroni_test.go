package programtest

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// A site is two PostgreSQL servers that Patroni runs, one of which leads.
type site struct {
	dir, debian string
	endpoints   []string // of detcd
	nodes       []*node
}

// A node is one of them.
type node struct {
	name, rest, sql string // addresses
	patroni         *exec.Cmd
}

// nobody is who runs PostgreSQL, which refuses to be run by root.
const nobody = 65534

// environ makes the unpacked packages usable.
func (s *site) environ() []string {
	return append(os.Environ(), "HOME="+s.dir,
		"PYTHONPATH="+filepath.Join(s.debian, "usr/lib/python3/dist-packages"),
		"LD_LIBRARY_PATH="+filepath.Join(s.debian, "usr/lib/x86_64-linux-gnu"))
}

// start starts a node.
func (s *site) start(t *testing.T, n *node) {
	t.Helper()
	text, err := os.ReadFile("testdata/patroni.yml")
	if err != nil {
		t.Fatal(err)
	}
	config := strings.NewReplacer("$NAME", n.name, "$REST", n.rest, "$SQL", n.sql, "$DIR", s.dir,
		"$BIN", filepath.Join(s.debian, "usr/lib/postgresql/15/bin"),
		"$ENDPOINTS", strings.Join(s.endpoints, ", ")).Replace(string(text))
	path := filepath.Join(s.dir, n.name+".yml")
	if err := os.WriteFile(path, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(s.dir, n.name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	n.patroni = exec.Command("/usr/bin/python3", filepath.Join(s.debian, "usr/bin/patroni"), path)
	n.patroni.Dir, n.patroni.Env = s.dir, s.environ()
	n.patroni.Stdout, n.patroni.Stderr = log, log
	n.patroni.SysProcAttr = &syscall.SysProcAttr{}
	if os.Getuid() == 0 {
		n.patroni.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	if err := n.patroni.Start(); err != nil {
		t.Fatal(err)
	}
}

// kill kills a node at once: Patroni first, and the server that it started.
func (s *site) kill(t *testing.T, n *node) {
	t.Helper()
	if n.patroni == nil {
		return
	}
	_ = n.patroni.Process.Kill()
	_ = n.patroni.Wait()
	n.patroni = nil
	pidFile, err := os.ReadFile(filepath.Join(s.dir, n.name, "postmaster.pid"))
	if err != nil {
		return // it was not there yet
	}
	line, _, _ := strings.Cut(string(pidFile), "\n")
	pid, err := strconv.Atoi(line)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGQUIT); err != nil { // its children end, too
		t.Error(err)
	}
}

// plays tells whether a node has a role, as its REST service says.
func (n *node) plays(role string) func() bool {
	return func() bool {
		r, err := http.Get("http://" + n.rest + "/" + role)
		if err != nil {
			return false
		}
		_ = r.Body.Close()
		return r.StatusCode == http.StatusOK
	}
}

// query asks the database of a node.
func (s *site) query(n *node, statement string) string {
	host, port, _ := strings.Cut(n.sql, ":")
	psql := exec.Command(filepath.Join(s.debian, "usr/lib/postgresql/15/bin/psql"), "-At",
		"-U", "postgres", "-h", host, "-p", port, "-c", statement, "postgres")
	psql.Env = s.environ()
	output, err := psql.CombinedOutput()
	if err != nil {
		return err.Error() + string(output)
	}
	return strings.TrimSpace(string(output))
}

func TestPatroniFailsOverAndDetcdDoes(t *testing.T) {
	s := &site{debian: program(t, "debian")}
	cluster := serve(t, 3)
	s.endpoints = cluster.Endpoints()
	var err error
	if s.dir, err = os.MkdirTemp("", "patroni-"); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		if err := os.Chown(s.dir, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 2 {
		s.nodes = append(s.nodes, &node{
			name: fmt.Sprint("pg", i+1), rest: "127.0.0.1:" + freePort(t), sql: "127.0.0.1:" + freePort(t),
		})
	}
	t.Cleanup(func() {
		for _, n := range s.nodes {
			s.kill(t, n)
			if log, err := os.ReadFile(filepath.Join(s.dir, n.name+".log")); t.Failed() && err == nil {
				t.Logf("%s:\n%s", n.name, log)
			}
		}
		_ = os.RemoveAll(s.dir)
	})
	first, second := s.nodes[0], s.nodes[1]
	s.start(t, first)
	eventually(t, "the first leads", first.plays("leader"))
	s.start(t, second)
	eventually(t, "the second follows", second.plays("replica"))
	t.Log(s.query(first, "create table t (x int); insert into t values (7)"))
	seen := func() bool { return s.query(second, "select x, pg_is_in_recovery() from t") == "7|t" }
	eventually(t, "the second has what was written", seen)

	leader, err := cluster.Leader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := leader.Kill(); err != nil {
		t.Fatal(err)
	}
	s.kill(t, first)
	eventually(t, "the second leads", second.plays("leader"))
	eventually(t, "it has what was written, and takes writes", func() bool {
		return s.query(second, "update t set x = 8 returning x") == "8\nUPDATE 1"
	})
	if err := leader.Start(); err != nil {
		t.Fatal(err)
	}
	s.start(t, first)
	eventually(t, "the first follows", first.plays("replica"))
	eventually(t, "the first has what was written meanwhile", func() bool {
		return s.query(first, "select x, pg_is_in_recovery() from t") == "8|t"
	})
}
