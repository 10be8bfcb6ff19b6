package nemesis

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
)

// Member is one server of a cluster: a data directory, two addresses and, most of the time, a
// process. Its methods may be called from any goroutine.
type Member struct {
	name       string
	binary     string
	env        []string
	endpoint   string
	peer       string // where it listens to its peers
	advertised string // where they find it
	spaced     bool   // it has a network namespace
	disk       string // where it is mounted; empty: it has none of its own
	dataDir    string
	logPath    string

	mu      sync.Mutex // guards what follows
	args    []string
	process *process // the last one started; nil before the first Start
	conn    *grpc.ClientConn
	starts  int
	clock   time.Duration // how far it is ahead
	admin   Admin         // nil: nobody needs a name
}

// Name returns the name of the member within its cluster: m1, m2 and so on.
func (m *Member) Name() string { return m.name }

// Endpoint returns the host:port at which the member serves clients.
func (m *Member) Endpoint() string { return m.endpoint }

// ClientURL returns the URL at which the member serves clients.
func (m *Member) ClientURL() string { return "http://" + m.endpoint }

// PeerURL returns the URL at which other members find the member.
func (m *Member) PeerURL() string { return "http://" + m.advertised }

// DataDir returns the data directory of the member.
func (m *Member) DataDir() string { return m.dataDir }

// LogPath returns the file to which the member's output is appended.
func (m *Member) LogPath() string { return m.logPath }

// PID returns the process id, 0 when no process runs.
func (m *Member) PID() int {
	p := m.current()
	if p == nil || p.ended() {
		return 0
	}
	return p.id()
}

// Running says whether the member has a process; a paused one counts.
func (m *Member) Running() bool { return m.PID() != 0 }

// Starts returns how often the member was started.
func (m *Member) Starts() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.starts
}

// Start starts the process over whatever the data directory holds and returns at once: see
// WaitReady. It is an error when one runs already.
func (m *Member) Start() error {
	if err := m.start(); err != nil || m.Clock() == 0 {
		return err
	}
	return m.applyClock()
}

func (m *Member) start() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.process != nil && !m.process.ended() {
		return fmt.Errorf("nemesis: %s runs already", m.name)
	}
	binary, args := m.binary, m.args
	if m.spaced {
		binary, args = m.inSpace(binary, args)
	}
	p, err := startProcess(binary, args, m.env, m.logPath)
	if err != nil {
		return fmt.Errorf("nemesis: start %s: %w", m.name, err)
	}
	m.process = p
	m.starts++
	return nil
}

// AppendArgs adds flags to those with which the member is started from now on. Of a flag that is
// given twice the last counts.
func (m *Member) AppendArgs(args ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.args = append(slices.Clip(m.args), args...)
}

// Kill ends the process with SIGKILL and returns when it is gone. A member without a process is
// left as it is. When the process had ended by itself before, that is returned as an ExitError.
func (m *Member) Kill() error {
	if err := m.end(syscall.SIGKILL, killWait); err != nil {
		return err
	}
	return m.Exited()
}

// Stop asks the process to end with SIGTERM and returns when it is gone. A process that is still
// there after grace is killed, and that is an error.
func (m *Member) Stop(grace time.Duration) error {
	err := m.end(syscall.SIGTERM, grace)
	if !errors.Is(err, errStillRuns) {
		return err
	}
	return errors.Join(fmt.Errorf("%w after SIGTERM and %v", err, grace), m.Kill())
}

// Pause stops the process in its tracks with SIGSTOP: it keeps its memory, its files and its
// connections, and does nothing until Resume. On Linux it has stopped when Pause returns.
func (m *Member) Pause() error {
	if err := m.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	if err := awaitStopped(m.PID()); err != nil {
		return fmt.Errorf("nemesis: pause %s: %w", m.name, err)
	}
	return nil
}

// Resume lets a paused process go on.
func (m *Member) Resume() error { return m.signal(syscall.SIGCONT) }

// Exited returns an error with the end of the log when the process ended without having been asked
// to by this package; nil otherwise.
func (m *Member) Exited() error {
	p := m.current()
	if p == nil || !p.ended() || p.asked() {
		return nil
	}
	return &ExitError{Member: m.name, Cause: p.err, LogEnd: logEnd(m.logPath)}
}

// WaitReady waits until the member answers a linearizable read. It fails when ctx ends or when the
// process exits by itself.
func (m *Member) WaitReady(ctx context.Context) error {
	for {
		ready, err := m.answers(ctx)
		if ready {
			return nil
		}
		if exit := m.Exited(); exit != nil {
			return exit
		}
		if sleep(ctx, pollInterval) != nil {
			return fmt.Errorf("nemesis: %s does not serve: %w\n%s", m.name, err, logEnd(m.logPath))
		}
	}
}

func (m *Member) answers(ctx context.Context) (bool, error) {
	conn, err := m.Conn()
	if err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	request := &etcdserverpb.RangeRequest{Key: []byte("nemesis"), CountOnly: true}
	_, err = etcdserverpb.NewKVClient(conn).Range(ctx, request)
	// Who makes the request is looked at when it could be answered.
	return err == nil || rpctypes.Error(err) == rpctypes.ErrUserEmpty, err
}

// Status asks the member what it knows of itself and its leader.
func (m *Member) Status(ctx context.Context) (*etcdserverpb.StatusResponse, error) {
	conn, err := m.adminConn()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	request := &etcdserverpb.StatusRequest{}
	status, err := etcdserverpb.NewMaintenanceClient(conn).Status(ctx, request)
	if err != nil {
		return nil, fmt.Errorf("nemesis: status of %s: %w", m.name, err)
	}
	return status, nil
}

// Conn returns a connection to the client endpoint that is kept for the life of the cluster and
// finds a restarted process again within a fraction of a second. Do not close it.
func (m *Member) Conn() (*grpc.ClientConn, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conn != nil {
		return m.conn, nil
	}
	conn, err := Dial(m.endpoint)
	if err != nil {
		return nil, err
	}
	m.conn = conn
	return conn, nil
}

// An Admin returns a connection on which everything is permitted, over one of nobody.
type Admin func(*grpc.ClientConn) grpc.ClientConnInterface

// adminConn returns a connection for what not everybody may do.
func (m *Member) adminConn() (grpc.ClientConnInterface, error) {
	conn, err := m.Conn()
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil || m.admin == nil {
		return conn, err
	}
	return m.admin(conn), nil
}

func (m *Member) current() *process {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.process
}

func (m *Member) signal(s syscall.Signal) error {
	p := m.current()
	if p == nil || p.ended() {
		return fmt.Errorf("nemesis: %s: %v: no process", m.name, s)
	}
	if err := p.signal(s); err != nil {
		return fmt.Errorf("nemesis: %s: %v: %w", m.name, s, err)
	}
	return nil
}

func (m *Member) end(s syscall.Signal, wait time.Duration) error {
	p := m.current()
	if p == nil {
		return nil
	}
	if err := p.end(s, wait); err != nil {
		return fmt.Errorf("nemesis: %s: %v: %w", m.name, s, err)
	}
	return nil
}

func (m *Member) close() error {
	err := m.end(syscall.SIGKILL, killWait)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conn != nil {
		err = errors.Join(err, m.conn.Close())
		m.conn = nil
	}
	return err
}

// flags are those that make the process this member of this cluster.
func (m *Member) flags(initialCluster string) []string {
	return []string{
		"--name=" + m.name,
		"--data-dir=" + m.dataDir,
		"--listen-client-urls=" + m.ClientURL(),
		"--advertise-client-urls=" + m.ClientURL(),
		"--listen-peer-urls=http://" + m.peer,
		"--initial-advertise-peer-urls=" + m.PeerURL(),
		"--initial-cluster=" + initialCluster,
		"--initial-cluster-token=nemesis",
		"--initial-cluster-state=new",
	}
}

// An ExitError says that a process ended without having been asked to.
type ExitError struct {
	Member string
	Cause  error  // how it ended; nil for exit status 0
	LogEnd string // the last lines that it wrote
}

// Error tells who ended, how, and what it said last.
func (e *ExitError) Error() string {
	how := "exit status 0"
	if e.Cause != nil {
		how = e.Cause.Error()
	}
	return fmt.Sprintf("%s ended by itself: %s; its log ends:\n%s", e.Member, how, e.LogEnd)
}

// logEnd returns the last lines of a log, at most logEndBytes of it.
func logEnd(path string) string {
	file, err := os.Open(path)
	if err != nil {
		return "(no log: " + err.Error() + ")"
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "(no log: " + err.Error() + ")"
	}
	tail := make([]byte, min(info.Size(), logEndBytes))
	n, _ := file.ReadAt(tail, info.Size()-int64(len(tail)))
	text := string(tail[:n])
	if _, whole, found := strings.Cut(text, "\n"); found && info.Size() > logEndBytes {
		return whole // not the rest of a line that begins before it
	}
	return text
}

// Bounds of waiting and of what an error quotes.
const (
	killWait    = 30 * time.Second
	askTimeout  = time.Second
	logEndBytes = 2 << 10
)
