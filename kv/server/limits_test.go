package server

import (
	"net"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"detcd/consensus/replica"
)

// A client that pings all the time is told to go away; and it is told at the beginning how many
// streams it may have.
func TestAClientMayNotFlood(t *testing.T) {
	leavesNothing(t)
	config := testConfigs(t, 1)[0]
	config.MaxConcurrentStreams = 17
	config.Keepalive.MinTime = time.Hour
	s := start(t, config)
	ready(t, s)
	conn, err := net.Dial("tcp", s.ClientAddresses()[0])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		t.Fatal(err)
	}
	framer := http2.NewFramer(conn, conn)
	if err := framer.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	streams := uint32(0)
	for range 100 {
		_ = framer.WritePing(false, [8]byte{})
		frame, err := framer.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if n, ok := frame.Value(http2.SettingMaxConcurrentStreams); ok {
				streams = n
			}
		case *http2.GoAwayFrame:
			if streams != 17 || frame.ErrCode != http2.ErrCodeEnhanceYourCalm ||
				string(frame.DebugData()) != "too_many_pings" {
				t.Errorf("%d streams; %v %s", streams, frame.ErrCode, frame.DebugData())
			}
			return
		}
	}
	t.Error("it may ping as often as it wants")
}

// What is committed and not applied yet is bounded, as in etcd.
func TestAMemberThatFallsBehindTakesNothing(t *testing.T) {
	for behind, want := range map[replica.Index]bool{0: false, 5000: false, 5001: true} {
		if got := overloaded(replica.Status{Applied: 7, Committed: 7 + behind}); got != want {
			t.Errorf("%d behind: %v", behind, got)
		}
	}
}
