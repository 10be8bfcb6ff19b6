package testbed

import (
	"context"
	"net"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// Names runs a name service until the test ends and gives who asks it. It knows services, as in
// "_etcd-client._tcp.example.test.", by their SRV records, and answers with the address of this
// machine for the hosts below the domain "test".
func Names(t *testing.T, services map[string][]net.SRV) *net.Resolver {
	t.Helper()
	socket, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		answerNames(socket, services)
	}()
	t.Cleanup(func() {
		socket.Close()
		<-done
	})
	return &net.Resolver{PreferGo: true,
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "udp4", socket.LocalAddr().String())
		}}
}

// answerNames answers until the socket is closed.
func answerNames(socket net.PacketConn, services map[string][]net.SRV) {
	buffer := make([]byte, 1500)
	for {
		n, from, err := socket.ReadFrom(buffer)
		if err != nil {
			return
		}
		var message dnsmessage.Message
		if message.Unpack(buffer[:n]) != nil || len(message.Questions) != 1 {
			continue
		}
		message.Response, message.Authoritative, message.Additionals = true, true, nil
		message.RCode = answerName(&message, services)
		if answer, err := message.Pack(); err == nil {
			_, _ = socket.WriteTo(answer, from) // who hears nothing asks again
		}
	}
}

func answerName(m *dnsmessage.Message, services map[string][]net.SRV) dnsmessage.RCode {
	question := m.Questions[0]
	name := strings.ToLower(question.Name.String())
	header := dnsmessage.ResourceHeader{
		Name: question.Name, Type: question.Type, Class: question.Class,
	}
	found, known := services[name]
	switch {
	case question.Type == dnsmessage.TypeSRV && known:
		for _, srv := range found {
			target, err := dnsmessage.NewName(srv.Target)
			if err != nil {
				return dnsmessage.RCodeServerFailure
			}
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: header,
				Body: &dnsmessage.SRVResource{Target: target, Port: srv.Port, Priority: srv.Priority}})
		}
	case question.Type == dnsmessage.TypeSRV, !strings.HasSuffix(name, ".test."):
		return dnsmessage.RCodeNameError
	case question.Type == dnsmessage.TypeA:
		m.Answers = append(m.Answers, dnsmessage.Resource{Header: header,
			Body: &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}}})
	}
	return dnsmessage.RCodeSuccess
}
