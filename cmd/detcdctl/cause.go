package main

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A request that fails because no server could carry it out says nothing but that: clientv3 tries
// again until the time is over. So the endpoints are asked once more, each by itself: whether it
// can be connected to, for its state, which every member tells without the others, and if it does
// not answer, for what it has instead. What is found goes to standard error, below the error; it
// changes no output and no status.

const (
	// statusTime bounds how long an endpoint may take to tell its state, and knockTime each
	// connection to it. All endpoints are asked at the same time.
	statusTime = time.Second
	knockTime  = time.Second
	// causesMax bounds the endpoints that are asked.
	causesMax = 16
)

// causeBreak begins a further line of a cause.
const causeBreak = "\n       "

// errUnhealthy says that some server is; each was told of before.
var errUnhealthy = errors.New("unhealthy cluster")

// unexplained tells whether an error may have a cause that only the endpoints know.
func unexplained(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errUnhealthy) {
		return true
	}
	code := status.Code(err)
	var known rpctypes.EtcdError
	if errors.As(err, &known) {
		code = known.Code()
	}
	return code == codes.Unavailable || code == codes.DeadlineExceeded
}

// causes asks the endpoints of the command why an error may have happened.
func (p *program) causes(err error) []string {
	if s := p.session; s != nil && unexplained(err) {
		return s.ask(s.spec.Endpoints, err)
	}
	return nil
}

// ask asks each endpoint; the answers are in their order.
func (s *session) ask(endpoints []string, err error) (all []string) {
	endpoints = endpoints[:min(len(endpoints), causesMax)]
	found := make([]string, len(endpoints))
	var asking sync.WaitGroup
	for i, endpoint := range endpoints {
		asking.Go(func() { found[i] = s.cause(endpoint, err) })
	}
	asking.Wait()
	for _, cause := range found {
		if cause != "" {
			all = append(all, cause)
		}
	}
	return all
}

// explain tells why one endpoint may not have answered.
func (s *session) explain(endpoint string, err error) {
	if !unexplained(err) {
		return
	}
	for _, cause := range s.ask([]string{endpoint}, err) {
		s.warn("Cause: %s", cause)
	}
}

// cause is what one endpoint says, or what keeps it from saying anything; empty: nothing is wrong
// with it.
func (s *session) cause(endpoint string, err error) string {
	at, failed := s.address(endpoint)
	if failed != nil {
		return endpoint + ": " + failed.Error()
	}
	conn, failed := at.dial(s.context)
	if failed != nil {
		return place(at.address, failed.Error())
	}
	_ = conn.Close()
	state, failed := s.state(endpoint)
	switch {
	case failed == nil && len(state.Errors) > 0:
		return endpoint + " says: " + strings.Join(merged(state.Errors), causeBreak)
	case failed == nil && errors.Is(err, context.DeadlineExceeded):
		return endpoint + " answers, but the request took longer than --command-timeout (" +
			s.settings.commandTimeout.String() + ")"
	case failed == nil:
		return ""
	case answered(failed):
		return endpoint + " answers: " + status.Convert(failed).Message()
	}
	return at.address + ": " + at.knock(s.context)
}

// place says where something failed, unless the text does.
func place(address, text string) string {
	if strings.Contains(text, address) {
		return text
	}
	return address + ": " + text
}

// merged leaves out what a longer error says as well: detcd adds since when and why to etcd's word.
func merged(all []string) (rest []string) {
	for i, text := range all {
		short := strings.TrimPrefix(text, "etcdserver: ")
		said := false
		for j, other := range all {
			said = said || i != j && strings.HasPrefix(other, short+" ")
		}
		if !said {
			rest = append(rest, text)
		}
	}
	return rest
}

// answered tells whether an error is the word of a server, and not of a connection.
func answered(err error) bool {
	if errors.As(err, new(rpctypes.EtcdError)) {
		return true
	}
	s, ok := status.FromError(err)
	return ok && s.Code() != codes.Unavailable && s.Code() != codes.DeadlineExceeded
}

// state asks a server for its state: by the client of the command, which may have a token, or else
// by one of nobody.
func (s *session) state(endpoint string) (*clientv3.StatusResponse, error) {
	client := s.client
	if client == nil {
		spec := s.spec.Clone()
		spec.Endpoints, spec.Auth = []string{endpoint}, nil
		var err error
		if client, err = s.dial(spec); err != nil {
			return nil, err
		}
		defer client.Close()
	}
	ctx, done := context.WithTimeout(s.context, statusTime)
	defer done()
	return client.Status(ctx, endpoint)
}
