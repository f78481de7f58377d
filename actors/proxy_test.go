package actors_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/wire"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/mtproto/transport"
	"github.com/mtfleet/mtfleet/persistence"
)

const proxyKey = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"

// behind starts an MTProxy in front of a cluster and returns it with its URL.
func behind(t *testing.T, s *serve.Cluster, secret string) (*serve.Proxy, string) {
	t.Helper()
	key, err := transport.ParseSecret(secret)
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.StartProxy("", key)
	if err != nil {
		t.Fatal(err)
	}
	return p, "mtproxy://" + p.Addr() + "?secret=" + secret
}

// watched is a dialer that knows where it was asked to go.
type watched struct {
	wire.Dialer
	mu sync.Mutex
	to []string
}

func (d *watched) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	d.mu.Lock()
	d.to = append(d.to, addr)
	d.mu.Unlock()
	return d.Dialer.DialContext(ctx, network, addr)
}

// taken returns where was dialled since it was asked last.
func (d *watched) taken() []string {
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	to := d.to
	d.to = nil
	return to
}

func only(list []string, addr string) bool {
	for _, s := range list {
		if s != addr {
			return false
		}
	}
	return len(list) > 0
}

func TestAnAccountConnectsThroughItsProxyOrNotAtAll(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		p, url := behind(t, s, "ee"+proxyKey+"6578616d706c652e636f6d")
		var log syncBuffer
		var told strings.Builder
		o := options(s, store)
		d := &watched{Dialer: s.Dialer()}
		o.Wire.Dialer, o.Logger = d, log.logger()
		o.OnEvent = func(ev actors.Event) {
			if ev.Status != nil {
				fmt.Fprintf(&told, "%+v %+v\n", ev, *ev.Status)
			}
		}
		m := open(t, o)
		bot := s.Descriptor().Bots[0]
		a := signInBot(t, m, "robot", bot, actors.AccountOptions{Proxy: url})
		wait(t, a, actors.Online)
		call(t, a)
		if to := d.taken(); !only(to, p.Addr()) || p.Connections() == 0 {
			t.Errorf("it dialled %v, and the proxy is %s", to, p.Addr())
		}
		name := "mtproxy://" + p.Addr()
		if st := a.Status(); st.Proxy != name {
			t.Errorf("its proxy is called %q", st.Proxy)
		}

		p.Stop()
		time.Sleep(2 * time.Minute)
		if st := a.Status(); st.State != actors.Connecting {
			t.Errorf("without its proxy it is %v", st.State)
		}
		// Who goes directly is held up by nothing.
		d.taken()
		b := add(t, m, "alice")
		began := time.Now()
		signInWithCode(t, s, b)
		wait(t, b, actors.Online)
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("a sign-in without proxy took %v while the proxy of another account is down", took)
		}
		census, err := m.Governor(soon(t))
		if err != nil {
			t.Fatal(err)
		}
		for _, dc := range census {
			if dc.Up == (dc.Via == name) {
				t.Errorf("through %q DC %d is up: %v", dc.Via, dc.DC, dc.Up)
			}
		}
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		wait(t, a, actors.Online)
		call(t, a)

		for what, text := range map[string]string{"the log": log.String(), "an event": told.String(), "a status": fmt.Sprintf("%+v", a.Status())} {
			if strings.Contains(text, proxyKey) || strings.Contains(text, strings.ToUpper(proxyKey)) || strings.Contains(text, "example.com") {
				t.Errorf("%s has the secret of the proxy: %s", what, text)
			}
		}
		verdict(t, s, store)
	})
}

// signInWithCode signs the cluster's person in.
func signInWithCode(t *testing.T, s *serve.Cluster, a *actors.Account) {
	t.Helper()
	p := s.Descriptor().Phones[0]
	step, err := a.SignIn(soon(t), actors.Phone(p.Number))
	if err == nil && step != nil {
		_, err = a.Answer(soon(t), actors.Answer{Step: step.ID, Kind: actors.AnswerCode, Code: p.Code})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestAProxyIsChangedUnderCallsAndKeptOverRestarts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		one, first := behind(t, s, proxyKey)
		two, second := behind(t, s, "dd"+proxyKey)
		o := options(s, store)
		d := &watched{Dialer: s.Dialer()}
		o.Wire.Dialer, o.Proxy = d, first
		m, err := actors.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
		wait(t, a, actors.Online)
		if to := d.taken(); !only(to, one.Addr()) {
			t.Errorf("with a proxy for all it dialled %v", to)
		}
		before := s.Counts()
		direct := s.Addr(a.Status().HomeDC)
		for _, step := range []struct{ proxy, addr string }{
			{second, two.Addr()}, {actors.DirectProxy, direct}, {"", one.Addr()}, {second, two.Addr()},
		} {
			done := make(chan error, 1)
			go func() {
				_, err := actors.Invoke(soon(t), a, &echo.EchoRequest{ID: time.Now().UnixNano(), DelayMs: 2000})
				done <- err
			}()
			time.Sleep(time.Second)
			d.taken()
			if err := a.SetProxy(soon(t), step.proxy); err != nil {
				t.Fatal(err)
			}
			if err := <-done; err != nil {
				t.Errorf("a call under way ended with %v", err)
			}
			wait(t, a, actors.Online)
			if to := d.taken(); !only(to, step.addr) {
				t.Errorf("it dialled %v, want %s", to, step.addr)
			}
		}
		if after := s.Counts(); after.PermKeys != before.PermKeys || after.TempKeys != before.TempKeys || after.Logins != before.Logins {
			t.Errorf("the changes made keys or logins: before %+v, after %+v", before, after)
		}
		var bad *actors.ProxyError
		if err := a.SetProxy(soon(t), "socks5://joe:hunter2@nowhere"); !errors.As(err, &bad) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("a proxy without a port: %v", err)
		}
		closeManager(t, m)

		time.Sleep(time.Second)
		store = store.Reopen()
		o.Store = store
		m = open(t, o)
		a, err = m.Account("robot")
		if err != nil {
			t.Fatal(err)
		}
		d.taken()
		wait(t, a, actors.Online)
		call(t, a)
		if to := d.taken(); a.Status().Proxy != "mtproxy://"+two.Addr() || len(to) > 0 && !only(to, two.Addr()) {
			t.Errorf("after a restart it dialled %v, and its proxy is %s", to, a.Status().Proxy)
		}
		if one.Connections() != 0 || two.Connections() == 0 {
			t.Errorf("after a restart %d and %d connections go through the proxies", one.Connections(), two.Connections())
		}
		verdict(t, s, store)
	})
}

// An account whose proxy this program cannot read is not connected in another way.
func TestAProxyOfANewerProgramIsNotGoneAround(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		o := options(s, store)
		m, err := actors.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
		closeManager(t, m)
		store = store.Reopen()
		records, err := store.Load("robot")
		if err != nil {
			t.Fatal(err)
		}
		owner, err := store.Claim("test")
		if err != nil {
			t.Fatal(err)
		}
		for _, rec := range records {
			if rec.Kind != persistence.KindAccount {
				continue
			}
			acc, err := persistence.DecodeAccount(rec)
			if err != nil {
				t.Fatal(err)
			}
			acc.Proxy = "warp9://joe:hunter2@10.0.0.1:1"
			if err := store.Commit(persistence.Commit{Owner: owner, Put: []persistence.Record{acc.Record()}}); err != nil {
				t.Fatal(err)
			}
		}
		o.Store = store.Reopen()
		d := &watched{Dialer: s.Dialer()}
		o.Wire.Dialer = d
		m = open(t, o)
		a, _ := m.Account("robot")
		wait(t, a, actors.Quarantined)
		_ = a.Resume(soon(t))
		time.Sleep(time.Minute)
		st := a.Status()
		if to := d.taken(); len(to) > 0 || st.State != actors.Quarantined || !strings.Contains(st.Why, "proxy") || strings.Contains(st.Why, "hunter2") {
			t.Errorf("it dialled %v and is %v: %s", to, st.State, st.Why)
		}
		// The operator can mend it.
		if err := a.SetProxy(soon(t), ""); err != nil {
			t.Fatal(err)
		}
		if err := a.Resume(soon(t)); err != nil {
			t.Fatal(err)
		}
		wait(t, a, actors.Online)
	})
}

func TestLoadRefusesProxiesEverywhere(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := cluster(t, small)
		_, url := behind(t, s, proxyKey)
		o := options(s, persistence.NewMemory())
		o.Wire.RequireLoopback = true
		var refused *actors.ProxyError
		with := o
		with.Proxy = url
		if _, err := actors.Open(with); !errors.As(err, &refused) {
			t.Errorf("a manager with a proxy for all was opened: %v", err)
		}
		m := open(t, o)
		if _, err := m.Add(soon(t), "robot", actors.AccountOptions{Proxy: url}); !errors.As(err, &refused) {
			t.Errorf("an account with a proxy was added: %v", err)
		}
		if err := add(t, m, "other").SetProxy(soon(t), url); !errors.As(err, &refused) || strings.Contains(err.Error(), proxyKey) {
			t.Errorf("an account was given a proxy: %v", err)
		}
	})
}
