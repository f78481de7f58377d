package config

import (
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// API is where the API is served over TCP, beside the unix socket, and to whom.
type API struct {
	// Listen is an address and a port; empty: nowhere.
	Listen string
	// Cert and Key are files with the server's certificate chain and its key; read
	// again when they change.
	Cert, Key string
	// ClientCA is a file with the certificates that sign those of clients.
	ClientCA string
	// Callers are who is let in.
	Callers []Caller
}

// Caller is somebody who may use the API and the dashboard: who has a token, or a
// certificate.
type Caller struct {
	Name string
	Role string // read, operate or admin
	// Token is the SHA-256 of the token in hexadecimal digits, Certificate the name
	// in the certificate that ClientCA has signed; one of them.
	Token       string
	Certificate string
}

// Remote is the manager of another machine that commands use, in place of the one
// of this store.
type Remote struct {
	URL string // https://host:port; empty: none
	// CA is a file with the certificates of who signed the server's; empty: the
	// system's.
	CA string
	// TokenFile has the token, or Cert and Key the certificate.
	TokenFile string
	Cert, Key string
}

// callers binds the list.
func (b binder) callers(v any, to *[]Caller) {
	if !b.fromFile() {
		b.fail(b.path, "callers are set in the configuration file alone")
		return
	}
	entries, _ := b.list(v)
	*to = nil
	for i, entry := range entries {
		at := fmt.Sprintf("%s[%d]", b.path, i)
		m, ok := entry.(map[string]any)
		if !ok {
			b.fail(at, "this must have a name, a role, and a token_sha256 or a certificate")
			continue
		}
		var c Caller
		if b.entry(at, m, []entryField{
			{"name", func(at string, v any) bool { return b.text(at, v, &c.Name) }},
			{"role", func(at string, v any) bool { return b.text(at, v, &c.Role) }},
			{"token_sha256", func(at string, v any) bool { return b.text(at, v, &c.Token) }},
			{"certificate", func(at string, v any) bool { return b.text(at, v, &c.Certificate) }},
		}) {
			*to = append(*to, c)
		}
	}
}

func (v *validator) overTCP() {
	a := v.c.API
	if a.Listen == "" {
		return
	}
	host, port, err := net.SplitHostPort(a.Listen)
	n, numErr := strconv.ParseUint(port, 10, 16)
	_, addrErr := netip.ParseAddr(host)
	if err != nil || numErr != nil || n == 0 || addrErr != nil && host != "" && host != "localhost" {
		v.fail("api.listen", "%q is not an address and a port, such as 127.0.0.1:9465", a.Listen)
	}
	for _, f := range []struct{ path, value string }{{"api.cert", a.Cert}, {"api.key", a.Key}} {
		if f.value == "" {
			v.fail(f.path, "the API is served over TCP with TLS alone: name the file, or leave api.listen empty")
		}
	}
	if len(a.Callers) == 0 {
		v.fail("api.callers", "nobody would be let in: make a token with `manager api token NAME`, or leave api.listen empty")
	}
}

// callers are those of the API over TCP and of the dashboard.
func (v *validator) callers() {
	all := v.c.API.Callers
	if v.c.API.Listen == "" && v.c.Dashboard.Cert == "" {
		return
	}
	for i, c := range all {
		v.caller(fmt.Sprintf("api.callers[%d]", i), c, all[:i])
	}
}

func (v *validator) caller(at string, c Caller, earlier []Caller) {
	switch {
	case strings.TrimSpace(c.Name) == "" || len(c.Name) > 64:
		v.fail(at+".name", "a caller has a name of at most 64 bytes, which the audit log shows")
	case slices.ContainsFunc(earlier, func(o Caller) bool { return o.Name == c.Name }):
		v.fail(at+".name", "there are two callers called %s", c.Name)
	}
	v.choice(at+".role", c.Role, "read", "operate", "admin")
	hash, err := hex.DecodeString(c.Token)
	switch {
	case (c.Token == "") == (c.Certificate == ""):
		v.fail(at, "give the token_sha256 of a token, or the name in a certificate; one of them")
	case c.Token != "" && (err != nil || len(hash) != 32):
		v.fail(at+".token_sha256", "this is not the 64 hex digits that `manager api token %s` prints", c.Name)
	case c.Certificate != "" && v.c.API.ClientCA == "":
		v.fail(at+".certificate", "certificates are looked at when api.client_ca names who signs them")
	}
}

func (v *validator) remote() {
	r := v.c.Remote
	if r.URL == "" {
		return
	}
	if why := checkRemote(r.URL); why != "" {
		v.fail("remote.url", "%s", why)
	}
	if (r.Cert == "") != (r.Key == "") {
		v.fail("remote.cert", "a certificate and its key belong together: set remote.cert and remote.key")
	}
	if r.TokenFile == "" && r.Cert == "" {
		v.fail("remote.token_file", "the manager wants to know who asks: name the file with the token, or set remote.cert and remote.key")
	}
}

// checkRemote returns what is wrong with the URL of a manager, or "".
func checkRemote(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "this is not a URL such as https://manager.example:9465"
	}
	return ""
}
