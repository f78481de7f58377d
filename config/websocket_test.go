package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var caPEM = sync.OnceValue(func() string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
})

func TestWebSocketsAreRead(t *testing.T) {
	cfg := mustLoad(t, minimal+"transport:\n  carrier: websocket\n  websockets:\n    - {id: 2, url: \"wss://relay.example/dc2\"}\n    - {id: 2, media: true, url: \"wss://relay.example/media2\"}\n", Options{})
	want := []WebSocket{{2, "wss://relay.example/dc2", false}, {2, "wss://relay.example/media2", true}}
	if diff := cmp.Diff(want, cfg.Transport.WebSockets); diff != "" || cfg.Transport.Carrier != WebSocketCarrier {
		t.Error(cfg.Transport.Carrier, diff)
	}
	cfg = mustLoad(t, minimal, Options{Env: append([]string{"MTFLEET_TRANSPORT_WEBSOCKETS=1=wss://a/b,3=wss://c"}, testEnv...), Flags: map[string]string{"transport.websocket_ca": caPEM()}})
	if w := cfg.Transport.WebSockets; len(w) != 2 || w[1].ID != 3 || w[1].URL != "wss://c" || cfg.Transport.WebSocketCA.PEM != caPEM() {
		t.Errorf("%+v", cfg.Transport)
	}
	if shown := cfg.Explain(); !strings.Contains(shown, `transport.websockets = [{id: 1, url: "wss://a/b"}, {id: 3, url: "wss://c"}]`) || !strings.Contains(shown, `transport.websocket_ca = "inline PEM"`) {
		t.Error(shown)
	}
	file := write(t, "ca.pem", caPEM())
	cfg = mustLoad(t, minimal+"transport: {websocket_ca: "+file+"}\n", Options{})
	if ca := cfg.Transport.WebSocketCA; ca.PEM != caPEM() || ca.String() != file {
		t.Errorf("from a file: %+v", ca)
	}
}

// webSocketRefusal is a mistake as refusal is; its text follows minimal.
type webSocketRefusal struct {
	name, text string
	want       []string
}

func webSocketRefusals() []webSocketRefusal {
	const (
		own = "environment: custom\ndcs: [\"1=127.0.0.1:1\", \"2=127.0.0.1:2\"]\nrsa_keys: [dc.pem]\n"
		web = "transport: {carrier: websocket, "
	)
	return []webSocketRefusal{
		{"another carrier", "transport: {carrier: websockets}\n", []string{`transport.carrier: "websockets" must be tcp or websocket: did you mean websocket? (FILE:3)`}},
		{"full", web + "kind: full}\n", []string{"transport.kind: the full transport cannot be obfuscated, and a WebSocket carries nothing else: choose another kind, or set transport.carrier to tcp (FILE:3)"}},
		{"full, without obfuscation", web + "kind: full, obfuscated: false}\n", []string{"transport.kind: the full transport cannot be obfuscated, and a WebSocket carries nothing else: choose another kind, or set transport.carrier to tcp (FILE:3)"}},
		{"without obfuscation", web + "obfuscated: false}\n", []string{"transport.obfuscated: a WebSocket carries the obfuscated stream alone: set this to true, or transport.carrier to tcp (FILE:3)"}},
		{"through an MTProxy", web + "}\nproxy: mtproxy://proxy.example:1?secret=dd00112233445566778899aabbccddeeff\n",
			[]string{"proxy: an MTProxy does not lead to WebSockets: take a SOCKS5 or HTTP proxy, or set transport.carrier to tcp (FILE:4)"}},
		{"a DC of its own has none", own + web + "websockets: [{id: 1, url: \"wss://a\"}, {id: 2, url: \"wss://b\", media: true}]}\n",
			[]string{"transport.websockets: DC 2 has none: list where it takes WebSockets, or set transport.carrier to tcp (FILE:6)"}},
		{"a DC that there is not", own + "transport: {websockets: [{id: 3, url: \"wss://a\"}]}\n", []string{"transport.websockets[0].id: environment custom has no DC 3 (FILE:6)"}},
		{"one of production", "transport: {websockets: [{id: 6, url: \"wss://a\"}]}\n", []string{"transport.websockets[0].id: environment production has no DC 6 (FILE:3)"}},
		{"no URL", "transport: {websockets: [{id: 1, url: \"wss://joe:hunter2@h\"}]}\n", []string{"transport.websockets[0].url: it has more than a host, a port and a path: write wss://host/path (FILE:3)"}},
		{"no TLS", "transport: {websockets: [{id: 1, url: \"ws://hunter2.example\"}]}\n", []string{"transport.websockets[0].url: ws:// is for a loopback address alone, such as ws://127.0.0.1:4430/apiws: write wss:// (FILE:3)"}},
		{"twice", "transport: {websockets: [{id: 1, url: \"wss://a\"}, {id: 1, url: \"wss://a\"}]}\n", []string{"transport.websockets[1]: this is listed twice (FILE:3)"}},
		{"no list", "transport: {websockets: wss://hunter2}\n", []string{"transport.websockets: this must be a list (FILE:3)"}},
		{"no id", "transport: {websockets: [{url: \"wss://a\"}, \"wss://hunter2\", 5, {id: 1, url: 2}, {id: 1, url: \"wss://a\", medio: true}, {id: 1, url: \"wss://a\", media: 1}]}\n", []string{
			"transport.websockets[0].id: this is missing (FILE:3)", "transport.websockets[1]: this must have the form ID=URL (FILE:3)", "transport.websockets[2]: this must have an id and a url (FILE:3)",
			"transport.websockets[3].url: this must be a text: put it in quotes (FILE:3)", "transport.websockets[4].medio: there is no such setting: did you mean media? (FILE:3)", "transport.websockets[5].media: this must be true or false (FILE:3)"}},
		{"no file", "transport: {websocket_ca: gone.pem}\n", []string{"transport.websocket_ca: cannot read DIR/gone.pem: no such file or directory (FILE:3)"}},
		{"an empty file", "transport: {websocket_ca: empty.pem}\n", []string{"transport.websocket_ca: DIR/empty.pem: this is not a PEM text of certificates (FILE:3)"}},
		{"no PEM", "transport: {websocket_ca: none.pem}\n", []string{"transport.websocket_ca: DIR/none.pem: this is not a PEM text of certificates (FILE:3)"}},
		{"a private key", "transport: {websocket_ca: private.pem}\n", []string{"transport.websocket_ca: DIR/private.pem: this is a private key: only certificates belong here (FILE:3)"}},
		{"an RSA key", "transport: {websocket_ca: dc.pem}\n", []string{"transport.websocket_ca: DIR/dc.pem: this is not a certificate (FILE:3)"}},
		{"half a certificate", "transport: {websocket_ca: \"-----BEGIN CERTIFICATE-----\\nMTIz\\n-----END CERTIFICATE-----\\n\"}\n", []string{"transport.websocket_ca: inline PEM: a certificate in it cannot be read (FILE:3)"}},
		{"a certificate and more", "transport: {websocket_ca: more.pem}\n", []string{"transport.websocket_ca: DIR/more.pem: this is not a PEM text of certificates (FILE:3)"}},
	}
}

func TestWebSocketRefusals(t *testing.T) {
	for _, v := range webSocketRefusals() {
		t.Run(v.name, func(t *testing.T) {
			file := write(t, "mtfleet.yaml", minimal+v.text)
			files := map[string]string{"empty.pem": "\n", "more.pem": caPEM() + "hello"}
			for name, text := range keyFiles() {
				files[name] = text
			}
			for name, text := range files {
				if err := os.WriteFile(filepath.Join(filepath.Dir(file), name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, err := Load(Options{File: file, Env: testEnv, Official: official})
			var refused *Error
			if !errors.As(err, &refused) {
				t.Fatalf("error is %v", err)
			}
			replace := strings.NewReplacer(file, "FILE", filepath.Dir(file), "DIR")
			var got []string
			for _, p := range refused.Problems {
				got = append(got, replace.Replace(p.String()))
			}
			if diff := cmp.Diff(v.want, got); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(fmt.Sprint(got), "hunter2") {
				t.Errorf("what may be a secret is quoted: %v", got)
			}
		})
	}
}

// TestAURLWithCredentialsIsNotShown: it is refused, and nothing repeats it.
func TestAURLWithCredentialsIsNotShown(t *testing.T) {
	c := Default()
	c.Transport.WebSockets = []WebSocket{{ID: 1, URL: "wss://joe:hunter2@h/"}}
	if shown := c.Explain(); strings.Contains(shown, "hunter2") || !strings.Contains(shown, `[{id: 1, url: "[secret]"}]`) {
		t.Error(shown)
	}
}
