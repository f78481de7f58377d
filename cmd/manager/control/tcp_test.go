package control

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	mtfleetv1 "github.com/mtfleet/mtfleet/cmd/manager/api/mtfleet/v1"
	"github.com/mtfleet/mtfleet/cmd/manager/certtest"
)

func authority(t *testing.T) *certtest.Authority {
	t.Helper()
	a, err := certtest.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func server(t *testing.T, a *certtest.Authority, name string) string {
	t.Helper()
	file, err := a.Server(name)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func client(t *testing.T, a *certtest.Authority, name string) string {
	t.Helper()
	file, err := a.Client(name)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// overTCP serves a service to three tokens and a certificate, and returns its URL.
func overTCP(t *testing.T, s Service, ca *certtest.Authority) (url string, tokens map[string]string) {
	t.Helper()
	cert := server(t, ca, "server")
	tokens = map[string]string{}
	var grants []Grant
	for _, role := range []string{"read", "operate", "admin"} {
		token, hash, err := NewToken(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		tokens[role] = token
		grants = append(grants, Grant{Caller: Caller{role + "er", RoleNamed(role)}, TokenSHA256: hash})
	}
	grants = append(grants, Grant{Caller: Caller{"ops", mtfleetv1.Role_ROLE_OPERATE}, Certificate: "ops"})
	l, err := ListenTCP(TCP{Addr: "127.0.0.1:0", Cert: cert + ".pem", Key: cert + ".key", ClientCA: ca.File + ".pem"})
	if err != nil {
		t.Fatal(err)
	}
	server := ServeTCP(l, s, NewAccess(grants), slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return "https://" + l.Addr().String(), tokens
}

func TestOverTCPEachCallerHasItsRole(t *testing.T) {
	var asked []string
	s := &fake{
		show: func(ctx context.Context, _ AccountRequest) (Account, error) {
			asked = append(asked, callerOf(ctx).Name)
			return Account{ID: "a"}, nil
		},
		signIn: func(context.Context, SignInRequest) (Progress, error) { return Progress{}, nil },
	}
	ca := authority(t)
	url, tokens := overTCP(t, s, ca)
	ops, other := client(t, ca, "ops"), client(t, ca, "stranger")
	foreign := client(t, authority(t), "ops")
	for _, c := range []struct {
		name         string
		from         Elsewhere
		reads, signs bool
		gone         bool // it does not come to a request
	}{
		{name: "a reader", from: Elsewhere{Token: tokens["read"]}, reads: true},
		{name: "an operator", from: Elsewhere{Token: tokens["operate"]}, reads: true, signs: true},
		{name: "an admin", from: Elsewhere{Token: tokens["admin"]}, reads: true, signs: true},
		{name: "nobody", from: Elsewhere{}},
		{name: "a token that is none", from: Elsewhere{Token: tokens["admin"] + "x"}},
		{name: "a hash in place of its token", from: Elsewhere{Token: hashToken(tokens["admin"])}},
		{name: "a certificate", from: Elsewhere{Cert: ops + ".pem", Key: ops + ".key"}, reads: true, signs: true},
		{name: "a certificate of nobody who was named", from: Elsewhere{Cert: other + ".pem", Key: other + ".key"}},
		{name: "a certificate of another authority", from: Elsewhere{Cert: foreign + ".pem", Key: foreign + ".key"}, gone: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.from.URL, c.from.CA = url, ca.File+".pem"
			r, err := DialTCP(c.from)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			refused := KindRefused
			if c.gone {
				refused = KindStopped
			}
			_, err = Show.Call(t.Context(), r, AccountRequest{"a"})
			if c.reads != (err == nil) || err != nil && KindOf(err) != refused {
				t.Errorf("it reads: %v", err)
			}
			_, err = SignIn.Call(t.Context(), r, SignInRequest{ID: "a", Phone: "+1"})
			if c.signs != (err == nil) || err != nil && KindOf(err) != refused {
				t.Errorf("it signs in: %v", err)
			}
			if err != nil && c.from.Token != "" && strings.Contains(err.Error(), c.from.Token) {
				t.Error("the token is in the error")
			}
		})
	}
	if fmt.Sprint(asked) != "[reader operateer adminer ops]" {
		t.Errorf("asked by %v", asked)
	}
}

func TestOverTCPThereIsNothingWithoutTLS(t *testing.T) {
	ca := authority(t)
	url, tokens := overTCP(t, &fake{}, ca)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, strings.Replace(url, "https", "http", 1)+Show.procedure, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+tokens["admin"])
	if resp, err := http.DefaultTransport.RoundTrip(req); err == nil {
		defer resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			t.Error("it is answered in clear")
		}
	}
	old := &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}
	if c, err := tls.Dial("tcp", strings.TrimPrefix(url, "https://"), old); err == nil {
		_ = c.Close()
		t.Error("TLS 1.2 is spoken")
	}
	r, err := DialTCP(Elsewhere{URL: url, Token: tokens["admin"]}) // whose authority this system does not know
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := Show.Call(t.Context(), r, AccountRequest{"a"}); KindOf(err) != KindStopped || !strings.Contains(err.Error(), url) {
		t.Errorf("a server that nobody vouches for: %v", err)
	}
}

// A certificate is replaced while the manager runs; half a replacement changes nothing.
func TestACertificateIsReadAgainWhenItChanges(t *testing.T) {
	ca := authority(t)
	file := server(t, ca, "server")
	r := &reloading{cert: file + ".pem", key: file + ".key"}
	serve := func() string {
		pair, err := r.get(nil)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(pair.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		return leaf.SerialNumber.String()
	}
	first := serve()
	next := server(t, ca, "next")
	later := time.Now()
	replace := func(end string) {
		later = later.Add(time.Minute)
		text, err := os.ReadFile(next + end)
		if err == nil {
			err = errors.Join(os.WriteFile(file+end, text, 0o600), os.Chtimes(file+end, later, later))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	replace(".pem")
	if serve() != first {
		t.Error("a certificate without its key is served")
	}
	replace(".key")
	if serve() == first {
		t.Error("the new certificate is not served")
	}
	if err := os.Remove(file + ".pem"); err != nil {
		t.Fatal(err)
	}
	if serve() == first {
		t.Error("without its file the old one is back")
	}
}

func TestFilesThatCannotBeServedAreNamed(t *testing.T) {
	ca := authority(t)
	file := server(t, ca, "server")
	for _, c := range []struct {
		name string
		TCP
		says string
	}{
		{"no certificate", TCP{Addr: "127.0.0.1:0", Cert: file + ".none", Key: file + ".key"}, "no such file"},
		{"a key that is not its", TCP{Addr: "127.0.0.1:0", Cert: file + ".pem", Key: ca.File + ".key"}, "does not match"},
		{"no authority", TCP{Addr: "127.0.0.1:0", Cert: file + ".pem", Key: file + ".key", ClientCA: file + ".key"}, "there is no certificate in"},
		{"no such address", TCP{Addr: "127.0.0.1:99999", Cert: file + ".pem", Key: file + ".key"}, "cannot be opened"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ListenTCP(c.TCP)
			var e *TCPError
			if !errors.As(err, &e) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v", err)
			}
		})
	}
}
