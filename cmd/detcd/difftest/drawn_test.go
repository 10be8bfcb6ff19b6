package difftest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"
)

// draws is how many steps are looked at.
const draws = 100_000

// drawn collects what was drawn: fields, members of unions, numbers of enumerations, methods.
type drawn map[string]bool

// add takes note of all that a message says.
func (d drawn) add(message protoreflect.Message) {
	message.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		d[string(field.FullName())] = true
		switch {
		case field.IsList():
			for i := range value.List().Len() {
				d.addValue(field, value.List().Get(i))
			}
		default:
			d.addValue(field, value)
		}
		return true
	})
	fields := message.Descriptor().Fields()
	for i := range fields.Len() {
		if field := fields.Get(i); field.Enum() != nil && !field.IsList() {
			d.addValue(field, message.Get(field)) // zero counts as a number, too
		}
	}
}

func (d drawn) addValue(field protoreflect.FieldDescriptor, value protoreflect.Value) {
	switch {
	case field.Message() != nil:
		d.add(value.Message())
	case field.Enum() != nil && field.Enum().Values().ByNumber(value.Enum()) == nil:
		d[string(field.FullName())+" unknown"] = true
	case field.Enum() != nil:
		d[fmt.Sprintf("%s %d", field.FullName(), value.Enum())] = true
	}
}

// missing returns what a message of a type could say and never said.
func (d drawn) missing(message protoreflect.MessageDescriptor, depth int) []string {
	var all []string
	want := func(name string) {
		if !d[name] && !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	fields := message.Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		want(string(field.FullName()))
		if field.Enum() != nil {
			want(string(field.FullName()) + " unknown")
			for i := range field.Enum().Values().Len() {
				want(fmt.Sprintf("%s %d", field.FullName(), field.Enum().Values().Get(i).Number()))
			}
		}
		if field.Message() != nil && depth > 0 {
			all = append(all, d.missing(field.Message(), depth-1)...)
		}
	}
	return all
}

// neverDrawn is what no session asks, and why.
const neverDrawn = `
etcdserverpb.AlarmRequest.action unknown     etcd 3.7.3 ends in a panic
etcdserverpb.AlarmRequest.alarm 2            a member that thinks itself corrupt shows nothing else
etcdserverpb.DowngradeRequest.action 1       etcd follows seconds later: webtest has it
etcdserverpb.Maintenance.Snapshot            has tests of its own
`

func TestEveryFieldOfEveryRequestIsDrawn(t *testing.T) {
	d := drawn{}
	at := moment{now: 60, base: 40}
	steps := rapid.Custom(func(t *rapid.T) string {
		kind := pick(t, "step", append(kinds(), "auth", "login")...)
		d.drawOne(t, kind, at)
		return kind
	})
	for seed := range draws {
		steps.Example(seed)
	}
	for _, service := range services() {
		for i := range service.Methods().Len() {
			method := service.Methods().Get(i)
			missing := d.missing(method.Input(), 3)
			if !d[string(method.FullName())] {
				missing = []string{string(method.FullName())}
			}
			for _, name := range missing {
				if !strings.Contains(neverDrawn, "\n"+name+"  ") {
					t.Errorf("never drawn: %s", name)
				}
			}
		}
	}
}

// drawOne draws one step of a kind without sending it.
func (d drawn) drawOne(t *rapid.T, kind string, at moment) {
	switch kind {
	case "range stream":
		d["etcdserverpb.KV.RangeStream"] = true
		d.add(drawRangeRequest(t, at).ProtoReflect())
	case "keep alive":
		d["etcdserverpb.Lease.LeaseKeepAlive"] = true
		for _, id := range drawKeepAlives(t) {
			d.add((&pb.LeaseKeepAliveRequest{ID: id}).ProtoReflect())
		}
	case "watch":
		d["etcdserverpb.Watch.Watch"] = true
		d.add(createRequest(drawWatch(t, at)).ProtoReflect())
	case "cancel":
		d.add(cancelRequest(drawWatcher(t)).ProtoReflect())
	case "progress":
		d.add(progressRequest().ProtoReflect())
	case "settle", "close":
	case "auth":
		method, request := drawAuth(t)
		d["etcdserverpb."+method] = true
		d.add(request.ProtoReflect())
	case "login":
		d["etcdserverpb.Auth.Authenticate"] = true
		d.add(drawLogin(t).ProtoReflect())
	default:
		method, request := drawCall(t, kind, at)
		d["etcdserverpb."+method] = true
		d.add(proto.Message(request).ProtoReflect())
	}
}
