package server

import (
	"bytes"
	"errors"
	"net"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A speaker writes frames of a client.
type speaker struct {
	bytes.Buffer
	*http2.Framer
}

func newSpeaker() *speaker {
	s := new(speaker)
	s.Framer = http2.NewFramer(&s.Buffer, nil)
	return s
}

func (s *speaker) request(fields ...string) {
	var head bytes.Buffer
	encoder := hpack.NewEncoder(&head)
	for i := 0; i < len(fields); i += 2 {
		encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	s.WriteHeaders(http2.HeadersFrameParam{
		StreamID: 1, BlockFragment: head.Bytes(), EndHeaders: true,
	})
}

// listened lets hear listen to a client, and returns what the client was told as well.
func listened(t *testing.T, words []byte) (
	told []http2.Frame, first []byte, isGRPC bool, err error,
) {
	t.Helper()
	client, server := net.Pipe()
	spoken := make(chan struct{})
	go func() {
		defer close(spoken)
		client.Write(words)
	}()
	read := make(chan struct{})
	go func() {
		defer close(read)
		framer := http2.NewFramer(nil, client)
		for {
			frame, err := framer.ReadFrame()
			if err != nil {
				return
			}
			told = append(told, frame)
		}
	}()
	first, isGRPC, err = hear(server)
	server.Close()
	<-spoken
	<-read
	client.Close()
	return told, first, isGRPC, err
}

func TestTheFirstRequestSaysWhoSpeaks(t *testing.T) {
	method := []string{":method", "POST", ":scheme", "https", ":path", "/x", ":authority", "a"}
	for content, want := range map[string]bool{
		"application/grpc": true, "application/grpc+proto": true, "application/json": false,
	} {
		fields := append(method, "content-type", content)
		patient, hasty, kept := newSpeaker(), newSpeaker(), newSpeaker()
		for _, s := range []*speaker{patient, hasty, kept} {
			s.WriteString(preface)
			s.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 20})
		}
		patient.WriteSettingsAck()
		patient.WritePing(false, [8]byte{1})
		patient.request(fields...)
		hasty.request(fields...)
		hasty.WritePing(false, [8]byte{1})
		hasty.WriteSettingsAck()
		kept.request(fields...)
		for name, s := range map[string]*speaker{"patient": patient, "hasty": hasty} {
			told, first, isGRPC, err := listened(t, s.Bytes())
			if err != nil || isGRPC != want || !bytes.Equal(first, kept.Bytes()) {
				t.Errorf("%s, %s: gRPC %v, %v\n%q is read again, want\n%q", name, content, isGRPC, err,
					first, kept.Bytes())
			}
			if len(told) != 2 {
				t.Fatalf("%s: it was told %v", name, told)
			}
			if _, ok := told[0].(*http2.SettingsFrame); !ok {
				t.Errorf("%s: it was told first %v", name, told[0])
			}
			if ping, ok := told[1].(*http2.PingFrame); !ok || !ping.IsAck() || ping.Data[0] != 1 {
				t.Errorf("%s: its ping was answered by %v", name, told[1])
			}
		}
	}
}

func TestWhoNeverAsksIsNotHeardForEver(t *testing.T) {
	_, _, _, err := listened(t, []byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
	if !errors.Is(err, errPreface) {
		t.Errorf("HTTP/1: %v", err)
	}
	endless := newSpeaker()
	endless.WriteString(preface)
	endless.WriteSettings()
	endless.WriteSettingsAck()
	for endless.Len() < 2*prefaceBytesMax {
		endless.WriteWindowUpdate(0, 1)
	}
	if _, _, _, err := listened(t, endless.Bytes()); !errors.Is(err, errPreface) {
		t.Errorf("frames without a request: %v", err)
	}
}
