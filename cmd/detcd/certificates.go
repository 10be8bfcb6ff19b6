package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"go.etcd.io/etcd/client/pkg/v3/tlsutil"
	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/client/pkg/v3/types"
	"go.uber.org/zap"
)

// certificates is what the flags say about TLS on one side: towards clients, or among members.
type certificates struct {
	transport.TLSInfo
	auto bool // make a certificate when there is none
}

// tlsRange is what the flags say about TLS on both sides.
type tlsRange struct {
	ciphers, least, most string
	validity             uint // years of a certificate that is made here
}

func (s *settings) registerTLS() {
	f := s.flags
	s.tls = tlsRange{least: "TLS1.2", validity: 1}
	for _, side := range []struct {
		*certificates
		prefix, long, who string
	}{{&s.client, "", "client-", "clients"}, {&s.peer, "peer-", "peer-", "other members"}} {
		path := func(target *string, name, usage string) {
			f.StringVar(target, side.prefix+name, "", "`path` to the "+usage+", for "+side.who)
		}
		path(&side.CertFile, "cert-file", "certificate")
		path(&side.KeyFile, "key-file", "key of the certificate")
		path(&side.TrustedCAFile, "trusted-ca-file", "certificates of whom to trust")
		path(&side.ClientCertFile, "client-cert-file", "certificate to show when calling others")
		path(&side.ClientKeyFile, "client-key-file", "key of the certificate to show")
		f.BoolVar(&side.ClientCertAuth, side.prefix+"client-cert-auth", false,
			"require certificates of "+side.who)
		f.BoolVar(&side.auto, side.prefix+"auto-tls", false,
			"make a certificate if none is given, for "+side.who)
		f.Func(side.long+"cert-allowed-hostname",
			"`names` one of which a certificate of "+side.who+" must be for", func(value string) error {
				side.AllowedHostnames = list(value)
				return nil
			})
		f.StringVar(&side.CRLFile, side.long+"crl-file", "",
			"`path` to a list of revoked certificates of "+side.who)
	}
	f.Func("peer-cert-allowed-cn", "common `names` that other members may have",
		func(value string) error {
			s.peer.AllowedCNs = list(value)
			return nil
		})
	f.StringVar(&s.tls.ciphers, "cipher-suites", "", "`names` of cipher suites, with commas between")
	f.StringVar(&s.tls.least, "tls-min-version", s.tls.least, "TLS1.2 or TLS1.3")
	f.StringVar(&s.tls.most, "tls-max-version", "", "TLS1.2 or TLS1.3")
	f.UintVar(&s.tls.validity, "self-signed-cert-validity", s.tls.validity,
		"`years` for which a certificate is valid that is made here")
}

// check checks what needs no file. The errors are etcd's.
func (r *tlsRange) check() error {
	_, _, _, err := r.parse()
	return err
}

func (r *tlsRange) parse() (ciphers []uint16, least, most uint16, err error) {
	if ciphers, err = tlsutil.GetCipherSuites(list(r.ciphers)); err != nil {
		return nil, 0, 0, err
	}
	if least, err = tlsutil.GetTLSVersion(r.least); err != nil {
		return nil, 0, 0, err
	}
	if most, err = tlsutil.GetTLSVersion(r.most); err != nil {
		return nil, 0, 0, err
	}
	switch {
	case most != 0 && least > most:
		err = fmt.Errorf("min version (%s) is greater than max version (%s)", r.least, r.most)
	case least == tls.VersionTLS13 && len(ciphers) > 0:
		err = errors.New("cipher suites cannot be configured when only TLS1.3 is enabled")
	}
	return ciphers, least, most, err
}

// secure makes the configurations of TLS. Certificates and keys are read again for every handshake,
// so that they can be replaced while the member runs; whom to trust is read once.
func (s *settings) secure(log *slog.Logger) error {
	c := &s.config
	clients := slices.Concat(c.ListenClientURLs, c.Web.ListenURLs, c.Web.ObserverURLs)
	insecure := !slices.ContainsFunc(clients, func(url url.URL) bool {
		return url.Scheme == "https" || url.Scheme == "unixs"
	})
	var err error
	if !insecure {
		if c.ClientTLS, err = s.side(&s.client, "client", clients, log); err != nil {
			return err
		}
	} else if s.client.auto || !s.client.Empty() {
		log.Warn("no URL is secure; ignoring key and cert files", slog.String("side", "client"))
	}
	// Another member may be at an https URL tomorrow, whatever this one listens at today.
	c.PeerTLS, err = s.side(&s.peer, "peer", c.ListenPeerURLs, log)
	return err
}

// side makes the configuration of one side; nil: none was asked for.
func (s *settings) side(
	side *certificates, name string, urls types.URLs, log *slog.Logger,
) (*tls.Config, error) {
	info := side.TLSInfo
	switch {
	case side.auto && !info.Empty():
		log.Warn("ignoring auto TLS since certs given", slog.String("side", name))
	case side.auto:
		made, err := s.selfSigned(name, urls, log)
		if err != nil {
			return nil, fmt.Errorf("make a certificate for %s: %w", name, err)
		}
		info.CertFile, info.KeyFile = made.CertFile, made.KeyFile
		info.ClientCertFile, info.ClientKeyFile = made.ClientCertFile, made.ClientKeyFile
	case info.Empty() && info.TrustedCAFile == "":
		return nil, nil
	case info.Empty(): // enough to call others
		return info.ClientConfig()
	}
	err := side.readable(map[string]string{"client": "", "peer": "peer-"}[name])
	if err != nil {
		return nil, err
	}
	if info.CipherSuites, info.MinVersion, info.MaxVersion, err = s.tls.parse(); err != nil {
		return nil, err
	}
	config, err := info.ServerConfig()
	if err != nil {
		return nil, err
	}
	calling, err := info.ClientConfig()
	if err != nil {
		return nil, err
	}
	config.RootCAs = calling.RootCAs
	config.InsecureSkipVerify = side.auto && side.Empty() // as etcd: nobody could vouch for it
	config.NextProtos = nil
	config.GetCertificate = logged(config.GetCertificate, log)
	if info.CRLFile != "" {
		config.VerifyConnection = func(state tls.ConnectionState) error {
			return unrevoked(info.CRLFile, state.PeerCertificates)
		}
	}
	return config, nil
}

// readable names the flags and the files of what cannot be read or does not belong together. What
// is given by halves is left to those who will miss the other half.
func (c *certificates) readable(prefix string) error {
	for _, pair := range []struct{ kind, cert, key string }{
		{"", c.CertFile, c.KeyFile}, {"client-", c.ClientCertFile, c.ClientKeyFile},
	} {
		if pair.cert == "" || pair.key == "" {
			continue
		}
		if _, err := tls.LoadX509KeyPair(pair.cert, pair.key); err != nil {
			return fmt.Errorf("--%scert-file=%s --%skey-file=%s: %w",
				prefix+pair.kind, pair.cert, prefix+pair.kind, pair.key, err)
		}
	}
	if c.TrustedCAFile == "" {
		return nil
	}
	if _, err := tlsutil.NewCertPool([]string{c.TrustedCAFile}); err != nil {
		return fmt.Errorf("--%strusted-ca-file=%s: %w", prefix, c.TrustedCAFile, err)
	}
	return nil
}

// selfSigned makes a certificate below the data directory, or finds the one of the last start.
func (s *settings) selfSigned(
	name string, urls types.URLs, log *slog.Logger,
) (transport.TLSInfo, error) {
	var hosts []string
	for _, url := range urls {
		hosts = append(hosts, url.Host)
	}
	dir := filepath.Join(s.config.DataDir, "fixtures", name)
	log.Info("using a certificate that is made here", slog.String("dir", dir))
	return transport.SelfCert(zap.NewNop(), dir, hosts, s.tls.validity)
}

// logged logs why a certificate could not be read: the client learns only that it failed.
func logged(
	get func(*tls.ClientHelloInfo) (*tls.Certificate, error), log *slog.Logger,
) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		certificate, err := get(hello)
		if err != nil {
			log.Warn("failed to read the certificate", slog.Any("error", err))
		}
		return certificate, err
	}
}

// unrevoked refuses certificates that a list has, which is read each time.
func unrevoked(path string, certificates []*x509.Certificate) error {
	encoded, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	revoked, err := x509.ParseRevocationList(encoded)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, entry := range revoked.RevokedCertificateEntries {
		for _, certificate := range certificates {
			if certificate.SerialNumber.Cmp(entry.SerialNumber) == 0 {
				return fmt.Errorf("certificate serial %x was revoked", certificate.SerialNumber)
			}
		}
	}
	return nil
}
