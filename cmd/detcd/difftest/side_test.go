package difftest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"detcd/cmd/detcd/testbed"
	"detcd/faults/nemesis"
)

// Limits that both servers are started with: small, so that they are met.
const (
	txnOpsMax       = 8
	requestBytesMax = 16 << 10
)

// callTimeout ends a call that no server of one member has a reason to keep waiting.
const callTimeout = time.Minute

// serverArgs are the flags of both servers.
func serverArgs() []string {
	return append(testbed.Alike(),
		fmt.Sprintf("--max-txn-ops=%d", txnOpsMax),
		fmt.Sprintf("--max-request-bytes=%d", requestBytesMax),
		"--unsafe-no-fsync",
	)
}

// A side is one of the two servers.
type side struct {
	binary  string
	cluster *nemesis.Cluster
	end     func(remove bool) string
	plain   grpc.ClientConnInterface
	conn    grpc.ClientConnInterface // plain, or a liar in front of it
	shown   []string                 // metadata of every request: key, value, …
}

// context is that of a request.
func (s *side) context() context.Context {
	return metadata.AppendToOutgoingContext(context.Background(), s.shown...)
}

// start starts the server over an empty directory, with some flags of the test's own.
func (s *side) start(args []string) error {
	cluster, end, err := testbed.Start(testbed.Options{
		Binary: s.binary, Args: append(serverArgs(), args...),
	})
	if err != nil {
		return err
	}
	conn, err := cluster.Members()[0].Conn()
	if err != nil {
		end(true)
		return err
	}
	s.cluster, s.end, s.plain, s.conn = cluster, end, conn, conn
	return s.awaitVersion()
}

// restart kills the server and starts it again.
func (s *side) restart() error {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	member := s.cluster.Members()[0]
	err := errors.Join(member.Kill(), member.Start(), member.WaitReady(ctx))
	return errors.Join(err, s.awaitVersion())
}

// awaitVersion waits until the server has found out which version its cluster and its storage have.
// etcd needs a moment for it, and says something else until then.
func (s *side) awaitVersion() error {
	for deadline := time.Now().Add(callTimeout); time.Now().Before(deadline); {
		status, ok := s.call("Maintenance.Status", &pb.StatusRequest{}).message.(*pb.StatusResponse)
		if ok && minor(status.Version) == minor(status.StorageVersion) {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("%s does not come to the storage version that it has", s.binary)
}

// minor returns a version without its patch.
func minor(version string) string { return version[:max(0, strings.LastIndex(version, "."))] }

// stop ends the server, if it runs.
func (s *side) stop() {
	if s.end != nil {
		s.end(true)
		s.end = nil
	}
}

// call sends one request to a unary method, as in "KV.Range".
func (s *side) call(method string, request proto.Message) answer {
	ctx, cancel := context.WithTimeout(s.context(), callTimeout)
	defer cancel()
	response, path := responseOf(method)
	if err := s.conn.Invoke(ctx, path, request, response); err != nil {
		return answer{err: err}
	}
	return answer{message: response}
}

// responseOf returns an empty response of a method and the method's path.
func responseOf(method string) (proto.Message, string) {
	service, name, _ := strings.Cut(method, ".")
	full := protoreflect.FullName("etcdserverpb." + service + "." + name)
	descriptor, err := protoregistry.GlobalFiles.FindDescriptorByName(full)
	if err != nil {
		panic(fmt.Sprintf("%s: %v", method, err))
	}
	output := descriptor.(protoreflect.MethodDescriptor).Output()
	kind, err := protoregistry.GlobalTypes.FindMessageByName(output.FullName())
	if err != nil {
		panic(fmt.Sprintf("%s: %v", method, err))
	}
	return kind.New().Interface(), fmt.Sprintf("/etcdserverpb.%s/%s", service, name)
}

// A pair is both sides, and how their answers are compared.
type pair struct {
	a, b    *side
	args    []string // further flags of both servers
	compare comparer
	kinds   []string // of steps, each as often as it weighs
	running bool
	clean   bool // the last session left both sides empty and equal

	forgotten int64  // compactions up to this revision were followed by a restart
	story     string // of the first difference, before it is shrunk
}

// newPair names the two sides. It starts nothing.
func newPair(binaryA, binaryB string) *pair {
	return &pair{
		a: &side{binary: binaryA}, b: &side{binary: binaryB},
		compare: newComparer(), kinds: kinds(),
	}
}

// both does the same on both sides at the same time.
func (p *pair) both(do func(*side) error) error {
	var group errgroup.Group
	group.Go(func() error { return do(p.a) })
	group.Go(func() error { return do(p.b) })
	return group.Wait()
}

// ask sends one request to both sides.
func (p *pair) ask(method string, request proto.Message) (a, b answer) {
	_ = p.both(func(s *side) error {
		if s == p.a {
			a = s.call(method, request)
		} else {
			b = s.call(method, request)
		}
		return nil
	})
	return a, b
}

// prepare brings both sides to the same empty store: by emptying them, which is fast, or by
// starting them again.
func (p *pair) prepare() error {
	if p.running {
		if p.clean || p.both((*side).empty) == nil && p.level() {
			return nil
		}
		p.stop()
	}
	if err := p.both(func(s *side) error { return s.start(p.args) }); err != nil {
		p.stop()
		return err
	}
	p.running, p.forgotten = true, 0
	return p.both((*side).empty)
}

// unimplemented tells whether a server does not know a method.
func unimplemented(err error) bool { return status.Code(err) == codes.Unimplemented }

// level tells whether both sides are at the same revision with the same history.
func (p *pair) level() bool {
	a, b := p.ask("Maintenance.HashKV", &pb.HashKVRequest{})
	return len(p.compare.answers(a, b)) == 0
}

// stop ends both sides.
func (p *pair) stop() {
	p.a.stop()
	p.b.stop()
	p.running = false
}

// empty removes alarms, leases, keys and history. From then on the side tells the truth.
func (s *side) empty() error {
	s.conn = s.plain
	call := func(method string, request proto.Message) (proto.Message, error) {
		answer := s.call(method, request)
		if answer.err != nil && !unimplemented(answer.err) {
			return nil, fmt.Errorf("%s of %s: %w", method, s.binary, answer.err)
		}
		return answer.message, answer.err
	}
	if err := s.disarm(); err != nil {
		return err
	}
	leases, err := call("Lease.LeaseLeases", &pb.LeaseLeasesRequest{})
	if err != nil {
		return err
	}
	all := leases.(*pb.LeaseLeasesResponse).Leases
	slices.SortFunc(all, func(a, b *pb.LeaseStatus) int { return cmp.Compare(a.ID, b.ID) })
	for _, lease := range all {
		if _, err := call("Lease.LeaseRevoke", &pb.LeaseRevokeRequest{ID: lease.ID}); err != nil {
			return err
		}
	}
	everything := &pb.DeleteRangeRequest{Key: []byte{0}, RangeEnd: []byte{0}}
	if _, err := call("KV.DeleteRange", everything); err != nil {
		return err
	}
	// A session begins with one event that it knows, at a revision that is compacted.
	if _, err := call("KV.Put", &pb.PutRequest{Key: []byte("a")}); err != nil {
		return err
	}
	deleted, err := call("KV.DeleteRange", everything)
	if err != nil {
		return err
	}
	now := deleted.(*pb.DeleteRangeResponse).Header.Revision
	_, err = call("KV.Compact", &pb.CompactionRequest{Revision: now, Physical: true})
	return err
}

// disarm removes all alarms, if the server has any.
func (s *side) disarm() error {
	listed := s.call("Maintenance.Alarm", &pb.AlarmRequest{})
	if listed.err != nil {
		return fmt.Errorf("list alarms of %s: %w", s.binary, listed.err)
	}
	for _, alarm := range listed.message.(*pb.AlarmResponse).Alarms {
		disarmed := s.call("Maintenance.Alarm", &pb.AlarmRequest{
			Action: pb.AlarmRequest_DEACTIVATE, Alarm: alarm.Alarm, MemberID: alarm.MemberID,
		})
		if disarmed.err != nil {
			return fmt.Errorf("disarm %s: %w", s.binary, disarmed.err)
		}
	}
	return nil
}
