//go:build unix

package pgstore

import (
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"testing"

	"github.com/mtfleet/mtfleet/persistence"
)

// proxy stands between a store and its server.
type proxy struct {
	t      *testing.T
	dir    string
	target string
	wg     sync.WaitGroup

	mu    sync.Mutex
	left  int  // answers that still pass; negative for all
	stuck bool // what is not answered is not closed either
	conns map[net.Conn]struct{}
}

func newProxy(t *testing.T, target string) *proxy {
	p := &proxy{t: t, dir: t.TempDir(), target: target, left: -1, conns: map[net.Conn]struct{}{}}
	l, err := net.Listen("unix", filepath.Join(p.dir, ".s.PGSQL.5432"))
	if err != nil {
		t.Fatal(err)
	}
	p.wg.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			p.wg.Go(func() { p.serve(client) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		p.cut()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) options(o Options) Options {
	o.URL = persistence.SecretText(fmt.Sprintf("host=%s user=fleet dbname=postgres", p.dir))
	return o
}

// loseAnswer lets n answers of the server pass, and cuts the connection of the next
// one, once the server has given it. With stuck the connection stays and carries
// nothing any more, in neither direction. Then everything goes on.
func (p *proxy) loseAnswer(n int, stuck bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left, p.stuck = n, stuck
}

// cut ends all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
}

// passes tells what becomes of an answer.
func (p *proxy) passes() (yes, stuck bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left--; p.left == -1 {
		return false, p.stuck
	}
	p.left = max(p.left, -2)
	return true, false
}

func (p *proxy) serve(client net.Conn) {
	server, err := net.Dial("unix", p.target)
	if err != nil {
		_ = client.Close()
		return
	}
	p.mu.Lock()
	p.conns[client], p.conns[server] = struct{}{}, struct{}{}
	p.mu.Unlock()
	var stopped sync.Once
	stop := make(chan struct{})
	var both sync.WaitGroup
	both.Go(func() {
		pump(server, client, func() bool {
			select {
			case <-stop:
				return false
			default:
				return true
			}
		})
		select {
		case <-stop: // the server is not told
		default:
			_ = server.Close()
		}
	})
	both.Go(func() {
		pump(client, server, func() bool {
			yes, stuck := p.passes()
			if !yes && stuck {
				stopped.Do(func() { close(stop) })
				return false
			}
			return yes
		})
		select {
		case <-stop:
		default:
			_ = client.Close()
		}
	})
	both.Wait()
}

func pump(to, from net.Conn, passes func() bool) {
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		if err != nil || !passes() {
			return
		}
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
	}
}
