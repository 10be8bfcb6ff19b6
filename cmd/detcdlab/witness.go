package main

import (
	"encoding/binary"
	"fmt"

	"go.etcd.io/etcd/api/v3/mvccpb"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"detcd/checker/etcd"
	"detcd/kv/backup"
)

// withBackup adds what a backup of the store says as a second witness: as a watch of everything
// would have shown it that was made when the history was over. What was compacted is not in it.
func withBackup(history []etcd.Operation, path string) ([]etcd.Operation, error) {
	contents, err := backup.Open(path, false)
	if err != nil {
		return nil, err
	}
	defer func() { _ = contents.Close() }()
	compacted, err := contents.Compacted()
	if err != nil {
		return nil, err
	}
	watch := &etcd.Watch{Watch: 1, Key: "\x00", End: "\x00", Start: max(compacted, 0) + 1}
	now, client := int64(0), int64(0)
	for i := range history {
		o := &history[i]
		now, client = max(now, o.Call+1, o.Return+1), max(client, o.Client+1)
		if other, ok := o.Request.Ask.(*etcd.Watch); ok {
			watch.Watch = max(watch.Watch, other.Watch+1)
		}
	}
	messages, err := messagesOf(contents, compacted)
	if err != nil {
		return nil, err
	}
	add := func(ask any, response *etcd.Response) {
		history = append(history, etcd.Operation{Client: client, Call: now, Return: now,
			Request: etcd.Request{Ask: ask}, Response: response})
	}
	add(watch, &etcd.Response{})
	for _, m := range messages {
		add(&etcd.Watched{Watch: watch.Watch}, etcd.FromWatch(m))
	}
	return history, nil
}

// messagesOf returns what a watch shows of the changes in a backup, a message for each revision.
func messagesOf(contents *backup.Contents, compacted int64) ([]*pb.WatchResponse, error) {
	created := &pb.WatchResponse{Created: true, Header: &pb.ResponseHeader{}}
	messages := []*pb.WatchResponse{created}
	err := contents.EachChange(func(revision, change []byte) error {
		if len(revision) < 17 {
			return fmt.Errorf("%x is no revision", revision)
		}
		at := int64(binary.BigEndian.Uint64(revision))
		event := &mvccpb.Event{Kv: &mvccpb.KeyValue{}}
		if len(revision) > 17 {
			event.Type = mvccpb.Event_DELETE
		}
		if err := proto.Unmarshal(change, event.Kv); err != nil {
			return fmt.Errorf("revision %d: %w", at, err)
		}
		if at <= compacted {
			return nil
		}
		event.Kv.ModRevision = at
		last := messages[len(messages)-1]
		if last.Created || last.Header.Revision != at {
			last = &pb.WatchResponse{Header: &pb.ResponseHeader{Revision: at}}
			messages = append(messages, last)
		}
		last.Events = append(last.Events, event)
		return nil
	})
	created.Header.Revision = max(compacted, messages[len(messages)-1].Header.Revision, 1)
	return messages, err
}
