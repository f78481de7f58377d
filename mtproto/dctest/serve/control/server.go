package control

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
)

// An AddrError says why an address cannot be listened on.
type AddrError struct {
	Addr   string
	Reason string
	Err    error // the system's refusal, where that is the reason
}

// Error implements error.
func (e *AddrError) Error() string { return fmt.Sprintf("control: address %q: %s", e.Addr, e.Reason) }

// Unwrap returns the system's refusal.
func (e *AddrError) Unwrap() error { return e.Err }

// Listen listens on "HOST:PORT", a loopback address; port 0 takes a free one. The error is an *AddrError.
func Listen(addr string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, &AddrError{Addr: addr, Reason: "not HOST:PORT, for example 127.0.0.1:8090"}
	}
	if ip, err := netip.ParseAddr(host); err != nil || !ip.IsLoopback() {
		return nil, &AddrError{Addr: addr, Reason: "not a loopback address such as 127.0.0.1 or [::1]: who reaches it controls the cluster, so it is never open to a network"}
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, &AddrError{addr, err.Error(), err}
	}
	return l, nil
}

// Server answers on listeners until Close.
type Server struct {
	http *http.Server
	quit chan struct{} // ends those who wait for codes
	wg   sync.WaitGroup
	once sync.Once
}

// Serve begins to answer for a cluster on listeners, which are the server's from then on. Close it before the cluster.
func Serve(cluster *serve.Cluster, listeners ...net.Listener) *Server {
	h := newHandler(cluster)
	s := &Server{quit: h.quit, http: &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 16 << 10,
	}}
	for _, l := range listeners {
		s.wg.Go(func() { _ = s.http.Serve(l) })
	}
	return s
}

// Close stops listening, closes every connection and returns when all goroutines of the server are gone. It may be called
// more than once.
func (s *Server) Close() {
	s.once.Do(func() {
		close(s.quit)
		_ = s.http.Close()
	})
	s.wg.Wait()
}
