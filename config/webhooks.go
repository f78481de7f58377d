package config

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
)

// Webhook is a target that is posted what happens to accounts.
type Webhook struct {
	Name string
	// URL is https, or http to a loopback address. Its path may hold a token.
	URL Secret
	// Secrets sign messages: whsec_ and base64; two while one is replaced.
	Secrets []Secret
	// SecretFile is where they were read from; empty when they stood in the file
	// itself.
	SecretFile string
	// Accounts, Labels and Types select events; empty is all of them.
	Accounts []string
	Labels   []string // key=value or key
	Types    []string // state, update, hole, notice
	// Raw has updates as base64.
	Raw bool
	// Enabled: it is sent to. One that is not keeps its place.
	Enabled bool
}

// host is where messages go, without what may be secret.
func (w Webhook) host() string {
	u, err := url.Parse(string(w.URL))
	if err != nil {
		return "?"
	}
	return u.Scheme + "://" + u.Host
}

// webhooks binds the list. It is set in the file alone: it holds secrets.
func (b binder) webhooks(v any, to *[]Webhook) {
	if !b.fromFile() {
		b.fail(b.path, "webhooks are set in the configuration file alone")
		return
	}
	entries, _ := b.list(v)
	*to = nil
	for i, entry := range entries {
		at := fmt.Sprintf("webhooks[%d]", i)
		m, ok := entry.(map[string]any)
		if !ok {
			b.fail(at, "this must have a name, a url and a secret or secret_file")
			continue
		}
		w := Webhook{Enabled: true}
		if b.webhook(at, m, &w) {
			*to = append(*to, w)
		}
	}
}

func (b binder) webhook(at string, m map[string]any, w *Webhook) bool {
	var secret, file string
	ok := b.entry(at, m, []entryField{
		{"name", func(at string, v any) bool { return b.text(at, v, &w.Name) }},
		{"url", func(at string, v any) bool { return b.text(at, v, (*string)(&w.URL)) }},
		{"secret", func(at string, v any) bool { return b.text(at, v, &secret) }},
		{"secret_file", func(at string, v any) bool { return b.text(at, v, &file) }},
		{"accounts", func(at string, v any) bool { return b.texts(at, v, &w.Accounts) }},
		{"labels", func(at string, v any) bool { return b.texts(at, v, &w.Labels) }},
		{"types", func(at string, v any) bool { return b.texts(at, v, &w.Types) }},
		{"raw", func(at string, v any) bool { return b.flag(at, v, &w.Raw) }},
		{"enabled", func(at string, v any) bool { return b.flag(at, v, &w.Enabled) }},
	})
	if file != "" {
		file = b.resolve(strings.TrimSpace(file), b.source)
		text, err := os.ReadFile(file)
		if err != nil {
			b.fail(at+".secret_file", "cannot read %s: %s", file, cause(err))
			return false
		}
		w.SecretFile = file
		secret += " " + string(text)
	}
	for s := range strings.FieldsSeq(secret) {
		w.Secrets = append(w.Secrets, Secret(s))
	}
	return ok
}

func (b binder) texts(at string, v any, to *[]string) bool {
	list, ok := v.([]any)
	if !ok {
		b.fail(at, "this must be a list")
		return false
	}
	for i, entry := range list {
		var s string
		if !b.text(fmt.Sprintf("%s[%d]", at, i), entry, &s) {
			return false
		}
		*to = append(*to, s)
	}
	return true
}

func (b binder) flag(at string, v any, to *bool) bool {
	is, ok := v.(bool)
	if !ok {
		b.fail(at, "this must be true or false")
		return false
	}
	*to = is
	return true
}

var (
	webhookName  = regexp.MustCompile(`^[a-z0-9._-]{1,32}$`)
	webhookLabel = regexp.MustCompile(`^[a-z0-9._/-]{0,62}[a-z0-9._/](=[A-Za-z0-9._/:+@-]{0,63})?$`)
)

func (v *validator) webhooks() {
	for i, w := range v.c.Webhooks {
		at := fmt.Sprintf("webhooks[%d]", i)
		twice := slices.ContainsFunc(v.c.Webhooks[:i], func(o Webhook) bool { return o.Name == w.Name })
		switch {
		case !webhookName.MatchString(w.Name):
			v.fail(at+".name", "a webhook has a name of 1 to 32 characters of a-z, 0-9, '.', '_' and '-'")
		case twice:
			v.fail(at+".name", "there are two webhooks called %s", w.Name)
		}
		if why := checkTarget(string(w.URL)); why != "" {
			v.fail(at+".url", "%s", why)
		}
		if len(w.Secrets) == 0 {
			v.fail(at+".secret", "this is missing: make one with `echo whsec_$(openssl rand -base64 32)`, or name a file in secret_file")
		}
		for _, s := range w.Secrets {
			rest, is := strings.CutPrefix(string(s), "whsec_")
			if key, err := base64.StdEncoding.DecodeString(rest); !is || err != nil || len(key) < 24 || len(key) > 64 {
				v.fail(at+".secret", "this is not whsec_ and the base64 of 24 to 64 random bytes: make one with `echo whsec_$(openssl rand -base64 32)`")
			}
		}
		for j, name := range w.Types {
			v.choice(fmt.Sprintf("%s.types[%d]", at, j), name, "state", "update", "hole", "notice")
		}
		for j, label := range w.Labels {
			if !webhookLabel.MatchString(label) {
				v.fail(fmt.Sprintf("%s.labels[%d]", at, j), "%q is neither key=value nor key", label)
			}
		}
	}
}

// checkTarget returns what is wrong with a webhook's URL, or "".
func checkTarget(text string) string {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return "this is missing"
	case err != nil || u.Host == "" || u.Opaque != "" || u.User != nil || u.Fragment != "":
		return "this is not a URL such as https://example.com/hook, without user, password and fragment"
	case u.Scheme == "https":
		return ""
	}
	addr, err := netip.ParseAddr(u.Hostname())
	if u.Scheme == "http" && (u.Hostname() == "localhost" || err == nil && addr.IsLoopback()) {
		return ""
	}
	return "what is sent can be read on its way: use https, or http with a loopback address such as 127.0.0.1"
}
