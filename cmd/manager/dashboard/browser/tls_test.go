package browser

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// host is a name that the browser is told to look for on this machine.
const host = "fleet.example"

// certificate writes one for the host into a directory, and returns what a browser knows its
// key by.
func certificate(t *testing.T, dir string) (pin string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"server.pem": {Type: "CERTIFICATE", Bytes: der}, "server.key": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sum := sha256.Sum256(public)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// callers are tokens of the roles, and the part of a configuration that lets them in.
func (f *fleet) callers(roles ...string) (tokens map[string]string, text string) {
	f.t.Helper()
	tokens, text = map[string]string{}, "\napi:\n  callers:\n"
	for _, role := range roles {
		var made struct {
			Token string `json:"token"`
			Hash  string `json:"token_sha256"`
		}
		if err := json.Unmarshal([]byte(f.run("api", "token", role+"er", "--role", role, "--json")), &made); err != nil {
			f.t.Fatal(err)
		}
		tokens[role] = made.Token
		text += fmt.Sprintf("    - {name: %ser, role: %s, token_sha256: %s}\n", role, role, made.Hash)
	}
	return tokens, text
}

// TestBeyondLoopback goes through a dashboard with TLS under a name: the roles of tokens, and
// the end of one.
func TestBeyondLoopback(t *testing.T) {
	f := newDCs(t, 2)
	pin := certificate(t, f.dir)
	b := open(t, chromedp.Flag("ignore-certificate-errors-spki-list", pin), chromedp.Flag("host-resolver-rules", "MAP "+host+" 127.0.0.1"))
	config := filepath.Join(f.dir, "dc.yaml")
	plain, err := os.ReadFile(config)
	if err != nil {
		t.Fatal(err)
	}
	tokens, callers := f.callers("read", "operate")
	fewer, _, _ := strings.Cut(callers, "    - {name: operateer")
	write := func(callers string) {
		t.Helper()
		if err := os.WriteFile(config, append(plain[:len(plain):len(plain)], callers...), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(callers)
	_, port, _ := net.SplitHostPort(freeAddr(t))
	f.base = "https://" + host + ":" + port
	f.manage(2, "--set", "dashboard.cert=server.pem", "--set", "dashboard.key=server.key", "--set", "dashboard.names="+host, "--dashboard", "127.0.0.1:"+port)

	// Nobody, and a token that is none.
	b.wide()
	b.open(f.url("/dcs"))
	b.sees("Nobody is signed in here.")
	b.forget() // of the status 401
	b.picture("enter")
	b.narrow()
	b.picture("enter-narrow")
	b.fits("enter")
	b.wide()
	b.fill("#token", "mtfleet_wrong"+kb.Enter)
	b.sees("That is no token of a caller")
	b.forget() // of the status 403

	// Who may look sees all that there is to see, and nothing to press.
	enter := func(role string) {
		t.Helper()
		b.open(f.url("/enter"))
		b.fill("#token", tokens[role]+kb.Enter)
		b.holds(`location.pathname === "/" && document.getElementById("grid")?.dataset.ready === "yes"`)
		b.sees(role + "er, " + role)
	}
	enter("read")
	b.holds(`document.querySelectorAll("#rows .badge.ok").length === 2`)
	const changes = `[...document.querySelectorAll("main form[method=post], main input[type=checkbox], [data-act], a[href^='/sign-in']")].map(e => e.outerHTML).join("\n")`
	for name, path := range map[string]string{"fleet": "/", "account": "/accounts/bot-1"} {
		b.open(f.url(path))
		b.sees("bot-1")
		if found := b.text(changes); found != "" {
			t.Errorf("who may only look sees at %s\n%s", path, found)
		}
		b.picture(name + "-read")
		b.narrow()
		b.picture(name + "-read-narrow")
		b.fits(name)
		b.wide()
	}
	if got := b.text(`document.cookie`); got != "" {
		t.Errorf("scripts read the cookie %s", got)
	}
	b.silent("who may only look")
	if got := b.text(`(() => { const r = new XMLHttpRequest(); r.open("POST", "/accounts/bot-1/act", false);
		r.setRequestHeader("X-CSRF-Token", document.querySelector("meta[name=csrf]").content);
		r.setRequestHeader("Content-Type", "application/x-www-form-urlencoded"); r.send("action=pause"); return String(r.status); })()`); got != "403" {
		t.Errorf("who may only look pauses: status %s", got)
	}
	b.forget()
	b.click("header form button")
	b.sees("You are signed out.")

	// Who operates does, and the audit log has who did.
	enter("operate")
	b.open(f.url("/accounts/bot-1"))
	b.click("#do-pause")
	b.sees("It is paused")
	if log := f.run("audit", "tail"); !strings.Contains(log, "operateer, dashboard") || !strings.Contains(log, "denied") || !strings.Contains(log, "reader, dashboard") {
		t.Errorf("the audit log has\n%s", log)
	}
	b.silent("who operates")

	// The token is taken away while its page is open.
	b.open(f.url("/dcs"))
	b.sees("directly")
	write(fewer)
	if err := f.running.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	b.sees("The session has ended")
	b.open(f.url("/"))
	b.sees("Nobody is signed in here.")
}

// fits fails if a page is wider than the screen.
func (b *browser) fits(where string) {
	b.t.Helper()
	if wider := b.text(`String(document.documentElement.scrollWidth - document.documentElement.clientWidth)`); wider != "0" {
		b.t.Errorf("%s scrolls by %s px to the side: %s", where, wider, b.text(
			`[...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80)).join("\n")`))
	}
}
