package config

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/proxy"
)

const (
	apiPage = "https://my.telegram.org/apps"
	// maxSocketPath is what a unix socket's address can hold on every system
	// we build for (104 bytes with the final zero on BSD, 108 on Linux).
	maxSocketPath = 103
	// maxDC keeps a DC id apart from the 10000 that marks test DCs.
	maxDC = 999
)

// Validate returns everything that is wrong with the configuration, in the order
// of the settings. Load does it too.
func (c *Config) Validate(official Official) []Problem { return c.validate(official, false) }

func (c *Config) validate(official Official, offline bool) []Problem {
	v := &validator{c: c, official: official}
	v.api(offline)
	v.device()
	v.store()
	v.environment()
	v.transport()
	v.webSockets()
	v.proxy()
	v.limits()
	v.observation()
	v.overTCP()
	v.dashboard()
	v.callers()
	v.remote()
	v.cluster()
	v.webhooks()
	return v.problems
}

type validator struct {
	c        *Config
	official Official
	problems []Problem
}

func (v *validator) fail(path, format string, args ...any) {
	v.problems = append(v.problems, Problem{Path: path, Message: fmt.Sprintf(format, args...)})
}

func (v *validator) api(offline bool) {
	id, hash := v.c.APIID, v.c.APIHash
	switch app := v.official.id(id); {
	case id == 0 && !offline:
		v.fail("api_id", "this is not set: get your own at %s", apiPage)
	case id < 0 || id > 1<<31-1:
		v.fail("api_id", "%d is not an api_id: get your own at %s", id, apiPage)
	case app != "":
		v.fail("api_id", "%d belongs to %s: get your own at %s", id, app, apiPage)
	case id == exampleID && hash == exampleHash && !offline:
		v.fail("api_id", "this and api_hash are still the example's, which no server knows: get your own at %s", apiPage)
	}
	_, err := hex.DecodeString(string(hash))
	switch {
	case hash == "" && !offline:
		v.fail("api_hash", "this is not set: get your own at %s", apiPage)
	case hash != "" && (len(hash) != 32 || err != nil):
		v.fail("api_hash", "this must be the 32 hex digits shown at %s", apiPage)
	}
}

func (v *validator) device() {
	d := v.c.Device
	for _, f := range []struct{ path, value string }{
		{"device.model", d.Model}, {"device.system_version", d.SystemVersion}, {"device.app_version", d.AppVersion},
	} {
		switch {
		case strings.TrimSpace(f.value) == "":
			v.fail(f.path, "this must not be empty: say what this program really is")
		case len(f.value) > 64:
			v.fail(f.path, "this must not be longer than 64 bytes")
		default:
			if name := v.official.word(f.value); name != "" {
				v.fail(f.path, "%q names an official app (%q): say what this program really is", f.value, name)
			}
		}
	}
	for _, f := range []struct{ path, value string }{
		{"device.system_lang_code", d.SystemLangCode}, {"device.lang_code", d.LangCode},
	} {
		if !isLangCode(f.value) {
			v.fail(f.path, "%q is not a language code such as \"en\" or \"pt-br\"", f.value)
		}
	}
}

// isLangCode accepts a language of 2 or 3 letters and further parts behind
// hyphens.
func isLangCode(s string) bool {
	parts := strings.Split(strings.ToLower(s), "-")
	for _, p := range parts {
		if len(p) < 2 || len(p) > 8 || strings.Trim(p, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			return false
		}
	}
	return len(parts[0]) <= 3
}

func (v *validator) store() {
	s := v.c.Store
	if s.Dir == "" {
		v.fail("store.dir", "this is not set, and there is no home directory to put it in")
	}
	v.masterKey()
	v.backup()
	v.postgres()
	if s.KeyFile == "" && len(s.KeyCommand) == 0 && s.KeyCredential == "" {
		v.fail("store.key_file", "this is not set, and there is no home directory to put it in")
	}
	if s.Dir != "" && s.KeyFile != "" {
		rel, err := filepath.Rel(s.Dir, s.KeyFile)
		if err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
			v.fail("store.key_file", "%s lies in store.dir: keep the key outside it, so that a copy of the data does not include the key", s.KeyFile)
		}
	}
}

// minBackupEvery keeps a slip of the unit from filling a disk.
const minBackupEvery = time.Minute

func (v *validator) backup() {
	b := v.c.Store.Backup
	if b.Dir == "" && len(b.Recipients) == 0 {
		return
	}
	switch {
	case b.Dir == "" && len(b.Recipients) > 0:
		v.fail("store.backup.recipients", "store.backup.dir is not set, so no backup would be made: name the directory for them")
	case b.Dir != "" && len(b.Recipients) == 0:
		v.fail("store.backup.dir", "store.backup.recipients is not set: give the age public key (age1...) of whoever may restore the backups; `age-keygen -o backup.key` makes one, and keep that file elsewhere")
	case b.Dir != "" && filepath.Clean(b.Dir) == filepath.Join(v.c.Store.Dir, "badger"):
		v.fail("store.backup.dir", "%s has the files of the store: name another directory, best on another disk", b.Dir)
	}
	for i, r := range b.Recipients {
		at := fmt.Sprintf("store.backup.recipients[%d]", i)
		switch {
		case strings.HasPrefix(strings.ToUpper(strings.TrimSpace(r)), "AGE-SECRET-KEY-"):
			v.fail(at, "this is an identity, which is secret: give its public key, age1..., and make a new identity if others can read this file")
		case !strings.HasPrefix(r, "age1"):
			v.fail(at, "this is no public key of age, as `age-keygen` prints them: age1...")
		}
	}
	if b.Every < minBackupEvery {
		v.fail("store.backup.every", "%v is shorter than %v", b.Every, minBackupEvery)
	}
	if b.Keep < 1 {
		v.fail("store.backup.keep", "%d is less than one", b.Keep)
	}
}

// masterKey wants one place where the master key is.
func (v *validator) masterKey() {
	s := v.c.Store
	if cmd := s.KeyCommand; len(cmd) > 0 {
		if v.c.Source("store.key_file") != (Source{}) {
			v.fail("store.key_command", "store.key_file is set too: say one place where the master key is")
		}
		if s.KeyCredential != "" {
			v.fail("store.key_command", "store.key_credential is set too: say one place where the master key is")
		}
		if cmd[0] == "" || strings.ContainsRune(cmd[0], filepath.Separator) && !filepath.IsAbs(cmd[0]) {
			v.fail("store.key_command[0]", "%q is not a program's absolute path, nor its name in PATH", cmd[0])
		}
	}
	if name := s.KeyCredential; name != "" {
		if v.c.Source("store.key_file") != (Source{}) {
			v.fail("store.key_credential", "store.key_file is set too: say one place where the master key is")
		}
		if strings.ContainsAny(name, "/:") || name == "." || name == ".." {
			v.fail("store.key_credential", "%q is no name of a credential", name)
		}
	}
}

func (v *validator) environment() {
	c := v.c
	switch c.Environment {
	case Custom:
		if len(c.DCs) == 0 {
			v.fail("dcs", "environment custom needs at least one DC")
		}
		if len(c.RSAKeys) == 0 {
			v.fail("rsa_keys", "environment custom needs the RSA public key of its DCs")
		}
	case Production, Test:
		if len(c.DCs) != 0 {
			v.fail("dcs", "the DCs of environment %s are built in: leave this out, or set environment to custom", c.Environment)
		}
		if len(c.RSAKeys) != 0 {
			v.fail("rsa_keys", "the keys of environment %s are built in: leave this out, or set environment to custom", c.Environment)
		}
	default:
		v.choice("environment", c.Environment, Production, Test, Custom)
		return
	}
	for i, dc := range c.DCs {
		if dc.ID < 1 || dc.ID > maxDC {
			v.fail(fmt.Sprintf("dcs[%d].id", i), "%d is not between 1 and %d", dc.ID, maxDC)
		}
		addr, err := netip.ParseAddrPort(dc.Addr)
		if err != nil || addr.Port() == 0 || addr.Addr().IsUnspecified() {
			v.fail(fmt.Sprintf("dcs[%d].addr", i), "%q is not an IP address and a port, such as 127.0.0.1:4430", dc.Addr)
		} else if slices.Contains(c.DCs[:i], dc) {
			v.fail(fmt.Sprintf("dcs[%d]", i), "DC %d at %s is listed twice", dc.ID, dc.Addr)
		}
	}
	for i, key := range c.RSAKeys {
		if reason := checkPEM(key.PEM); reason != "" {
			v.fail(fmt.Sprintf("rsa_keys[%d]", i), "%s: %s", key, reason)
		}
	}
	v.firstDC()
}

func (v *validator) firstDC() {
	c := v.c
	switch {
	case c.Environment == Custom && len(c.DCs) > 0 && !c.hasDC(c.FirstDC):
		v.fail("first_dc", "DC %d is not in dcs", c.FirstDC)
	case c.Environment == Production && (c.FirstDC < 1 || c.FirstDC > 5):
		v.fail("first_dc", "%d is not between 1 and 5", c.FirstDC)
	case c.Environment == Test && (c.FirstDC < 1 || c.FirstDC > 3):
		v.fail("first_dc", "%d is not between 1 and 3", c.FirstDC)
	}
}

// checkPEM returns what is wrong with a PEM text of RSA public keys, or "".
func checkPEM(text string) string {
	rest := []byte(text)
	for n := 0; ; n++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			if n == 0 || strings.TrimSpace(string(rest)) != "" {
				return "this is not a PEM text"
			}
			return ""
		}
		if strings.Contains(block.Type, "PRIVATE") {
			return "this is a private key: only the public key belongs here"
		}
		key, err := x509.ParsePKCS1PublicKey(block.Bytes)
		if err != nil {
			parsed, _ := x509.ParsePKIXPublicKey(block.Bytes)
			key, _ = parsed.(*rsa.PublicKey)
		}
		switch {
		case key == nil:
			return "this is not an RSA public key"
		case key.N.BitLen() != 2048:
			return "the key has " + strconv.Itoa(key.N.BitLen()) + " bits instead of 2048"
		}
	}
}

func (v *validator) transport() {
	t := v.c.Transport
	v.choice("transport.kind", t.Kind, "abridged", "intermediate", "padded", "full")
	if t.Kind == "full" && t.Obfuscated && t.Carrier != WebSocketCarrier {
		v.fail("transport.obfuscated", "the full transport cannot be obfuscated: set this to false, or choose another kind")
	}
}

func (v *validator) proxy() {
	if v.c.Proxy == "" {
		return
	}
	var bad *proxy.Error
	p, err := proxy.Parse(string(v.c.Proxy))
	switch {
	case errors.As(err, &bad):
		v.fail("proxy", "%s", bad.Reason)
	case p.Kind == proxy.MTProxy && v.c.Transport.Carrier == WebSocketCarrier:
		v.fail("proxy", "an MTProxy does not lead to WebSockets: take a SOCKS5 or HTTP proxy, or set transport.carrier to tcp")
	}
}

func (v *validator) limits() {
	l := v.c.Limits
	for _, f := range []struct {
		path          string
		value, lo, hi int
	}{
		{"limits.connects_per_second", l.ConnectsPerSecond, 1, 100_000},
		{"limits.key_creations_per_second", l.KeyCreationsPerSecond, 1, 100_000},
		{"limits.key_creations_at_once", l.KeyCreationsAtOnce, 0, 1024},
		{"limits.sign_ins_per_minute", l.SignInsPerMinute, 1, 1_000_000},
		{"limits.calls_per_account", l.CallsPerAccount, 1, 4096},
		{"limits.accounts", l.Accounts, 1, 1_000_000},
	} {
		if f.value < f.lo || f.value > f.hi {
			v.fail(f.path, "%d is not between %d and %d", f.value, f.lo, f.hi)
		}
	}
}

func (v *validator) observation() {
	c := v.c
	v.choice("log.level", c.Log.Level, "debug", "info", "warn", "error")
	v.choice("log.format", c.Log.Format, "text", "json")
	if listen := c.Metrics.Listen; listen != "" {
		host, port, err := net.SplitHostPort(listen)
		n, numErr := strconv.ParseUint(port, 10, 16)
		addr, addrErr := netip.ParseAddr(host)
		switch {
		case err != nil || numErr != nil || n == 0 || addrErr != nil && host != "" && host != "localhost":
			v.fail("metrics.listen", "%q is not an address and a port, such as 127.0.0.1:9464", listen)
		case host != "localhost" && !addr.IsLoopback() && !c.Metrics.AllowRemote:
			v.fail("metrics.listen", "%q can be reached from other machines, without a password: use 127.0.0.1 or [::1], or set metrics.allow_remote to true", listen)
		}
	}
	if n := c.Fleet.OnlineMinPercent; n < 0 || n > 100 {
		v.fail("fleet.online_min_percent", "%d is not between 0 and 100", n)
	}
	for _, f := range []struct{ path, value string }{{"control.socket", c.Control.Socket}, {"debug.pprof_socket", c.Debug.PprofSocket}} {
		if n := len(f.value); n > maxSocketPath {
			v.fail(f.path, "the path has %d bytes, and a unix socket's at most %d: set a shorter one", n, maxSocketPath)
		}
	}
	if s := c.Debug.PprofSocket; s != "" && s == c.Control.Socket {
		v.fail("debug.pprof_socket", "%s is control.socket: set another path", s)
	}
}

func (v *validator) choice(path, value string, choices ...string) {
	if slices.Contains(choices, value) {
		return
	}
	all := strings.Join(choices[:len(choices)-1], ", ") + " or " + choices[len(choices)-1]
	if best := suggest(value, choices); best != "" {
		v.fail(path, "%q must be %s: did you mean %s?", value, all, best)
		return
	}
	v.fail(path, "%q must be %s", value, all)
}
