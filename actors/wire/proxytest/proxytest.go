// Package proxytest has small proxies to test with: SOCKS5 and HTTP CONNECT, with
// user and password, on a loopback address. The MTProxy is the test DC's own, see
// mtproto/dctest/serve.
package proxytest

import (
	"bufio"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/textproto"
	"strings"
	"sync"
	"time"
)

// A Server is one proxy. Its methods may be called from any goroutine.
type Server struct {
	user, password string
	scheme         string
	speak          func(*Server, net.Conn) (target string, err error)
	wg             sync.WaitGroup

	mu       sync.Mutex // guards what follows
	listener net.Listener
	addr     string
	open     map[net.Conn]struct{}
	asked    []string
	refused  int
}

// SOCKS5 starts one that wants a user and a password, or lets anybody in when
// both are empty.
func SOCKS5(user, password string) (*Server, error) {
	return start("socks5", user, password, (*Server).socks)
}

// Connect starts an HTTP proxy that speaks CONNECT alone.
func Connect(user, password string) (*Server, error) {
	return start("http", user, password, (*Server).connect)
}

func start(scheme, user, password string, speak func(*Server, net.Conn) (string, error)) (*Server, error) {
	s := &Server{user: user, password: password, scheme: scheme, speak: speak, addr: "127.0.0.1:0", open: map[net.Conn]struct{}{}}
	return s, s.Start()
}

// Start opens it, again on the same address after Stop.
func (s *Server) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, err := net.Listen("tcp", s.addr)
	if err != nil {
		return err
	}
	s.listener, s.addr = l, l.Addr().String()
	s.wg.Go(func() { s.accept(l) })
	return nil
}

// Stop closes its door and every connection through it, and waits for them.
func (s *Server) Stop() {
	s.mu.Lock()
	_ = s.listener.Close()
	for c := range s.open {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

// Addr is where it listens, URL the same with the credentials it wants.
func (s *Server) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addr
}

// URL is how a client writes it.
func (s *Server) URL() string {
	if s.user == "" {
		return s.scheme + "://" + s.Addr()
	}
	return s.scheme + "://" + s.user + ":" + s.password + "@" + s.Addr()
}

// Asked lists the addresses that clients wanted to reach, Refused how many came
// with other credentials.
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.asked...)
}

// Refused is how many clients came with other credentials.
func (s *Server) Refused() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.refused
}

func (s *Server) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		s.wg.Go(func() { s.serve(c) })
	}
}

// keep notes a connection that Stop closes.
func (s *Server) keep(c net.Conn) func() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[c] = struct{}{}
	return func() {
		_ = c.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.open, c)
	}
}

var errRefused = errors.New("other credentials")

func (s *Server) serve(c net.Conn) {
	defer s.keep(c)()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	target, err := s.speak(s, c)
	if err != nil {
		if errors.Is(err, errRefused) {
			s.mu.Lock()
			s.refused++
			s.mu.Unlock()
		}
		return
	}
	s.mu.Lock()
	s.asked = append(s.asked, target)
	s.mu.Unlock()
	to, err := net.DialTimeout("tcp", target, 5*time.Second)
	if s.answer(c, err == nil) != nil || err != nil {
		return
	}
	defer s.keep(to)()
	_ = c.SetDeadline(time.Time{})
	s.wg.Go(func() {
		_, _ = io.Copy(to, c)
		_ = to.Close()
	})
	_, _ = io.Copy(c, to)
}

// answer says whether the target was reached.
func (s *Server) answer(c net.Conn, reached bool) error {
	var reply string
	switch {
	case s.scheme == "socks5" && reached:
		reply = "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"
	case s.scheme == "socks5":
		reply = "\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00"
	case reached:
		reply = "HTTP/1.1 200 Connection established\r\nVia: a test\r\n\r\n"
	default:
		reply = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"
	}
	_, err := io.WriteString(c, reply)
	return err
}

// socks reads what RFC 1928 and RFC 1929 have a client say.
func (s *Server) socks(c net.Conn) (string, error) {
	var b [257]byte
	read := func(n int) []byte {
		if _, err := io.ReadFull(c, b[:n]); err != nil {
			return make([]byte, n)
		}
		return b[:n]
	}
	head := read(2)
	if head[0] != 5 {
		return "", fmt.Errorf("version %d", head[0])
	}
	method := byte(0)
	if s.user != "" {
		method = 2
	}
	if !strings.ContainsRune(string(read(int(head[1]))), rune(method)) {
		_, _ = c.Write([]byte{5, 0xff})
		return "", errRefused
	}
	_, _ = c.Write([]byte{5, method})
	if method == 2 {
		user := string(read(int(read(2)[1])))
		password := string(read(int(read(1)[0])))
		if user != s.user || password != s.password {
			_, _ = c.Write([]byte{1, 1})
			return "", errRefused
		}
		_, _ = c.Write([]byte{1, 0})
	}
	var host string
	switch request := read(4); request[3] {
	case 1:
		host = netip.AddrFrom4([4]byte(read(4))).String()
	case 3:
		host = string(read(int(read(1)[0])))
	case 4:
		host = netip.AddrFrom16([16]byte(read(16))).String()
	default:
		return "", fmt.Errorf("address type %d", request[3])
	}
	return net.JoinHostPort(host, fmt.Sprint(binary.BigEndian.Uint16(read(2)))), nil
}

// connect reads what a client of an HTTP proxy says.
func (s *Server) connect(c net.Conn) (string, error) {
	r := textproto.NewReader(bufio.NewReaderSize(c, 4096)) // a client says no more before it is answered
	line, err := r.ReadLine()
	if err != nil {
		return "", err
	}
	head, err := r.ReadMIMEHeader()
	if err != nil {
		return "", err
	}
	parts := strings.Fields(line)
	if len(parts) != 3 || parts[0] != "CONNECT" {
		return "", fmt.Errorf("%q", line)
	}
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte(s.user+":"+s.password))
	if s.user != "" && head.Get("Proxy-Authorization") != want {
		_, _ = io.WriteString(c, "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n")
		return "", errRefused
	}
	return parts[1], nil
}
