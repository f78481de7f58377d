package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
)

// scene is a cluster of test DCs, a configuration for it, and somebody with a
// two-step password.
type scene struct {
	t       *testing.T
	cluster *serve.Cluster
	dir     string
	phone   serve.Phone
}

const scenePassword = " open sesame "

func newScene(t *testing.T) *scene {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("needs a unix socket and SIGKILL")
	}
	cluster, err := serve.Start(serve.Config{Persons: 2, Bots: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cluster.Close() })
	dir, err := os.MkdirTemp("", "kill") // a short path, for the socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &scene{t: t, cluster: cluster, dir: dir}
	s.phone = cluster.Descriptor().Phones[0]
	s.api(func(b *api.Backend, _ time.Time) error {
		return b.SetTwoStep(s.phone.UserID, api.TwoStep{Password: scenePassword, Hint: "the forty thieves"})
	})
	if err := os.WriteFile(s.config(), []byte(clusterConfig(cluster.Descriptor(), "")), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *scene) config() string { return filepath.Join(s.dir, "dc.yaml") }

func (s *scene) api(f func(b *api.Backend, now time.Time) error) {
	s.t.Helper()
	var failed error
	if err := s.cluster.API(func(b *api.Backend, now time.Time) { failed = f(b, now) }); err != nil || failed != nil {
		s.t.Fatal(err, failed)
	}
}

// process is the command, with lines in and out.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string
	said  strings.Builder
	gone  chan struct{}
}

func (s *scene) start(args ...string) *process {
	s.t.Helper()
	p := &process{t: s.t, cmd: exec.Command("manager", args...), lines: make(chan string, 64), gone: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), "MTFLEET_CONFIG="+s.config(), "HOME="+s.dir)
	p.cmd.Stderr = &p.said
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		s.t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		defer close(p.gone)
		defer close(p.lines)
		for text := bufio.NewScanner(out); text.Scan(); {
			p.lines <- text.Text()
		}
		_ = p.cmd.Wait()
	}()
	s.t.Cleanup(p.kill)
	return p
}

// kill is SIGKILL.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.gone
}

// step waits for the next line; false when the process has ended.
func (p *process) step() (control.Progress, bool) {
	p.t.Helper()
	var got control.Progress
	select {
	case line, ok := <-p.lines:
		if !ok {
			return got, false
		}
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			p.t.Fatalf("%v: %s", err, line)
		}
		return got, true
	case <-time.After(eventually):
		p.t.Fatalf("no line from %v: %s", p.cmd.Args, p.said.String())
		return got, false
	}
}

func (p *process) answer(a actors.Answer) {
	b, err := json.Marshal(a)
	if err != nil {
		p.t.Fatal(err)
	}
	_, _ = p.in.Write(append(b, '\n')) // it may be gone
}

// respond does what a person would at a step.
func (s *scene) respond(p *process, step actors.Step) {
	s.t.Helper()
	switch step.Kind {
	case actors.StepCode:
		p.answer(actors.Answer{Kind: actors.AnswerCode, Code: s.phone.Code})
	case actors.StepNewCode:
		p.answer(actors.Answer{Kind: actors.AnswerResend})
	case actors.StepPassword:
		if step.Hint != "the forty thieves" {
			s.t.Errorf("the hint is %q", step.Hint)
		}
		p.answer(actors.Answer{Kind: actors.AnswerPassword, Password: scenePassword})
	case actors.StepQR:
		_ = s.cluster.API(func(b *api.Backend, now time.Time) { _ = b.Scan(now, qrToken(s.t, step.URL), s.phone.UserID) })
	default:
		s.t.Fatalf("the step %+v", step.Kind)
	}
}

// TestASignInGoesOnAfterAKillAtEveryStep: whatever holds the sign-in, the command
// itself or a manager that runs, is killed when a step is shown for the first
// time, and when it was answered for the first time: at once, or when the answer
// may be at the DC, or back.
func TestASignInGoesOnAfterAKillAtEveryStep(t *testing.T) {
	for _, way := range []string{"phone", "qr"} {
		for _, holder := range []string{"command", "manager"} {
			for _, after := range []time.Duration{0, 40 * time.Millisecond} {
				t.Run(fmt.Sprintf("%s held by a %s, killed after %v", way, holder, after), func(t *testing.T) {
					s := newScene(t)
					w := &walk{scene: s, through: holder == "manager", after: after, kills: map[actors.StepKind]int{}}
					w.begin = []string{"--add", "--qr"}
					if way == "phone" {
						w.begin = []string{"--add", "--phone", "+" + s.phone.Number}
					}
					for !w.life() {
						if w.lives > 12 {
							t.Fatal("it never came to an end")
						}
					}
					if w.through = false; !w.life() {
						t.Error("it is not signed in after the last kill")
					}
					if w.lives < 5 {
						t.Errorf("it was killed %v times", w.kills)
					}
					w.verdict()
				})
			}
		}
	}
}

type walk struct {
	*scene
	through bool          // a manager that runs
	after   time.Duration // from an answer to the kill
	begin   []string
	id      string // of the sign-in
	lives   int
	kills   map[actors.StepKind]int // and then those it was let go on
	done    bool
}

// life goes on with the sign-in, and kills who holds it at the next event that
// nobody died of yet. It reports whether the account is signed in.
func (w *walk) life() bool {
	w.t.Helper()
	w.lives++
	var manager *process
	if w.through {
		manager = w.start("run")
		w.listens()
	}
	args := []string{"account", "login", "alice", "--json", "--stdin"}
	switch {
	case w.done: // it has no id any more
	case w.id == "":
		args = append(args, w.begin...)
	case w.lives%2 == 0: // by its id, every other time
		args = []string{"account", "login", "--resume", w.id, "--json", "--stdin"}
	}
	p := w.start(args...)
	held := p
	if manager != nil {
		held = manager
	}
	for {
		got, ok := p.step()
		switch {
		case !ok:
			w.t.Fatalf("life %d: it ended: %s", w.lives, p.said.String())
		case got.Step == nil:
			held.kill()
			w.done = got.Account.SignedIn
			return w.done
		case w.id != "" && got.Account.SignIn != w.id:
			w.t.Errorf("life %d: the sign-in was %s and is %s", w.lives, w.id, got.Account.SignIn)
		}
		w.id = got.Account.SignIn
		w.kills[got.Step.Kind]++
		n := w.kills[got.Step.Kind]
		if n > 1 {
			w.respond(p, *got.Step)
		}
		if n == 2 {
			time.Sleep(w.after)
		}
		if n <= 2 {
			held.kill()
			w.farewell(p)
			return false
		}
	}
}

// listens waits for the manager's socket.
func (w *walk) listens() {
	w.t.Helper()
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		service, err := control.Dial(w.t.Context(), filepath.Join(w.dir, "data", "control.sock"))
		if err == nil {
			_ = service.Close()
			return
		}
		if time.Since(begun) > eventually {
			w.t.Fatal(err)
		}
	}
}

// farewell is what a command says whose manager was killed.
func (w *walk) farewell(p *process) {
	w.t.Helper()
	if !w.through {
		return
	}
	_ = p.in.Close()
	select {
	case <-p.gone:
	case <-time.After(eventually):
		w.t.Fatal("the command does not notice that the manager is gone")
	}
	if code := p.cmd.ProcessState.ExitCode(); code != exitUnreachable && code != exitOK || code != exitOK && !strings.Contains(p.said.String(), "go on with `manager account login alice`") {
		w.t.Errorf("exit code %d: %s", code, p.said.String())
	}
}

// verdict asks the DCs: every key that they know as authorized is in the store.
func (w *walk) verdict() {
	w.t.Helper()
	a := &app{env: []string{"MTFLEET_CONFIG=" + w.config()}, err: io.Discard}
	cfg, err := a.load(false)
	if err != nil {
		w.t.Fatal(err)
	}
	store, err := a.openStore(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		w.t.Fatal(err)
	}
	keys, err := actorstest.StoreKeys(store)
	if err = errors.Join(err, store.Close()); err != nil {
		w.t.Fatal(err)
	}
	v := w.cluster.Ledger().Verdict(keys, nil, w.cluster.Descriptor().ServerTime)
	if len(v.Orphans) > 0 || len(v.Overlaps) > 0 {
		w.t.Errorf("%+v", v)
	}
}

// qrToken is what is in the link of a QR code.
func qrToken(t *testing.T, link string) []byte {
	t.Helper()
	text, ok := strings.CutPrefix(link, "tg://login?token=")
	token, err := base64.RawURLEncoding.DecodeString(text)
	if !ok || err != nil {
		t.Fatalf("the link is %q", link)
	}
	return token
}
