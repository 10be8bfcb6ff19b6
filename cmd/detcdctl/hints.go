package main

import (
	"context"
	"errors"
	"strings"
	"sync"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"detcd/kv/rpc"
)

// help writes below an error why it may have happened and what to do, where that is known.
func (p *program) help(err error) {
	causes := p.causes(err)
	if last := p.blame.last(); len(causes) == 0 && unexplained(err) && last != "" {
		causes = append(causes, last)
	}
	for _, cause := range causes {
		p.warn("Cause: %s", cause)
	}
	if hint := hint(err); hint != "" {
		p.warn("Hint: %s", hint)
	}
}

// hint returns advice about an error that has an answer.
func hint(err error) string {
	for _, known := range []struct {
		err  error
		hint string
	}{
		{rpctypes.ErrUserEmpty, "authentication is on: give --user name[:password]"},
		{rpctypes.ErrAuthFailed, "--user and --password, or their variables, do not fit"},
		{rpctypes.ErrNoSpace, "the quota is used up: compaction, defrag, then alarm disarm"},
		{rpc.ErrDeviceFull, "make room on the member's disk; it takes writes again by itself, and " +
			"neither compaction nor defrag helps"},
		{rpc.ErrTooManyFiles, "raise the limit of open files of the member (ulimit -n, LimitNOFILE=), " +
			"or end what holds connections to it; it takes writes again by itself"},
		{rpctypes.ErrRootUserNotExist, "detcdctl user add root, and then once more"},
		{rpctypes.ErrNotLeader, "give the leader's address; endpoint status --cluster finds it"},
		{rpctypes.ErrUnhealthy, "endpoint health --cluster tells which members do not answer"},
		{rpctypes.ErrMemberNotEnoughStarted, "start or remove the members that are down first"},
		{rpctypes.ErrMemberLearnerNotReady, "it is still catching up: try again a little later"},
		{rpctypes.ErrCompacted, "that revision is gone; without --rev the present is read"},
	} {
		if errors.Is(err, known.err) {
			return known.hint
		}
	}
	return ""
}

// blame remembers why the last attempt of a request failed. clientv3 tries again until the time is
// over and then knows nothing but that.
type blame struct {
	mu   sync.Mutex // guards what follows
	text string
}

// intercept looks at each attempt of a request.
func (b *blame) intercept(ctx context.Context, method string, request, reply any,
	conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	err := invoke(ctx, method, request, reply, conn, options...)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil {
		b.text = status.Convert(err).Message()
	}
	return err
}

// last is why there was no connection at the last attempt; empty if there was one.
func (b *blame) last() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, text, found := strings.Cut(b.text, `connection error: desc = "transport: `)
	if !found {
		return ""
	}
	return strings.TrimPrefix(strings.TrimSuffix(text, `"`), "Error while dialing: ")
}
