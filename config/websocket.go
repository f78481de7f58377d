package config

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/mtfleet/mtfleet/mtproto/dc"
)

// WebSocket is where a DC takes WebSockets.
type WebSocket struct {
	ID    int
	URL   string
	Media bool // for media alone
}

// show writes it as YAML would. A URL that cannot be used is not shown: there may be
// credentials in it.
func (w WebSocket) show() string {
	shown := redacted
	if _, err := dc.ParseWebSocketURL(w.URL); err == nil {
		shown = w.URL
	}
	media := ""
	if w.Media {
		media = ", media: true"
	}
	return fmt.Sprintf("{id: %d, url: %q%s}", w.ID, shown, media)
}

// Certificates is a PEM text of certificates.
type Certificates struct {
	PEM  string
	File string // where it was read from; empty when it stood in the file itself
}

// String names them, not their text.
func (c Certificates) String() string {
	if c.PEM != "" && c.File == "" {
		return "inline PEM"
	}
	return c.File
}

func (b binder) webSockets(v any, to *[]WebSocket) {
	entries, _ := b.list(v)
	*to = nil
	for i, entry := range entries {
		at := fmt.Sprintf("transport.websockets[%d]", i)
		var w WebSocket
		switch entry := entry.(type) {
		case string: // ID=URL
			id, url, ok := strings.Cut(entry, "=")
			n, err := strconv.Atoi(id)
			if !ok || err != nil {
				b.fail(at, "this must have the form ID=URL")
				continue
			}
			w = WebSocket{ID: n, URL: url}
		case map[string]any:
			if !b.webSocketEntry(at, entry, &w) {
				continue
			}
		default:
			b.fail(at, "this must have an id and a url")
			continue
		}
		*to = append(*to, w)
	}
}

func (b binder) webSocketEntry(at string, entry map[string]any, w *WebSocket) bool {
	known := []string{"id", "url", "media"}
	ok := true
	for name := range entry {
		if !slices.Contains(known, name) {
			b.fail(at+"."+name, "%s", unknown("setting", name, known))
			ok = false
		}
	}
	for _, name := range known[:2] {
		if _, given := entry[name]; !given {
			b.fail(at+"."+name, "this is missing")
			return false
		}
	}
	if media, given := entry["media"]; given {
		truth, is := media.(bool)
		if !is {
			b.fail(at+".media", "this must be true or false")
			return false
		}
		w.Media = truth
	}
	return b.number(at+".id", entry["id"], &w.ID) && b.text(at+".url", entry["url"], &w.URL) && ok
}

func (b binder) certificates(v any, to *Certificates) {
	var s string
	switch {
	case !b.text(b.path, v, &s):
	case strings.TrimSpace(s) == "":
		*to = Certificates{}
	case strings.Contains(s, "-----BEGIN"):
		*to = Certificates{PEM: s}
	default:
		file := b.resolve(strings.TrimSpace(s), b.source)
		text, err := os.ReadFile(file)
		if err != nil {
			b.fail(b.path, "cannot read %s: %s", file, cause(err))
			return
		}
		*to = Certificates{PEM: string(text), File: file}
	}
}

func (v *validator) webSockets() {
	c, t := v.c, v.c.Transport
	v.choice("transport.carrier", t.Carrier, TCP, WebSocketCarrier)
	for i, w := range t.WebSockets {
		at := fmt.Sprintf("transport.websockets[%d]", i)
		if !v.knowsDC(w.ID) {
			v.fail(at+".id", "environment %s has no DC %d", c.Environment, w.ID)
		}
		var bad *dc.WebSocketURLError
		if _, err := dc.ParseWebSocketURL(w.URL); errors.As(err, &bad) {
			v.fail(at+".url", "%s", bad.Reason)
		} else if slices.Contains(t.WebSockets[:i], w) {
			v.fail(at, "this is listed twice")
		}
	}
	if reason := checkCertificates(t.WebSocketCA.PEM); t.WebSocketCA != (Certificates{}) && reason != "" {
		v.fail("transport.websocket_ca", "%s: %s", t.WebSocketCA, reason)
	}
	if t.Carrier != WebSocketCarrier {
		return
	}
	switch {
	case t.Kind == "full":
		v.fail("transport.kind", "the full transport cannot be obfuscated, and a WebSocket carries nothing else: choose another kind, or set transport.carrier to tcp")
	case !t.Obfuscated:
		v.fail("transport.obfuscated", "a WebSocket carries the obfuscated stream alone: set this to true, or transport.carrier to tcp")
	}
	for _, id := range v.dcsOfOwn() {
		if !slices.ContainsFunc(t.WebSockets, func(w WebSocket) bool { return w.ID == id && !w.Media }) {
			v.fail("transport.websockets", "DC %d has none: list where it takes WebSockets, or set transport.carrier to tcp", id)
		}
	}
}

// dcsOfOwn are the DCs of a custom environment, each once.
func (v *validator) dcsOfOwn() (ids []int) {
	for _, dc := range v.c.DCs {
		if !slices.Contains(ids, dc.ID) {
			ids = append(ids, dc.ID)
		}
	}
	return ids
}

// knowsDC tells whether the environment has a DC of that number. One that is itself
// wrong has all of them: that is said elsewhere.
func (v *validator) knowsDC(id int) bool {
	switch v.c.Environment {
	case Production:
		return id >= 1 && id <= 5
	case Test:
		return id >= 1 && id <= 3
	case Custom:
		return v.c.hasDC(id)
	}
	return true
}

// checkCertificates returns what is wrong with a PEM text of certificates, or "".
func checkCertificates(text string) string {
	rest := []byte(text)
	for n := 0; ; n++ {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		switch {
		case block == nil && (n == 0 || strings.TrimSpace(string(rest)) != ""):
			return "this is not a PEM text of certificates"
		case block == nil:
			return ""
		case strings.Contains(block.Type, "PRIVATE"):
			return "this is a private key: only certificates belong here"
		case block.Type != "CERTIFICATE":
			return "this is not a certificate"
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return "a certificate in it cannot be read"
		}
	}
}
