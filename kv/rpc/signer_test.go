package rpc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"detcd/kv/auth"
)

// keys writes a pair of keys and returns the paths.
func keys(t *testing.T, key crypto.Signer) (private, public string) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, kind string, der []byte, err error) string {
		path := filepath.Join(dir, name)
		block := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
		if err := errors.Join(err, os.WriteFile(path, block, 0o600)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if ec, ok := key.(*ecdsa.PrivateKey); ok {
		der, err = x509.MarshalECPrivateKey(ec)
		private = write("private", "EC PRIVATE KEY", der, err)
	} else {
		private = write("private", "PRIVATE KEY", der, err)
	}
	der, err = x509.MarshalPKIXPublicKey(key.Public())
	return private, write("public", "PUBLIC KEY", der, err)
}

func newKey(t *testing.T, method string) crypto.Signer {
	t.Helper()
	var key crypto.Signer
	var err error
	switch method[:2] {
	case "RS", "PS":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ES":
		curves := map[string]elliptic.Curve{
			"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521(),
		}
		key, err = ecdsa.GenerateKey(curves[method], rand.Reader)
	default:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func auths(t *testing.T, spec string) *Auth {
	t.Helper()
	a, err := NewAuth(AuthOptions{Token: spec})
	if err != nil {
		t.Fatalf("%s: %v", spec, err)
	}
	return a
}

func TestSignedTokens(t *testing.T) {
	ann, now := auth.Caller{User: "ann", Revision: 7}, time.Now()
	for _, method := range []string{"RS256", "RS512", "PS384", "ES256", "ES384", "ES512", "EdDSA"} {
		private, public := keys(t, newKey(t, method))
		spec := "jwt,sign-method=" + method + ",priv-key=" + private
		signer := auths(t, spec+",pub-key="+public+",ttl=1h").signer
		reader := auths(t, "jwt,sign-method="+method+",pub-key="+public).signer
		token, err := signer.token(ann, now)
		if err != nil {
			t.Fatal(method, err)
		}
		for _, s := range []interface {
			read(token string) (auth.Caller, bool)
		}{signer, reader, auths(t, spec).signer} {
			if got, ok := s.read(token); !ok || got != ann {
				t.Errorf("%s: %v, %t", method, got, ok)
			}
		}
		if _, err := reader.token(ann, now); err != errVerifyOnly {
			t.Errorf("%s: a public key signs: %v", method, err)
		}
		old, _ := signer.token(ann, now.Add(-61*time.Minute))
		if _, ok := reader.read(old); ok {
			t.Errorf("%s: a token that is over is taken", method)
		}
		other, _ := keys(t, newKey(t, method))
		if _, err := NewAuth(AuthOptions{
			Token: "jwt,sign-method=" + method + ",priv-key=" + other + ",pub-key=" + public,
		}); err != ErrKeyMismatch {
			t.Errorf("%s: two keys that do not belong together: %v", method, err)
		}
		forged, _ := auths(t, "jwt,sign-method="+method+",priv-key="+other).signer.token(ann, now)
		if _, ok := reader.read(forged); ok {
			t.Errorf("%s: a forged token is taken", method)
		}
	}
}

// secret is a signer with HMAC.
func secret(t testing.TB) *signer {
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := NewAuth(AuthOptions{Token: "jwt,sign-method=HS256,priv-key=" + path})
	if err != nil {
		t.Fatal(err)
	}
	return a.signer
}

func TestWhatATokenMustSay(t *testing.T) {
	s := secret(t)
	whole := jwt.MapClaims{"username": "ann", "revision": 7}
	none, unsafe := jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType
	sha, other := jwt.SigningMethodHS256, jwt.SigningMethodHS384
	for name, c := range map[string]struct {
		method jwt.SigningMethod
		key    any
		change jwt.MapClaims
		taken  bool
	}{
		"no time":       {sha, s.sign, nil, true},
		"other method":  {other, s.sign, nil, false},
		"no method":     {none, unsafe, nil, false},
		"no revision":   {sha, s.sign, jwt.MapClaims{"revision": nil}, false},
		"negative":      {sha, s.sign, jwt.MapClaims{"revision": -7}, false},
		"huge":          {sha, s.sign, jwt.MapClaims{"revision": 1e300}, false},
		"user a number": {sha, s.sign, jwt.MapClaims{"username": 7}, false},
	} {
		said := maps.Clone(whole)
		maps.Copy(said, c.change)
		token, err := jwt.NewWithClaims(c.method, said).SignedString(c.key)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := s.read(token); ok != c.taken {
			t.Errorf("%s: %v, %t", name, got, ok)
		}
	}
}

func TestWhatIsNoTokenSpec(t *testing.T) {
	private, _ := keys(t, newKey(t, "EdDSA"))
	for spec, want := range map[string]error{
		"": nil, "simple": nil, "simple,a=b": nil, "other": ErrAuthOptions, "simple,": ErrAuthOptions,
		"simple,a": ErrAuthOptions, "simple,a=b,a=c": ErrAuthOptions, "simple,a=b=c": ErrAuthOptions,
		"jwt": ErrAuthOptions, "jwt,sign-method=XX": ErrAuthOptions,
		"jwt,sign-method=EdDSA": ErrMissingKey, "jwt,sign-method=HS256": ErrMissingKey,
		"jwt,sign-method=HS256,priv-key=/nowhere":                   ErrAuthOptions,
		"jwt,sign-method=EdDSA,priv-key=" + private + ",ttl=x":      ErrAuthOptions,
		"jwt,sign-method=EdDSA,unknown=1,priv-key=" + private:       nil,
		"jwt,sign-method=EdDSA,ttl=10h,priv-key=" + private:         nil,
		"jwt,sign-method=HS256,pub-key=" + private:                  ErrMissingKey,
		"jwt,sign-method=HS256,pub-key=,priv-key=" + private + ",=": nil,
	} {
		if _, err := NewAuth(AuthOptions{Token: spec}); err != want {
			t.Errorf("%q: %v, want %v", spec, err, want)
		}
	}
	other := "jwt,sign-method=RS256,priv-key=" + private
	for _, spec := range []string{"jwt,sign-method=none", other} {
		if _, err := NewAuth(AuthOptions{Token: spec}); err == nil {
			t.Errorf("%q is taken", spec)
		}
	}
}

// FuzzTokenSpec: what is taken apart can be put together again.
func FuzzTokenSpec(f *testing.F) {
	for _, spec := range []string{"", "simple", "jwt,a=b,c=", "jwt,=", ",", "jwt,a=b,a=b"} {
		f.Add(spec)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		kind, options, err := parseTokenSpec(spec)
		if err != nil {
			return
		}
		again := kind
		for _, name := range slices.Sorted(maps.Keys(options)) {
			again += "," + name + "=" + options[name]
		}
		kind2, options2, err := parseTokenSpec(again)
		if err != nil || kind2 != kind || !maps.Equal(options, options2) || len(again) != len(spec) ||
			strings.Count(again, ",") != strings.Count(spec, ",") {
			t.Fatalf("%q is %q %q, and again %q %q, %v", spec, kind, options, kind2, options2, err)
		}
	})
}

// FuzzSignedToken: nobody is known by what the key has not signed.
func FuzzSignedToken(f *testing.F) {
	s := secret(f)
	token, err := s.token(auth.Caller{User: "ann", Revision: 7}, time.Now().Add(time.Hour))
	if err != nil {
		f.Fatal(err)
	}
	none := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.MapClaims{"username": "ann", "revision": 7})
	unsigned, _ := none.SignedString(jwt.UnsafeAllowNoneSignatureType)
	for _, seed := range []string{"", "..", unsigned, token[:len(token)-2]} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, forged string) {
		if caller, ok := s.read(forged); ok && forged != token {
			t.Fatalf("%q is of %v", forged, caller)
		}
	})
}
