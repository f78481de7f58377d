package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
)

// child is the manager under demonstration: this program once more, as a process
// of its own, that is killed and started again.
type child struct {
	*app
	exe    string // of this program
	dir    string
	socket string
	board  string     // where it serves its dashboard; empty for nowhere
	events *collector // nil: nobody follows them

	cmd   *exec.Cmd
	stdin io.Closer // the child stops when it closes, so it never outlives us
	gone  chan struct{}
	exit  error // of the process, after gone
	drain chan struct{}

	mu      sync.Mutex // guards the following fields
	service *control.Remote
	up      chan struct{} // closed while the service can be used
}

// start starts the process and waits until it answers.
func (c *child) start(ctx context.Context) error {
	log, err := os.OpenFile(filepath.Join(c.dir, "manager.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(c.exe, "run", "--config", filepath.Join(c.dir, "manager.yaml"), "--loopback-only", "--until-stdin-closes")
	if c.board != "" {
		cmd.Args = append(cmd.Args, "--dashboard", c.board)
	}
	cmd.Stdout, cmd.Stderr = log, log
	for _, kv := range c.env {
		if !strings.HasPrefix(kv, "MTFLEET_") { // the operator's own settings are not the demonstration's
			cmd.Env = append(cmd.Env, kv)
		}
	}
	if c.stdin, err = cmd.StdinPipe(); err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("demo: starting the manager: %w", err)
	}
	c.cmd, c.gone, c.drain = cmd, make(chan struct{}), make(chan struct{})
	go func(gone chan struct{}) {
		c.exit = cmd.Wait()
		close(gone)
	}(c.gone)
	return c.connect(ctx)
}

// connect waits until the control socket answers and follows the events from the
// first one on.
func (c *child) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		service, err := control.Dial(ctx, c.socket)
		if err == nil {
			var info control.About
			if info, err = control.Info.Call(ctx, service, control.Empty{}); err == nil && info.PID == c.cmd.Process.Pid {
				return c.connected(service)
			}
		}
		select {
		case <-c.gone:
			return fmt.Errorf("demo: the manager ended (%v)%s", c.exit, c.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("demo: the manager does not answer on %s: %w", c.socket, err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (c *child) connected(service *control.Remote) error {
	if err := c.follow(service); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.service = service
	if c.up == nil {
		c.up = make(chan struct{})
	}
	close(c.up)
	return nil
}

// follow collects the manager's events until it is gone.
func (c *child) follow(service *control.Remote) error {
	if c.events == nil {
		close(c.drain)
		return nil
	}
	events, err := control.Events.Call(context.Background(), service, control.EventsRequest{})
	if err != nil {
		return fmt.Errorf("demo: following the manager's events: %w", err)
	}
	go func(drained chan struct{}) {
		defer close(drained)
		// What a killed manager had written into the socket is still read; the
		// error of the torn line after it is expected.
		for ev, err := range events {
			if err != nil {
				return
			}
			c.events.add(ev)
		}
	}(c.drain)
	return nil
}

// use returns the service, and waits for one while the manager is away.
func (c *child) use(ctx context.Context) (*control.Remote, error) {
	for {
		c.mu.Lock()
		service, up := c.service, c.up
		if up == nil {
			up = make(chan struct{})
			c.up = up
		}
		c.mu.Unlock()
		if service != nil {
			return service, nil
		}
		select {
		case <-up:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// away forgets the service until the next start.
func (c *child) away() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.service != nil {
		_ = c.service.Close()
		c.service, c.up = nil, nil
	}
}

// kill ends the process with SIGKILL and returns when it is gone and its last
// events are read.
func (c *child) kill() {
	if c.cmd == nil {
		return
	}
	c.away()
	_ = c.cmd.Process.Kill()
	<-c.gone
	c.settle()
}

// stop ends the process as an operator would, and waits for a clean end.
func (c *child) stop() error {
	c.away()
	if err := c.cmd.Process.Signal(os.Interrupt); err != nil {
		return fmt.Errorf("demo: stopping the manager: %w", err)
	}
	select {
	case <-c.gone:
	case <-time.After(stopTimeout):
		return errors.New("demo: the manager did not stop when it was asked to")
	}
	c.settle()
	if c.exit != nil {
		return fmt.Errorf("demo: the manager did not stop cleanly (%w)%s", c.exit, c.lastWords())
	}
	return nil
}

func (c *child) settle() {
	_ = c.stdin.Close()
	select {
	case <-c.drain:
	case <-time.After(time.Second): // it never connected
	}
	c.cmd = nil
}

// lastWords is the end of the child's log.
func (c *child) lastWords() string {
	b, err := os.ReadFile(filepath.Join(c.dir, "manager.log"))
	if err != nil || len(b) == 0 {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return ": " + lines[len(lines)-1]
}
