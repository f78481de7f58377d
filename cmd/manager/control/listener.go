package control

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// SocketError says that the control socket cannot be opened.
type SocketError struct {
	Path   string
	Reason string
	Err    error // the system's refusal, where that is the reason
}

// Unwrap returns the system's refusal.
func (e *SocketError) Unwrap() error { return e.Err }

func (e *SocketError) Error() string {
	return fmt.Sprintf("the control socket %s %s", e.Path, e.Reason)
}

// Listen opens the unix socket with mode 0600. Call it when the store is ours: a
// socket nobody listens on is then left over from a manager that was killed, and
// is replaced. The listener's file is removed by Close. The error is a
// *SocketError.
func Listen(path string) (net.Listener, error) {
	fail := func(reason string) error { return &SocketError{Path: path, Reason: reason} }
	refused := func(what string, err error) error { return &SocketError{path, what + err.Error(), err} }
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, refused("cannot be looked at: ", err)
	case info.Mode().Type() != fs.ModeSocket:
		return nil, fail("is in the way: there is another file of that name; move it, or set control.socket")
	default:
		if nc, err := net.DialTimeout("unix", path, time.Second); err == nil {
			_ = nc.Close()
			return nil, fail("is in use by a manager of another store: set control.socket to another path")
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, refused("cannot be made: ", err)
	}
	// Made in a directory only we can enter and then moved, so that there is no
	// instant at which another user could connect.
	private, err := os.MkdirTemp(filepath.Dir(path), ".s")
	if err != nil {
		return nil, refused("cannot be made: ", err)
	}
	defer os.RemoveAll(private)
	made := filepath.Join(private, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: made, Net: "unix"})
	if err != nil {
		return nil, refused("cannot be opened: ", err)
	}
	l.SetUnlinkOnClose(false)
	if err := errors.Join(os.Chmod(made, 0o600), os.Rename(made, path)); err != nil {
		_ = l.Close()
		return nil, refused("cannot be made: ", err)
	}
	return newListener(l, path), nil
}

// listener is the control socket. It removes its file when it is closed; once,
// for the next manager may have put its own there by then.
//
// It keeps a file descriptor for the case that there are none: whoever asks what
// is wrong is answered then too, one after the other.
type listener struct {
	net.Listener
	path  string
	close sync.Once

	mu    sync.Mutex // guards spare
	spare io.Closer  // nil while a connection has its place
}

func newListener(l net.Listener, path string) *listener {
	keeps := &listener{Listener: l, path: path}
	keeps.refill()
	return keeps
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if !errors.Is(err, syscall.EMFILE) && !errors.Is(err, syscall.ENFILE) || !l.spend() {
		return c, err // net/http tries again in a while
	}
	if c, err = l.Listener.Accept(); err != nil {
		l.refill()
		return nil, err
	}
	return &lastConn{Conn: c, l: l}, nil
}

// spend frees the descriptor that is kept; it reports whether there was one.
func (l *listener) spend() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.spare == nil {
		return false
	}
	_ = l.spare.Close()
	l.spare = nil
	return true
}

// refill takes a descriptor again, unless somebody was faster: then there is
// none until the next connection ends.
func (l *listener) refill() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.spare != nil {
		return
	}
	if f, err := os.Open(os.DevNull); err == nil {
		l.spare = f
	}
}

// Close implements net.Listener.
func (l *listener) Close() (err error) {
	l.close.Do(func() {
		_ = os.Remove(l.path)
		err = l.Listener.Close()
		l.spend()
	})
	return err
}

// lastConn is a connection in the place of the descriptor that is kept.
type lastConn struct {
	net.Conn
	l *listener
}

// SyscallConn is the connection's own, for who asks whose it is.
func (c *lastConn) SyscallConn() (syscall.RawConn, error) {
	if sc, ok := c.Conn.(syscall.Conn); ok {
		return sc.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// Close implements net.Conn.
func (c *lastConn) Close() error {
	err := c.Conn.Close()
	c.l.refill()
	return err
}
