package control

import (
	"errors"
	"net"
	"path/filepath"
	"syscall"
	"testing"
)

// crammed is a listener of a process that has no file descriptor but the one
// that the control socket keeps.
type crammed struct {
	net.Listener
	l *listener
}

func (c *crammed) Accept() (net.Conn, error) {
	c.l.mu.Lock()
	full := c.l.spare != nil
	c.l.mu.Unlock()
	if full {
		return nil, &net.OpError{Op: "accept", Net: "unix", Err: syscall.EMFILE}
	}
	return c.Listener.Accept()
}

// TestCommandsAreAnsweredWithoutFileDescriptors: one after the other.
func TestCommandsAreAnsweredWithoutFileDescriptors(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	l, err := Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	keeps := l.(*listener)
	keeps.Listener = &crammed{keeps.Listener, keeps}
	for range 3 {
		client, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		served, err := l.Accept()
		if err != nil {
			t.Fatalf("a command is not answered: %v", err)
		}
		_ = client.Close()
		_ = served.Close()
	}
	// Another one beside it has to wait.
	if !keeps.spend() {
		t.Fatal("no descriptor is kept when all connections have ended")
	}
	keeps.Listener = failing{}
	if _, err := l.Accept(); !errors.Is(err, syscall.EMFILE) {
		t.Errorf("without any descriptor: %v", err)
	}
}

type failing struct{ net.Listener }

func (failing) Accept() (net.Conn, error) { return nil, syscall.EMFILE }
func (failing) Close() error              { return nil }
