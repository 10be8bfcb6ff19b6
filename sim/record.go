package sim

import (
	"slices"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"detcd/checker"
	"detcd/checker/etcd"
	checkerjudge "detcd/checker/judge"
	"detcd/faults"
)

// stepsPerOperation bounds how long the checker looks for what happened without an answer. With a
// watch of everything there is little to choose; a run with too many choices stays undecided, which
// the result says.
const stepsPerOperation = 16

// record keeps what clients saw, as package checker/judge wants it: the same that is
// recorded of real clusters.
type record struct {
	calls      []*operation // of clients, some of which are not over when the run is
	operations []etcd.Operation
	watches    int64
	everything int64 // the number of the watch that shows every change; 0: it is to begin
}

// operation adds what a client was told.
func (r *record) operation(o *operation) {
	ask := etcd.FromRequest(o.request)
	if ask == nil {
		return
	}
	told := etcd.Operation{Client: int64(o.client), Call: o.call, Return: o.finished,
		Request: etcd.Request{Ask: ask}}
	switch {
	case o.undecided || o.finished == 0 || o.err != nil && !refused(o.err):
		told.Unknown, told.Return = true, 0
	case o.err != nil:
		told.Error = status.Convert(o.err).Message()
	default:
		if told.Response = etcd.FromResponse(o.response); told.Response == nil {
			return
		}
	}
	r.operations = append(r.operations, told)
}

// refused tells whether an error promises that nothing was done.
func refused(err error) bool {
	if err == errRefused {
		return true
	}
	switch status.Code(err) {
	case codes.InvalidArgument, codes.NotFound, codes.OutOfRange, codes.FailedPrecondition,
		codes.PermissionDenied, codes.Unauthenticated:
		return true
	}
	return false
}

// watch takes that a watch was opened, and returns its number.
func (r *record) watch(c *client, now int64, create *pb.WatchCreateRequest) int64 {
	r.watches++
	ask := &etcd.Watch{Watch: r.watches, Key: etcd.Bytes(create.Key),
		End: etcd.Bytes(create.RangeEnd), Start: create.StartRevision, PrevKV: create.PrevKv}
	for _, filter := range create.Filters {
		ask.NoPut = ask.NoPut || filter == pb.WatchCreateRequest_NOPUT
		ask.NoDelete = ask.NoDelete || filter == pb.WatchCreateRequest_NODELETE
	}
	r.operations = append(r.operations, etcd.Operation{Client: int64(c.number), Call: now,
		Return: now, Request: etcd.Request{Ask: ask}, Response: &etcd.Response{}})
	return r.watches
}

// compaction takes that the plan compacted, which no client asked for.
func (r *record) compaction(now, revision int64) {
	r.operations = append(r.operations, etcd.Operation{Client: planNumber, Call: now, Unknown: true,
		Request: etcd.Request{Ask: &etcd.Compact{Revision: revision}}})
}

// planNumber is the client that does what the plan does.
const planNumber = 1000

// watched takes what a watch was told.
func (r *record) watched(c *client, now, number int64, response *pb.WatchResponse) {
	r.operations = append(r.operations, etcd.Operation{Client: int64(c.number), Call: now,
		Return: now, Request: etcd.Request{Ask: &etcd.Watched{Watch: number}},
		Response: etcd.FromWatch(response)})
}

// revisions takes the changes of revisions that a member has applied before any other, as a message
// of one watch of everything: so the history says of every revision what it changed, also of those
// whose makers were never answered. first is the oldest revision that it may show.
func (r *record) revisions(now, first, last int64, events []*mvccpb.Event) {
	add := func(ask any, response *etcd.Response) {
		r.operations = append(r.operations, etcd.Operation{Client: planNumber, Call: now, Return: now,
			Request: etcd.Request{Ask: ask}, Response: response})
	}
	if r.everything == 0 {
		r.watches++
		r.everything = r.watches
		add(&etcd.Watch{Watch: r.everything, Key: "\x00", End: "\x00", Start: first}, &etcd.Response{})
		add(&etcd.Watched{Watch: r.everything}, etcd.FromWatch(&pb.WatchResponse{Created: true,
			Header: &pb.ResponseHeader{Revision: first - 1}}))
	}
	add(&etcd.Watched{Watch: r.everything}, etcd.FromWatch(&pb.WatchResponse{Events: events,
		Header: &pb.ResponseHeader{Revision: last}}))
}

// checked asks the checker about everything that clients saw. That no lease ends early is not its
// business here: the judge knows all clocks.
func (j *judge) checked() {
	for _, o := range j.record.calls {
		j.record.operation(o)
	}
	report := checkerjudge.Judge(j.record.operations, checkerjudge.Options{
		LeaseTolerance:  (24 * time.Hour).Nanoseconds(),
		ElectionTimeout: j.leaseLateness().Nanoseconds(),
		Reigns:          j.reigns(),
		ClockSlow:       slowest(j.world.options.Plan),
		StepsMax:        stepsPerOperation * len(j.record.operations)})
	j.undecided = report.Verdict == checker.Undecided
	if report.Verdict == checker.Violated {
		j.fail("the checker: %s", report.Reason)
	}
}

// leaseLateness is how much longer than granted a lease may live under one leader: the election
// time-out that a new leader adds, and what it takes beyond etcd's defaults to commit its end.
func (j *judge) leaseLateness() time.Duration {
	v, common := &j.world.options.World, PlainSurroundings()
	late := v.roundTrip() + v.syncMax() - common.roundTrip() - common.syncMax()
	return v.electionTimeout() + max(0, 2*late)
}

// pauseMax is how long a leader makes no revision at most, of which it is said that it led all the
// time.
const pauseMax = time.Second

// reigns are the times in which one leader led, and neither a clock nor a disk stood still. While a
// leader's disk hangs, its own commands wait, the ends of leases among them; it leads all the same,
// for the others make its entries durable.
func (j *judge) reigns() (reigns []checkerjudge.Reign) {
	for _, r := range checkerjudge.Reigns(j.record.operations, pauseMax.Nanoseconds()) {
		stalled := slices.ContainsFunc(j.world.options.Plan, func(f faults.Fault) bool {
			stalls := f.Kind == faults.ClockStall || f.Kind == faults.DiskStall
			return stalls && f.At.Nanoseconds() <= r.End &&
				(f.At+f.For).Nanoseconds() >= r.Begin
		})
		if !stalled {
			reigns = append(reigns, r)
		}
	}
	return reigns
}

// slowest is by how many parts in a million a clock runs slow at most.
func slowest(plan faults.Plan) (ppm int64) {
	for _, f := range plan {
		if f.Kind == faults.ClockSlow {
			ppm = max(ppm, f.Amount)
		}
	}
	return ppm
}
