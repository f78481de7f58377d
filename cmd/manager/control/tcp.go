package control

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"golang.org/x/net/netutil"
)

// TCP is how the API, or what else Serves names, is served over TCP: with TLS.
type TCP struct {
	Addr   string
	Serves string // for errors; empty: "the API"
	// Cert and Key are PEM files, read again when they change; ClientCA is one with the authorities of clients'
	// certificates, or empty.
	Cert, Key, ClientCA string
}

// TCPError says why something is not served over TCP.
type TCPError struct {
	Serves string // "the API"
	Addr   string
	What   string // "its certificate cannot be used"
	Err    error
}

func (e *TCPError) Error() string {
	return fmt.Sprintf("%s is not served on %s: %s: %v", e.Serves, e.Addr, e.What, e.Err)
}

// Unwrap returns the system's refusal.
func (e *TCPError) Unwrap() error { return e.Err }

const (
	// maxConns are open over TCP at a time, each with up to 100 streams of HTTP/2; one more waits until another is closed.
	maxConns = 512
	// idleConn closes a connection nobody uses.
	idleConn = 2 * time.Minute
)

// ListenTCP opens the address and reads the files. The error is a *TCPError.
func ListenTCP(c TCP) (net.Listener, error) {
	fail := func(what string, err error) error { return &TCPError{cmp.Or(c.Serves, "the API"), c.Addr, what, err} }
	certs := &reloading{cert: c.Cert, key: c.Key}
	if _, err := certs.get(nil); err != nil {
		return nil, fail("its certificate cannot be used", err)
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS13, GetCertificate: certs.get, NextProtos: []string{"h2", "http/1.1"}}
	if c.ClientCA != "" {
		pool, err := pool(c.ClientCA)
		if err != nil {
			return nil, fail("the authorities of clients cannot be used", err)
		}
		conf.ClientCAs, conf.ClientAuth = pool, tls.VerifyClientCertIfGiven
	}
	l, err := net.Listen("tcp", c.Addr)
	if err != nil {
		return nil, fail("it cannot be opened", err)
	}
	return tls.NewListener(netutil.LimitListener(l, maxConns), conf), nil
}

// ServeTCP begins to answer on a listener of ListenTCP. Shut the server down before the service. What is wrong with a
// connection is logged at the level debug: a scanner of ports is nobody's business.
func ServeTCP(l net.Listener, s Service, callers *Access, log *slog.Logger) *Server {
	var p http.Protocols
	p.SetHTTP1(true)
	p.SetHTTP2(true)
	server := &Server{
		http: &http.Server{
			Handler: callers.known(Handler(s)), Protocols: &p,
			ReadHeaderTimeout: 10 * time.Second, IdleTimeout: idleConn, MaxHeaderBytes: 64 << 10,
			ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		},
		done: make(chan error, 1),
	}
	go func() { server.done <- server.http.Serve(l) }()
	return server
}

// pool reads certificates of authorities.
func pool(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("there is no certificate in %s", file)
	}
	return pool, nil
}

// reloading is a certificate that is read again when its file has changed. While the new files cannot be used the old
// certificate stays.
type reloading struct {
	cert, key string

	mu      sync.Mutex
	current *tls.Certificate
	changed time.Time // of both files, the later, when it was read
}

func (r *reloading) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	changed, err := latest(r.cert, r.key)
	if err == nil && r.current != nil && changed.Equal(r.changed) {
		return r.current, nil
	}
	var pair tls.Certificate
	if err == nil {
		pair, err = tls.LoadX509KeyPair(r.cert, r.key)
	}
	switch {
	case err == nil:
		r.current, r.changed = &pair, changed
	case r.current == nil:
		return nil, err
	}
	return r.current, nil
}

// latest is when the last of some files was changed.
func latest(files ...string) (at time.Time, err error) {
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			return at, err
		}
		if info.ModTime().After(at) {
			at = info.ModTime()
		}
	}
	return at, nil
}
