package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence/seal"
)

// masterKey seals the store of a run, which holds nothing but tests.
var masterKey = seal.MasterKey{42}

func socketIn(dir string) string { return filepath.Join(dir, "s") }
func configIn(dir string) string { return filepath.Join(dir, "manager.yaml") }
func storeIn(dir string) string  { return filepath.Join(dir, "data", "badger") }
func logIn(dir string) string    { return filepath.Join(dir, "manager.log") }

// build compiles the manager.
func build(ctx context.Context, dir string) (string, error) {
	binary := filepath.Join(dir, "manager")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "github.com/mtfleet/mtfleet/cmd/manager").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building the manager: %w: %s", err, out)
	}
	return binary, nil
}

// configure writes the manager's configuration: the test DCs, which are on loopback,
// and budgets so wide that they do not pace the load.
func configure(dir string, d serve.Descriptor, accounts int) error {
	var b strings.Builder
	fmt.Fprintf(&b, "api_id: %d\napi_hash: %q\nstore: {dir: data}\ncontrol: {socket: s}\nenvironment: custom\ndcs:\n", d.Apps[0].ID, d.Apps[0].Hash)
	for _, dc := range d.DCs {
		if dc.Media {
			continue // the manager asks for them
		}
		fmt.Fprintf(&b, "  - {id: %d, addr: %q}\n", dc.ID, net.JoinHostPort(dc.IP, strconv.Itoa(dc.Port)))
	}
	b.WriteString("rsa_keys:\n")
	for _, k := range d.PublicKeys {
		b.WriteString("  - |\n")
		for line := range strings.Lines(strings.TrimSpace(k.PEM)) {
			b.WriteString("    " + strings.TrimSpace(line) + "\n")
		}
	}
	wide := governor.Loopback()
	fmt.Fprintf(&b, "limits:\n  connects_per_second: %d\n  key_creations_per_second: %d\n  sign_ins_per_minute: %d\n  accounts: %d\n",
		wide.ConnectsPerSecond, wide.KeyCreationsPerSecond, wide.SignInsPerMinute, accounts+10)
	return os.WriteFile(configIn(dir), []byte(b.String()), 0o600)
}

// process is one life of the manager.
type process struct {
	n       int // from 1 on
	cmd     *exec.Cmd
	in      interface{ Close() error }
	begun   time.Time
	service *control.Remote // once ready is closed
	plain   *http.Client    // reads answers whole; see echo
	ready   chan struct{}   // closed when it answers
	gone    chan struct{}   // closed when it has ended
	ended   error           // of the process, once gone is closed
	killed  atomic.Bool     // by us
	media   atomic.Bool     // a call has gone by a connection for media: others open theirs now
}

// start starts a manager. It does not wait until it answers.
func start(binary, dir string, n int) (*process, error) {
	log, err := os.OpenFile(logIn(dir), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p := &process{n: n, ready: make(chan struct{}), gone: make(chan struct{}), begun: time.Now()}
	p.cmd = exec.Command(binary, "run", "--config", configIn(dir), "--loopback-only", "--until-stdin-closes")
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "MTFLEET_") { // the operator's own settings are not the test's
			p.cmd.Env = append(p.cmd.Env, kv)
		}
	}
	p.cmd.Env = append(p.cmd.Env, seal.KeyEnv+"="+hex.EncodeToString(masterKey[:]))
	p.cmd.Stderr = log
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.ended = p.cmd.Wait()
		close(p.gone)
	}()
	p.plain = &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socketIn(dir))
		},
		MaxIdleConnsPerHost: 64,
	}}
	go p.await(dir)
	return p, nil
}

// await waits until the manager answers, or has ended.
func (p *process) await(dir string) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { <-p.gone; cancel() }()
	for ; ctx.Err() == nil; _ = sleep(ctx, 5*time.Millisecond) {
		service, err := control.Dial(ctx, socketIn(dir))
		if err != nil {
			continue
		}
		if info, err := control.Info.Call(ctx, service, control.Empty{}); err == nil && info.PID == p.cmd.Process.Pid {
			p.service = service
			close(p.ready)
			return
		}
		_ = service.Close()
	}
}

// answers reports whether the manager has answered, in all its life.
func (p *process) answers() bool {
	select {
	case <-p.ready:
		return true
	default:
		return false
	}
}

func (p *process) isGone() bool {
	select {
	case <-p.gone:
		return true
	default:
		return false
	}
}

// close lets go of a manager that has ended.
func (p *process) close() {
	<-p.gone
	p.plain.CloseIdleConnections()
	if p.answers() {
		_ = p.service.Close()
	}
}

// stop ends it in good order.
func (p *process) stop() error {
	_ = p.in.Close()
	select {
	case <-p.gone:
	case <-time.After(time.Minute):
		_ = p.cmd.Process.Kill()
		<-p.gone
		return errors.New("the manager does not stop within a minute")
	}
	p.close()
	return p.ended
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
