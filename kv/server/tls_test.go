package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/types"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// selfSigned makes a certificate for 127.0.0.1, for both sides of both kinds of connection.
func selfSigned(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(certificate)
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		RootCAs:      pool, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
	}
}

func secureURL(t *testing.T) types.URLs {
	t.Helper()
	return types.MustNewURLs([]string{"https://" + freeURL(t)[0].Host})
}

func TestClientsAndMembersTalkOverTLS(t *testing.T) {
	leavesNothing(t)
	config := selfSigned(t)
	cluster := make(types.URLsMap)
	var configs []Config
	for _, name := range []string{"a", "b"} {
		c := testConfig(t, name)
		c.ListenClientURLs, c.ListenPeerURLs = secureURL(t), secureURL(t)
		c.AdvertiseClientURLs, c.AdvertisePeerURLs = c.ListenClientURLs, c.ListenPeerURLs
		c.ClientTLS, c.PeerTLS, c.InitialCluster = config, config, cluster
		cluster[name] = c.AdvertisePeerURLs
		configs = append(configs, c)
	}
	a, b := start(t, configs[0]), start(t, configs[1])
	ready(t, a, b)
	secure, err := clientv3.New(clientv3.Config{
		Endpoints: a.config.AdvertiseClientURLs.StringSlice(), TLS: config, Logger: zap.NewNop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { secure.Close() })
	if _, err := secure.Put(within(t), "k", "v"); err != nil {
		t.Error(err)
	}
	plain, err := clientv3.New(clientv3.Config{
		Endpoints: a.ClientAddresses(), Logger: zap.NewNop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { plain.Close() })
	curious := web(t, config, true)
	members := configs[0].AdvertisePeerURLs[0].String() + "/members"
	status, _, text := fetch(t, curious, "GET", members, "")
	if status != 200 || !strings.Contains(text, `"name":"b"`) {
		t.Errorf("HTTP at the address of the members: %d %s", status, text)
	}
	if _, err := plain.Put(shortly(t), "k", "w"); err == nil {
		t.Error("a client without TLS was served")
	}
}
