package dcconn

import (
	"context"
	"crypto/rand"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/actors/wire"
	"github.com/mtfleet/mtfleet/mtproto"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/mtproto/proxy"
	"github.com/mtfleet/mtfleet/mtproto/transport"
)

const proxyKey = "00112233445566778899aabbccddeeff"

// behind starts an MTProxy and returns it with the way through it.
func (w *world) behind(secret string, r governor.Route) (*serve.Proxy, Way) {
	w.t.Helper()
	s, err := transport.ParseSecret(secret)
	if err != nil {
		w.t.Fatal(err)
	}
	p, err := w.cluster.StartProxy("", s)
	if err != nil {
		w.t.Fatal(err)
	}
	server, err := proxy.Parse("mtproxy://" + p.Addr() + "?secret=" + secret)
	if err != nil {
		w.t.Fatal(err)
	}
	return p, Way{&server, r}
}

// withProxies lets the world's network use them.
func (w *world) withProxies() {
	w.network = wire.New(wire.Config{Dialer: w.dials, Rand: rand.Reader})
	w.env.Network = w.network
}

// from returns the addresses that were dialled from the n-th dial on.
func (d *countingDialer) from(n int) []string {
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.addrs[n:])
}

func (w *world) spawnBy(way Way) *peer {
	p := &peer{w: w, events: make(chan Event, 10_000)}
	p.Ref = runtime.SpawnRoot[Message](w.sys, newConn(w.env, Config{DC: home, Way: way, Notify: func(e Event) { p.events <- e }}))
	return p
}

func TestASessionGoesOnThroughAnotherProxy(t *testing.T) {
	run(t, func(w *world) {
		w.withProxies()
		first, through := w.behind("dd"+proxyKey, 1)
		second, other := w.behind(proxyKey, 2)
		p := w.spawn()
		p.runPerm()
		w.wantEcho(p.call(1, 0, mtproto.Once), 1)
		for i, step := range []struct {
			way           Way
			first, second int
		}{{through, 1, 0}, {other, 0, 1}, {Way{}, 0, 0}} {
			id := int64(i + 2)
			ch := p.call(id, 2*time.Second, mtproto.Once)
			time.Sleep(time.Second)
			n := len(w.dials.from(0))
			p.Send(Through{step.way})
			w.wantEcho(ch, id)
			if a, b := first.Connections(), second.Connections(); a != step.first || b != step.second {
				t.Errorf("step %d: %d and %d connections through the proxies", i, a, b)
			}
			want := w.cluster.Addr(int(home))
			if step.way.Server != nil {
				want = step.way.Server.Address()
			}
			if got := w.dials.from(n); len(got) != 1 || got[0] != want {
				t.Errorf("step %d dialled %v, want %s", i, got, want)
			}
			p.Send(Through{step.way}) // the same again changes nothing
			if got := w.dials.from(n); len(got) != 1 {
				t.Errorf("step %d dialled %v", i, got)
			}
		}
		if n := w.cluster.Counts(); n.Echoes != 4 || n.Repeated != 0 || n.PermKeys != 1 {
			t.Errorf("ledger: %+v", n)
		}
	})
}

func TestWhileItsProxyIsDownAConnectionStaysAwayFromTheDC(t *testing.T) {
	run(t, func(w *world) {
		w.withProxies()
		through, way := w.behind("dd"+proxyKey, 1)
		p := w.spawnBy(way)
		p.runPerm()
		w.wantEcho(p.call(1, 0, mtproto.Once), 1)
		through.Stop()
		p.wait(EventDown)
		ch := p.call(2, 0, mtproto.Once)
		time.Sleep(time.Minute)
		direct := w.spawn() // does not wait for the proxy
		began := time.Now()
		direct.runPerm()
		w.wantEcho(direct.call(3, 0, mtproto.Once), 3)
		if took := time.Since(began); took > time.Second {
			t.Errorf("who goes directly was held up for %v", took)
		}
		if err := through.Start(); err != nil {
			t.Fatal(err)
		}
		w.wantEcho(ch, 2)
		if n := count(w.dials.from(0), w.cluster.Addr(int(home))); n != 1 {
			t.Errorf("the DC was dialled %d times directly, want the one connection that may", n)
		}
	})
}

func count(list []string, of string) (n int) {
	for _, s := range list {
		if s == of {
			n++
		}
	}
	return n
}

// What waits for a permit, or pauses after a failure, is on the new way at once.
func TestAConnectionThatIsNotUpChangesItsWay(t *testing.T) {
	for name, wait := range map[string]time.Duration{"pausing": 0, "waiting for a permit": 20 * time.Second} {
		t.Run(name, func(t *testing.T) {
			run(t, func(w *world) {
				w.withProxies()
				down, way := w.behind(proxyKey, 1)
				down.Stop()
				p := w.spawnBy(way)
				p.wait(EventDown)
				time.Sleep(wait)
				began := time.Now()
				p.Send(Through{})
				p.runPerm()
				w.wantEcho(p.call(1, 0, mtproto.Once), 1)
				if took := time.Since(began); took > time.Second {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

// A fake-TLS hello has the time in it: with a clock an hour slow a proxy is reached
// once the server's time is known, and not before.
func TestFakeTLSUsesTheServersTime(t *testing.T) {
	run(t, func(w *world) {
		w.withProxies()
		_, way := w.behind("ee"+proxyKey+"6578616d706c652e636f6d", 1)
		p := w.spawnBy(way)
		perm := p.runPerm()
		w.wantEcho(p.call(1, 0, mtproto.Once), 1)

		slow := runtime.NewSystem(runtime.Options{Clock: behind{runtime.RealClock(), time.Hour}})
		env := &Env{Network: w.network, Table: w.env.Table, RSAKeys: w.env.RSAKeys, Group: w.env.Group}
		env.Governor = runtime.SpawnRoot(slow, governor.New(governor.Limits{}, nil))
		q := &peer{w: w, events: make(chan Event, 10_000)}
		q.Ref = runtime.SpawnRoot[Message](slow, newConn(env, Config{DC: home, Way: way, Notify: func(e Event) { q.events <- e }}))
		q.wait(EventDown)
		cfg := w.sessionConfig(perm)
		cfg.Perm, cfg.TimeOffset = true, time.Hour
		p.Send(Drain{})
		p.wait(EventDrained)
		q.Send(Run{Key: perm.Key, Session: cfg})
		w.wantEcho(q.call(2, 0, mtproto.Once), 2)
		if err := slow.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// behind is a clock that is slow.
type behind struct {
	runtime.Clock
	by time.Duration
}

func (b behind) Now() time.Time { return b.Clock.Now().Add(-b.by) }
