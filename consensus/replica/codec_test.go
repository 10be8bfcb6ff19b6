package replica

import (
	"bytes"
	"reflect"
	"testing"

	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"detcd/storage/archive"
	"detcd/storage/wal"
)

func sampleImage() *checkpointState {
	return &checkpointState{
		identity: identity{1, 2, 3}, applied: 10, term: 4, walFrom: 9, changedAt: 8,
		passed: wal.Position{Sequence: 12, Chain: 1 << 31},
		hard:   &raftpb.HardState{Term: new(uint64(5)), Vote: new(uint64(2)), Commit: new(uint64(10))},
		conf:   &raftpb.ConfState{Voters: []uint64{2, 7}, Learners: []uint64{9}},
		membership: Membership{
			Members: []Member{
				{ID: 2, Name: "a", PeerURLs: []string{"http://a"}, Incarnation: 3},
				{ID: 7, PeerURLs: []string{"http://b", "http://c"}, ClientURLs: []string{"x"}},
				{ID: 9, Learner: true}},
			Removed: []MemberID{4}},
		sessions: sessions{{id: 2, sessionID: 5, last: 6, retired: []uint64{3}},
			{id: 9, sessionID: 1, last: 1}},
		segments: []archive.Segment{{Name: "s1", Length: 77, Sealed: true, Checksum: 5}},
		state:    []byte("state"),
	}
}

func TestAnImageIsReadAsItWasWritten(t *testing.T) {
	want := sampleImage()
	got, err := decodeCheckpoint(want.encode())
	if err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(got.conf, want.conf) || !proto.Equal(got.hard, want.hard) {
		t.Errorf("got %v %v", got.conf, got.hard)
	}
	got.conf, want.conf, got.hard, want.hard = nil, nil, nil, nil
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func sampleEnvelopes() []envelope {
	return []envelope{
		{kind: entryCommands, sessionID: 1, origin: 2, number: 3, requests: []RequestID{3, 400},
			commands: [][]byte{[]byte("put"), {}}},
		{kind: entryDue, term: 9, commands: [][]byte{[]byte("revoke")}},
		{kind: entryChange, sessionID: 5, origin: 6, requests: []RequestID{7}, changes: []Change{
			{Kind: ChangeRemove, Member: Member{ID: 8}},
			{Kind: ChangeAdd, Member: Member{ID: 9, PeerURLs: []string{"u"}}},
			{Kind: ChangeAddLearner, Member: Member{ID: 10}, LearnersMax: 300}}},
	}
}

func TestAnEnvelopeIsReadAsItWasWritten(t *testing.T) {
	for _, want := range sampleEnvelopes() {
		var got envelope
		if err := decodeEnvelope(want.encode(), &got); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.encode(), want.encode()) || got.kind != want.kind {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}

// What a decoder accepts is encoded to something that it reads as the same.
func FuzzDecodeEnvelope(f *testing.F) {
	for _, e := range sampleEnvelopes() {
		f.Add(e.encode())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var first, second envelope
		if decodeEnvelope(data, &first) != nil {
			return
		}
		encoded := first.encode()
		if err := decodeEnvelope(encoded, &second); err != nil {
			t.Fatalf("%v: %x", err, encoded)
		}
		if !bytes.Equal(second.encode(), encoded) {
			t.Fatalf("%+v became %+v", first, second)
		}
	})
}

func FuzzDecodeCheckpoint(f *testing.F) {
	f.Add(sampleImage().encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		first, err := decodeCheckpoint(data)
		if err != nil {
			return
		}
		encoded := first.encode()
		second, err := decodeCheckpoint(encoded)
		if err != nil || !bytes.Equal(second.encode(), encoded) {
			t.Fatalf("%v: %+v became %+v", err, first, second)
		}
	})
}

func FuzzDecodeRecord(f *testing.F) {
	f.Add(appendHard(nil, sampleImage().hard))
	f.Add(appendEntry(nil, &raftpb.Entry{Term: new(uint64(3)), Index: new(uint64(8)),
		Type: raftpb.EntryNormal.Enum(), Data: []byte("data")}))
	f.Fuzz(func(t *testing.T, data []byte) {
		hard, entry := decodeRecord(data)
		var again []byte
		switch {
		case hard != nil && entry != nil:
			t.Fatal("a record is two things")
		case hard != nil:
			again = appendHard(nil, hard)
		case entry != nil:
			again = appendEntry(nil, entry)
		default:
			return
		}
		hardAgain, entryAgain := decodeRecord(again)
		if !proto.Equal(hard, hardAgain) || !proto.Equal(entry, entryAgain) {
			t.Fatalf("%v %v became %v %v", hard, entry, hardAgain, entryAgain)
		}
	})
}

func FuzzDecodeMessage(f *testing.F) {
	for _, m := range []Message{
		{Kind: MessageRaft, Raft: &raftpb.Message{Type: raftpb.MsgApp.Enum(), Term: new(uint64(3))}},
		{Kind: MessageQuery, ID: 7, Data: []byte("question")},
		{Kind: MessageRefused, Data: []byte("why")},
	} {
		encoded, err := m.Encode(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(encoded)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := DecodeMessage(data)
		if err != nil {
			return
		}
		encoded, err := m.Encode(nil)
		if err != nil {
			t.Fatal(err)
		}
		again, err := DecodeMessage(encoded)
		if err != nil || again.Kind != m.Kind || again.ID != m.ID || !bytes.Equal(again.Data, m.Data) {
			t.Fatalf("%v: %+v became %+v", err, m, again)
		}
	})
}

// A message of another member may hold anything: it must be dropped or taken, never crash.
func FuzzReceive(f *testing.F) {
	f.Add(byte(MessageQuery), uint64(1), []byte("12345678question"))
	f.Add(byte(MessageFetch), uint64(1), []byte{0, 0})
	f.Add(byte(MessageOffer), uint64(1), []byte{0, 0, 0})
	f.Fuzz(func(t *testing.T, kind byte, id uint64, data []byte) {
		if MessageKind(kind) == MessageRaft {
			return
		}
		w := newWorld(t, 1, 2)
		w.members[0].replica.Receive(Message{Kind: MessageKind(kind), From: 2, To: 1, ID: id,
			Incarnation: w.members[1].incarnation, Data: data})
		w.take(w.members[0])
	})
}
