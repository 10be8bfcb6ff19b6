package probe

import (
	"strings"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// refused returns the text of an error if it says that the request had no effect. There are four
// kinds of such errors:
//
//  1. The connection could not even be made, so nothing was sent.
//  2. etcd looked at the request, or at the store, and says why it cannot be done.
//  3. etcd refused to begin: too much to do, no space, no leader, an alarm.
//  4. etcd does not know who asks, or the user may not do this; also if the user could not log in,
//     and nothing else was sent.
//
// All others leave it open. In particular etcd gives up waiting for a proposal that is under way
// with "request timed out", "server stopped" and "leader changed", and gRPC reports a connection
// that broke after the request was sent with the same code as one that was never made.
func refused(err error) (text string, sure bool) {
	s, _ := status.FromError(err)
	text = s.Message()
	ofServer := strings.HasPrefix(text, "etcdserver: ")
	switch s.Code() {
	case codes.Unavailable:
		unsent := strings.HasPrefix(text, "connection error: ") &&
			strings.Contains(text, "Error while dialing")
		return text, unsent || text == message(rpctypes.ErrGRPCNoLeader)
	case codes.InvalidArgument, codes.OutOfRange, codes.NotFound, codes.FailedPrecondition,
		codes.PermissionDenied:
		return text, ofServer
	case codes.Unauthenticated:
		return text, ofServer || strings.HasPrefix(text, noLogin)
	case codes.ResourceExhausted:
		return text, ofServer // gRPC has this code too, for answers that are too large
	case codes.Unknown:
		return text, text == message(rpctypes.ErrGRPCLeaseTTLTooLarge)
	}
	return text, false
}

// message is the text of one of etcd's errors.
func message(err error) string { return status.Convert(err).Message() }
