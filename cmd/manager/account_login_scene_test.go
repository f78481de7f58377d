package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/mtproto/dctest/webauthn"
)

// scene is a cluster of test DCs, a configuration for it, and somebody with a
// two-step password.
type scene struct {
	t       *testing.T
	cluster *serve.Cluster
	dir     string
	phone   serve.Phone

	device *device // with the passkey
}

const scenePassword = " open sesame "

// sceneQR is how long a QR code lives: two seconds are between two of them.
const sceneQR = 4 * time.Second

func newScene(t *testing.T) *scene {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("needs a unix socket and SIGKILL")
	}
	cluster, err := serve.Start(serve.Config{Persons: 4, Bots: 1, API: api.Config{Passkeys: webauthn.Verifier{}, PNV: true, LoginsPerDay: -1, QRTTL: sceneQR}})
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
