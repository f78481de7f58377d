package control

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
)

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

// Close implements net.Conn.
func (c *lastConn) Close() error {
	err := c.Conn.Close()
	c.l.refill()
	return err
}
