package config

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// binder puts one given value into its place. Values come from YAML with a type,
// from the environment and from flags as text.
type binder struct {
	*loader
	path   string
	source Source
}

func (b binder) fail(path, format string, args ...any) {
	source := b.source
	if line := b.lines[path]; source.File != "" && line > 0 {
		source.Line = line
	}
	b.problem(path, fmt.Sprintf(format, args...), source)
}

// fromFile tells whether the value has a YAML type.
func (b binder) fromFile() bool { return b.source.File != "" }

func (b binder) set(to, v any) {
	switch to := to.(type) {
	case *string:
		b.text(b.path, v, to)
	case *[]string:
		if entries, ok := b.list(v); ok {
			b.texts(b.path, entries, to)
		}
	case *Secret:
		b.text(b.path, v, (*string)(to))
	case *proxyURL:
		b.text(b.path, v, (*string)(to))
	case *filePath:
		var s string
		if b.text(b.path, v, &s) {
			*to = filePath(b.resolve(s, b.source))
		}
	case *int:
		b.number(b.path, v, to)
	case *time.Duration:
		b.duration(v, to)
	case *bool:
		b.truth(v, to)
	case *[]DC:
		b.dcs(v, to)
	case *[]RSAKey:
		b.rsaKeys(v, to)
	case *[]WebSocket:
		b.webSockets(v, to)
	case *Certificates:
		b.certificates(v, to)
	case *[]Webhook:
		b.webhooks(v, to)
	case *[]Caller:
		b.callers(v, to)
	default:
		panic(fmt.Sprintf("config: setting %s has type %T", b.path, to)) // the table is wrong; a test binds every field
	}
}

func (b binder) text(path string, v any, to *string) bool {
	s, ok := v.(string)
	if !ok {
		b.fail(path, "this must be a text: put it in quotes")
		return false
	}
	*to = s
	return true
}

func (b binder) number(path string, v any, to *int) bool {
	switch v := v.(type) {
	case int:
		*to = v
		return true
	case string:
		n, err := strconv.Atoi(strings.TrimSpace(v))
		if !b.fromFile() && err == nil {
			*to = n
			return true
		}
	}
	b.fail(path, "this must be a whole number")
	return false
}

func (b binder) duration(v any, to *time.Duration) {
	text, _ := v.(string)
	d, err := time.ParseDuration(strings.TrimSpace(text))
	if err != nil {
		b.fail(b.path, "this must be a time with its unit, such as 24h or 90m")
		return
	}
	*to = d
}

func (b binder) truth(v any, to *bool) {
	switch v := v.(type) {
	case bool:
		*to = v
		return
	case string:
		switch strings.ToLower(strings.TrimSpace(v)) {
		case "true", "yes", "on", "1":
			*to = true
			return
		case "false", "no", "off", "0":
			*to = false
			return
		}
	}
	b.fail(b.path, "this must be true or false")
}

// list returns the entries of a list; from the environment and from flags it
// comes as text with commas.
func (b binder) list(v any) ([]any, bool) {
	switch v := v.(type) {
	case []any:
		return v, true
	case string:
		if b.fromFile() {
			break
		}
		var entries []any
		for _, s := range strings.Split(v, ",") {
			if s = strings.TrimSpace(s); s != "" {
				entries = append(entries, s)
			}
		}
		return entries, true
	}
	b.fail(b.path, "this must be a list")
	return nil, false
}

// entryField is a setting of an entry of a list; set reports whether the value made
// sense.
type entryField struct {
	name string
	set  func(at string, v any) bool
}

// entry binds the settings of one, in the order of the fields.
func (b binder) entry(at string, m map[string]any, fields []entryField) (ok bool) {
	var known []string
	for _, f := range fields {
		known = append(known, f.name)
	}
	ok = true
	for name := range m {
		if !slices.Contains(known, name) {
			b.fail(at+"."+name, "%s", unknown("setting", name, known))
			ok = false
		}
	}
	for _, f := range fields {
		if v, given := m[f.name]; given {
			ok = f.set(at+"."+f.name, v) && ok
		}
	}
	return ok
}

func (b binder) dcs(v any, to *[]DC) {
	entries, _ := b.list(v)
	*to = nil
	for i, entry := range entries {
		at := fmt.Sprintf("dcs[%d]", i)
		var dc DC
		switch entry := entry.(type) {
		case string: // ID=ADDR, as testdc prints it
			id, addr, ok := strings.Cut(entry, "=")
			n, err := strconv.Atoi(id)
			if !ok || err != nil {
				b.fail(at, "%q must have the form ID=HOST:PORT", entry)
				continue
			}
			dc = DC{n, addr}
		case map[string]any:
			if !b.dcEntry(at, entry, &dc) {
				continue
			}
		default:
			b.fail(at, "this must have an id and an addr")
			continue
		}
		*to = append(*to, dc)
	}
}

func (b binder) dcEntry(at string, entry map[string]any, dc *DC) bool {
	known := []string{"id", "addr"}
	ok := true
	for name := range entry {
		if !slices.Contains(known, name) {
			b.fail(at+"."+name, "%s", unknown("setting", name, known))
			ok = false
		}
	}
	for _, name := range known {
		if _, given := entry[name]; !given {
			b.fail(at+"."+name, "this is missing")
			return false
		}
	}
	return b.number(at+".id", entry["id"], &dc.ID) && b.text(at+".addr", entry["addr"], &dc.Addr) && ok
}

func (b binder) rsaKeys(v any, to *[]RSAKey) {
	entries, _ := b.list(v)
	*to = nil
	for i, entry := range entries {
		at := fmt.Sprintf("rsa_keys[%d]", i)
		var s string
		if !b.text(at, entry, &s) {
			continue
		}
		key := RSAKey{PEM: s}
		if !strings.Contains(s, "-----BEGIN") {
			key.File = b.resolve(strings.TrimSpace(s), b.source)
			text, err := os.ReadFile(key.File)
			if err != nil {
				b.fail(at, "cannot read %s: %s", key.File, cause(err))
				continue
			}
			key.PEM = string(text)
		}
		*to = append(*to, key)
	}
}
