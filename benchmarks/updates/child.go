package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/actorstest"
	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence/badgerstore"
	"github.com/mtfleet/mtfleet/persistence/seal"
)

// childEnv is the directory of the manager's process.
const childEnv = "MTFLEET_UPDATES_DIR"

func socketIn(dir string) string     { return filepath.Join(dir, "s") }
func descriptorIn(dir string) string { return filepath.Join(dir, "dc.json") }

// child is the manager: on a store on disk, behind its control socket, until it is
// killed or its standard input closes.
func child(dir string) int {
	if err := serveManager(dir); err != nil {
		fmt.Fprintln(os.Stderr, "updates: the manager:", err)
		return 1
	}
	return 0
}

func serveManager(dir string) (err error) {
	text, err := os.ReadFile(descriptorIn(dir))
	if err != nil {
		return err
	}
	var d serve.Descriptor
	if err := json.Unmarshal(text, &d); err != nil {
		return err
	}
	socket, err := control.Listen(socketIn(dir))
	if err != nil {
		return err
	}
	defer socket.Close()
	store, err := badgerstore.Open(badgerstore.Options{Dir: filepath.Join(dir, "badger"), Key: seal.MasterKey{42}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	o, budget := actorstest.OptionsFor(d, store), governor.Loopback()
	o.Limits = budget.Limits(runtime.NumCPU())
	o.Wire.RequireLoopback = true
	o.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	m, err := actors.Open(o)
	if err != nil {
		return err
	}
	server := control.Serve(socket, &control.Local{Manager: m, About: control.About{Running: true, PID: os.Getpid()}, Budget: budget})
	_, _ = io.Copy(io.Discard, os.Stdin)
	grace, cancel := actors.CloseGrace()
	defer cancel()
	err = m.Close(grace)
	return errors.Join(err, server.Shutdown(grace))
}

// process is a manager's process as its parent sees it.
type process struct {
	cmd     *exec.Cmd
	in      io.Closer
	service *control.Remote
}

// start starts a manager and waits until it answers.
func start(ctx context.Context, dir string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, in: in}
	for begun := time.Now(); time.Since(begun) < time.Minute && ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
		service, err := control.Dial(ctx, socketIn(dir))
		if err != nil {
			continue
		}
		if info, err := control.Info.Call(ctx, service, control.Empty{}); err == nil && info.PID == cmd.Process.Pid {
			p.service = service
			return p, nil
		}
		_ = service.Close()
	}
	p.kill()
	return nil, errors.New("the manager does not answer in a minute")
}

// kill ends the process at once, as SIGKILL does.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	if p.service != nil {
		_ = p.service.Close()
	}
}

// stop ends it in good order.
func (p *process) stop() error {
	_ = p.in.Close()
	err := p.cmd.Wait()
	_ = p.service.Close()
	return err
}

// signIn makes an account for a bot and signs it in.
func (p *process) signIn(ctx context.Context, id string, b serve.Bot) error {
	if _, err := control.Add.Call(ctx, p.service, control.AddRequest{ID: id}); err != nil {
		return err
	}
	got, err := control.SignIn.Call(ctx, p.service, control.SignInRequest{ID: id, BotToken: b.Token})
	if err == nil && got.Step != nil {
		err = fmt.Errorf("account %s is asked for %v", id, got.Step.Kind)
	}
	return err
}
