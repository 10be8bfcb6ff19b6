package rpc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"detcd/kv/auth"
)

// What is wrong with what an operator says about tokens, in etcd's words.
var (
	ErrAuthOptions = errors.New("auth: invalid auth options")
	ErrMissingKey  = errors.New("auth: missing key data")
	ErrKeyMismatch = errors.New("auth: public and private keys don't match")
)

// errVerifyOnly is etcd's error of a member that has no private key.
var errVerifyOnly = errors.New("auth: token signing attempted with verify-only key")

// signedTTL is how long a signed token holds unless it is said.
const signedTTL = 5 * time.Minute

// A signer makes tokens that say who somebody is, and reads them. Members that have the same keys
// know each other's tokens; nobody remembers any, so none can be taken back: that is what the
// revision in them is for.
type signer struct {
	method jwt.SigningMethod
	ttl    time.Duration
	sign   any // nil: it only reads
	verify any
}

// parseTokenSpec takes apart what --auth-token says: a kind and options, as in
// "jwt,sign-method=RS256,priv-key=path".
func parseTokenSpec(spec string) (kind string, options map[string]string, err error) {
	kind, rest, more := strings.Cut(spec, ",")
	options = make(map[string]string)
	for more {
		var option string
		option, rest, more = strings.Cut(rest, ",")
		name, value, ok := strings.Cut(option, "=")
		_, twice := options[name]
		if !ok || twice || strings.Contains(value, "=") {
			return "", nil, ErrAuthOptions
		}
		options[name] = value
	}
	return kind, options, nil
}

// newSigner reads the keys. An option that it does not know it passes over, as etcd does.
func newSigner(options map[string]string) (*signer, error) {
	s := &signer{ttl: signedTTL, method: jwt.GetSigningMethod(options["sign-method"])}
	if s.method == nil {
		return nil, ErrAuthOptions
	}
	var err error
	if ttl := options["ttl"]; ttl != "" {
		if s.ttl, err = time.ParseDuration(ttl); err != nil {
			return nil, ErrAuthOptions
		}
	}
	var keys [2][]byte
	for i, name := range [...]string{"priv-key", "pub-key"} {
		if path := options[name]; path != "" {
			if keys[i], err = os.ReadFile(path); err != nil {
				return nil, ErrAuthOptions
			}
		}
	}
	return s, s.load(keys[0], keys[1])
}

// load takes the keys of its method: for HMAC a secret, else a private key, or only a public one.
func (s *signer) load(private, public []byte) error {
	switch s.method.(type) {
	case *jwt.SigningMethodHMAC:
		if len(private) == 0 {
			return ErrMissingKey
		}
		s.sign, s.verify = private, private
		return nil
	case *jwt.SigningMethodRSA, *jwt.SigningMethodRSAPSS:
		return load(s, private, public, jwt.ParseRSAPrivateKeyFromPEM, jwt.ParseRSAPublicKeyFromPEM)
	case *jwt.SigningMethodECDSA:
		return load(s, private, public, jwt.ParseECPrivateKeyFromPEM, jwt.ParseECPublicKeyFromPEM)
	case *jwt.SigningMethodEd25519:
		return load(s, private, public, jwt.ParseEdPrivateKeyFromPEM, jwt.ParseEdPublicKeyFromPEM)
	}
	return fmt.Errorf("unsupported signing method: %T", s.method)
}

// load takes a pair of keys, which must belong together, or one of them.
func load[Private, Public any](
	s *signer, private, public []byte,
	parsePrivate func([]byte) (Private, error), parsePublic func([]byte) (Public, error),
) error {
	if len(public) > 0 {
		key, err := parsePublic(public)
		if err != nil {
			return err
		}
		s.verify = key
	}
	if len(private) > 0 {
		key, err := parsePrivate(private)
		if err != nil {
			return err
		}
		own := any(key).(crypto.Signer).Public()
		if s.verify != nil && !samePublic(own, s.verify) {
			return ErrKeyMismatch
		}
		s.sign, s.verify = key, own
	}
	if s.verify == nil {
		return ErrMissingKey
	}
	return nil
}

func samePublic(a, b crypto.PublicKey) bool {
	switch a := a.(type) {
	case *rsa.PublicKey:
		return a.Equal(b)
	case *ecdsa.PublicKey:
		return a.Equal(b)
	case ed25519.PublicKey:
		return a.Equal(b)
	}
	return false
}

// claims are what a token says.
type claims struct {
	User     string  `json:"username"`
	Revision float64 `json:"revision"`
	jwt.RegisteredClaims
}

// token makes a token of a user at a revision.
func (s *signer) token(caller auth.Caller, now time.Time) (string, error) {
	if s.sign == nil {
		return "", errVerifyOnly
	}
	return jwt.NewWithClaims(s.method, jwt.MapClaims{
		"username": caller.User, "revision": caller.Revision, "exp": now.Add(s.ttl).Unix(),
	}).SignedString(s.sign)
}

// revisionMax is the largest that a number in JSON tells exactly.
const revisionMax = 1 << 53

// read tells whose a token is; false: it is none, or over, or of somebody who has not the key.
func (s *signer) read(token string) (auth.Caller, bool) {
	said := claims{Revision: -1}
	_, err := jwt.ParseWithClaims(token, &said, func(*jwt.Token) (any, error) { return s.verify, nil },
		jwt.WithValidMethods([]string{s.method.Alg()}))
	if err != nil || said.Revision < 0 || said.Revision > revisionMax {
		return auth.Caller{}, false
	}
	return auth.Caller{User: said.User, Revision: auth.Revision(said.Revision)}, true
}
