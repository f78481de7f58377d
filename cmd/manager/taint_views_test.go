//go:build linux

package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/badgerstore"
	"github.com/mtfleet/mtfleet/persistence/seal"
)

// said is what was told anywhere, by where.
type said struct {
	mu   sync.Mutex // guards what follows
	text map[string]*strings.Builder
}

func (s *said) add(where string, text []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.text[where] == nil {
		s.text[where] = &strings.Builder{}
	}
	s.text[where].Write(text)
}

func (s *said) has(where, text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.text[where]
	return b != nil && strings.Contains(b.String(), text)
}

// lacks wants that none of the secrets is anywhere; but pages may have what lets their
// reader in.
func (s *said) lacks(t *testing.T, secrets map[string]string, pages bool) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, value := range secrets {
		if len(value) < 5 {
			t.Errorf("%s is too short to be looked for: %q", name, value)
		}
		for _, f := range formsOf(name, value) {
			for where, text := range s.text {
				if (pages || !strings.HasPrefix(where, "page ")) && f.in([]byte(text.String())) {
					t.Errorf("%s is in the %s, as %s", name, where, f.how)
				}
			}
		}
	}
}

// visitor is a browser at the dashboard, as far as the server sees.
type visitor struct {
	t      *testing.T
	base   string
	client *http.Client
	said   *said
	csrf   string
}

func (v *visitor) do(r *http.Request) string {
	v.t.Helper()
	r.Header.Set("Origin", strings.TrimSuffix(v.base, "/"))
	resp, err := v.client.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	v.said.add("page "+r.Method+" "+r.URL.Path, body)
	for name, values := range resp.Header {
		v.said.add("page "+r.URL.Path, []byte(name+": "+strings.Join(values, ", ")+"\n"))
	}
	v.said.add("page "+r.URL.Path, []byte(resp.Request.URL.String()+"\n"))
	return string(body)
}

func (v *visitor) get(path string) string {
	v.t.Helper()
	r, err := http.NewRequest(http.MethodGet, v.base+path, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	return v.do(r)
}

func (v *visitor) post(path string, fields ...string) string {
	v.t.Helper()
	form := url.Values{"csrf": {v.csrf}}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	r, err := http.NewRequest(http.MethodPost, v.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return v.do(r)
}

// follows reads a stream until ctx ends.
func (v *visitor) follows(ctx context.Context, path string) (done chan struct{}) {
	done = make(chan struct{})
	go func() {
		defer close(done)
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, v.base+path, nil)
		if err != nil {
			v.t.Error(err)
			return
		}
		resp, err := v.client.Do(r)
		if err != nil {
			if ctx.Err() == nil {
				v.t.Error(err)
			}
			return
		}
		defer resp.Body.Close()
		buf := make([]byte, 1<<16)
		for {
			n, err := resp.Body.Read(buf)
			v.said.add("page "+path, buf[:n])
			if err != nil {
				return
			}
		}
	}()
	return done
}

// answers answers the step that an account's sign-in is at.
func (v *visitor) answers(id, kind, field, value string) string {
	v.t.Helper()
	page := v.get("accounts/" + id + "/sign-in")
	step := regexp.MustCompile(`name="step" value="([^"]+)"`).FindStringSubmatch(page)
	if step == nil {
		v.t.Fatalf("the sign-in of %s waits for nothing: %s", id, page)
	}
	return v.post("accounts/"+id+"/sign-in", "step", step[1], "kind", kind, field, value)
}

// tells runs a command, and keeps what it says.
func (s *scene) tells(kept *said, where string, args ...string) string {
	s.t.Helper()
	c := exec.Command("manager", args...)
	c.Env = append(os.Environ(), "MTFLEET_CONFIG="+s.config(), "HOME="+s.dir)
	var out, err strings.Builder
	c.Stdout, c.Stderr = &out, &err
	if failed := c.Run(); failed != nil {
		s.t.Fatalf("%v: %v: %s", args, failed, err.String())
	}
	kept.add(where, []byte(out.String()+err.String()))
	return out.String()
}

// keepFiles keeps all files below a directory.
func (s *said) keepFiles(t *testing.T, where, dir string) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		s.add(where+" "+d.Name(), text)
		n++
		return err
	})
	if err != nil || n == 0 {
		t.Fatalf("%s: %d files, %v", dir, n, err)
	}
}

// authKeys are all perm and temp keys of a store.
func authKeys(t *testing.T, dir, keyFile string, secrets map[string]string) {
	t.Helper()
	key, source, err := badgerstore.LoadMasterKey(seal.KeyOptions{File: keyFile})
	if err != nil {
		t.Fatal(err)
	}
	store, err := badgerstore.Open(badgerstore.Options{Dir: filepath.Join(dir, "badger"), Key: key, KeySource: source})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	ids, err := store.Accounts()
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		records, err := store.Load(id)
		if err != nil {
			t.Fatal(err)
		}
		state, err := persistence.DecodeState(records)
		if err != nil {
			t.Fatal(err)
		}
		for i, k := range state.PermKeys { // of 256 bytes 32 are as good, wherever they are cut
			secrets[fmt.Sprintf("perm key %d of %s", i, id)] = string(k.Key[:32])
		}
		for i, k := range state.TempKeys {
			secrets[fmt.Sprintf("temp key %d of %s", i, id)] = string(k.Key[:32])
		}
	}
}

// No secret that the manager was given or has made is in a page or a stream of the dashboard, whatever was typed into its
// forms, on the screen of top, in a backup or the store made of it, in a log at its most talkative, or in the stacks of
// its end.
func TestNoViewShowsASecret(t *testing.T) {
	s := newScene(t)
	kept := &said{text: map[string]*strings.Builder{}}
	phones, bot := s.cluster.Descriptor().Phones, s.cluster.Descriptor().Bots[0]
	const password, wrongPassword = `pl"ugh <7361> & é/+`, "not-the-pass?word&42"
	const wrongCode, topCode = "never-was-a-code", "98765"
	s.api(func(b *api.Backend, _ time.Time) error {
		if err := b.SetCodes(phones[0].Number, api.CodePhrase); err != nil {
			return err
		}
		return b.SetTwoStep(phones[0].UserID, api.TwoStep{Password: password, Hint: "none"})
	})
	s.tells(kept, "output of account add", "account", "add", "carol")
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = free.Close()
	run := s.start("--set", "log.level=debug", "run", "--dashboard", free.Addr().String())
	s.answers()
	w := s.watch()
	w.reads("1 account:")

	// Whoever has a link comes in, and signs accounts in.
	link := strings.TrimSpace(s.tells(&said{text: map[string]*strings.Builder{}}, "link", "dashboard"))
	base, linkToken, ok := strings.Cut(link, "enter/")
	jar, err := cookiejar.New(nil)
	if err != nil || !ok {
		t.Fatal(link, err)
	}
	v := &visitor{t: t, base: base, client: &http.Client{Jar: jar}, said: kept}
	resp, err := v.client.Get(link)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	page := v.get("")
	csrf := regexp.MustCompile(`name="csrf" content="([^"]+)"`).FindStringSubmatch(page)
	if csrf == nil {
		t.Fatalf("nobody came in: %s", page)
	}
	v.csrf = csrf[1]
	at, err := url.Parse(base)
	if err != nil || len(jar.Cookies(at)) != 1 {
		t.Fatal(err, jar.Cookies(at))
	}

	ctx, cancel := context.WithCancel(t.Context())
	var streams []chan struct{}
	watched := []string{"live/fleet", "live/events", "live/dcs", "live/store"}
	for _, path := range watched {
		streams = append(streams, v.follows(ctx, path))
	}
	v.post("sign-in", "account", "alice", "flow", "phone", "phone", "+"+phones[0].Number)
	own := []string{"live/accounts/alice/sign-in", "live/accounts/alice"}
	for _, path := range own {
		streams = append(streams, v.follows(ctx, path))
	}
	v.answers("alice", "code", "code", wrongCode)
	var code string
	s.api(func(b *api.Backend, _ time.Time) error { code = b.Code(phones[0].Number); return nil })
	v.answers("alice", "code", "code", code)
	v.answers("alice", "password", "password", wrongPassword)
	v.answers("alice", "password", "password", password)
	wrongToken := bot.Token[:len(bot.Token)-6] + "WRONG0"
	v.post("sign-in", "account", "robot", "flow", "bot", "bot_token", wrongToken)
	v.post("sign-in", "account", "robot", "flow", "bot", "bot_token", bot.Token)
	v.post("sign-in", "account", "WRONG NAME", "flow", "bot", "bot_token", bot.Token)
	v.post("sign-in", "account", "dave", "flow", "phone", "phone", wrongPassword) // as somebody who is in the wrong field
	for _, path := range []string{
		"", "sign-in", "dcs", "store", "audit", "events", "accounts/alice", "accounts/alice/timeline.svg", "accounts/robot", "accounts/dave/sign-in", "accounts/nobody", "nowhere",
	} {
		v.get(path)
	}
	v.post("accounts/alice/sessions", "action", "terminate", "session", "1")
	v.post("accounts/alice/act", "action", "label", "label", "env=prod")

	// At top somebody signs in, with a mistake before, and looks around.
	w.press("/carol\r")
	w.reads("> carol")
	w.press("l\r")
	w.reads("Phone number with its country code")
	w.press("+" + phones[1].Number + "\r")
	w.reads("Code: _")
	w.press(topCode + "\r")
	w.reads("wrong")
	w.press(phones[1].Code + "\r")
	w.reads("Account carol is signed in: user")
	w.press("/\x15alice\r\r")
	w.reads("account alice", "timeline, the newest last")
	w.press("\x1be")
	w.press("q")
	for chunk := range w.chunks {
		w.take(chunk)
	}
	kept.add("screen of top", []byte(w.raw.String()))

	// Everything that a stream shows has come when alice and carol are online on the fleet's.
	for begun := time.Now(); !kept.has("page live/fleet", "carol") || !kept.has("page live/events", "alice"); time.Sleep(20 * time.Millisecond) {
		if time.Since(begun) > eventually {
			t.Fatal("the streams never told of alice and carol")
		}
	}
	cancel()
	for _, done := range streams {
		<-done
	}
	for _, path := range append(watched, own...) {
		if !kept.has("page "+path, "event: ") {
			t.Errorf("the stream %s told nothing", path)
		}
	}

	// A backup, and what is made of it; and the end, which says where everything was.
	identity := filepath.Join(s.dir, "backup.key")
	if out, err := exec.Command("age-keygen", "-o", identity).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	text, err := os.ReadFile(identity)
	if err != nil {
		t.Fatal(err)
	}
	recipient := regexp.MustCompile(`age1[a-z0-9]+`).FindString(string(text))
	file := filepath.Join(s.dir, "fleet.age")
	s.tells(kept, "output of store backup", "store", "backup", file, "--recipient", recipient)
	s.tells(kept, "output of account timeline", "account", "timeline", "alice", "--svg", filepath.Join(s.dir, "alice.svg"))
	s.tells(kept, "output of audit tail", "audit", "tail", "-n", "1000", "--json")
	s.tells(kept, "output of events", "events", "--json")
	s.tells(kept, "output of status", "status", "--json")
	restored, next := filepath.Join(s.dir, "restored"), filepath.Join(s.dir, "next.key")
	s.tells(kept, "output of store restore", "--set", "store.key_file="+next, "store", "restore", file, "--identity", identity, "--dir", restored)
	if err := run.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	<-run.gone
	kept.add("log of run", []byte(run.said.String()))
	for _, marker := range []string{"level=DEBUG", "SIGQUIT"} {
		if !kept.has("log of run", marker) {
			t.Errorf("the log of run has no %q", marker)
		}
	}
	for _, name := range []string{file, filepath.Join(s.dir, "alice.svg")} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		kept.add("file "+filepath.Base(name), text)
	}
	kept.keepFiles(t, "store's file", filepath.Join(s.dir, "data"))
	kept.keepFiles(t, "restored store's file", restored)

	master := func(name string) string { // as 32 bytes, whose digits are in its file
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		key, err := hex.DecodeString(strings.TrimSpace(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		return string(key)
	}
	secrets := map[string]string{
		"the password": password, "a wrong password": wrongPassword, "the code": code, "a wrong code": wrongCode, "the code of top": phones[1].Code,
		"a wrong code of top": topCode, "the bot's token": bot.Token, "a wrong token": wrongToken, "the api_hash": s.cluster.Descriptor().Apps[0].Hash,
		"the master key": master(filepath.Join(s.dir, "store.key")), "the next master key": master(next),
		"the identity of backups": regexp.MustCompile(`AGE-SECRET-KEY-1[A-Z0-9]+`).FindString(string(text)),
	}
	authKeys(t, filepath.Join(s.dir, "data"), filepath.Join(s.dir, "store.key"), secrets)
	if len(secrets) < 12+6 {
		t.Errorf("three accounts have a perm key and a temp key each, and all secrets are %d", len(secrets))
	}
	kept.lacks(t, secrets, true)
	kept.lacks(t, map[string]string{"the link": linkToken, "the cookie": jar.Cookies(at)[0].Value, "the token of forms": v.csrf}, false)

	// The search itself finds what is there.
	f := formsOf("the password", password)
	for _, text := range []string{"?p=pl%22ugh+%3C7361%3E+%26+%C3%A9%2F%2B", `{"p":"pl\"ugh <7361> & é/+"}`, `{"p":"pl\"ugh \u003c7361\u003e \u0026 é/+"}`, "<b>pl&#34;ugh &lt;7361&gt; &amp; é/+</b>"} {
		found := false
		for i := range f {
			found = found || f[i].in([]byte(text))
		}
		if !found {
			t.Errorf("the password is not found in %s", text)
		}
	}
}
