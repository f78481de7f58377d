package actors_test

import (
	"context"
	"net"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

// This file is about calls for media: connections of their own, under temp keys of
// their own, to addresses for media alone.

// mediaStage is an account on DCs with addresses for media.
type mediaStage struct {
	*testing.T
	s     *serve.Cluster
	store persistence.Store
	m     *actors.Manager
	a     *actors.Account
	home  int
	away  int
}

var mediaID atomic.Int64

func newMediaStage(t *testing.T, core dctest.Config, o actors.AccountOptions) *mediaStage {
	core.DCs = 2
	s, store := cluster(t, serve.Config{Core: core, Bots: 1, Media: true}), persistence.NewMemory()
	b := s.Descriptor().Bots[0]
	p := &mediaStage{T: t, s: s, store: store, m: open(t, options(s, store)), home: b.DC, away: b.DC%2 + 1}
	p.a = signInBot(t, p.m, "robot", b, o)
	wait(t, p.a, actors.Online)
	return p
}

// by makes a call and returns whether it went by a connection for media.
func (p *mediaStage) by(opts ...actors.CallOption) bool {
	p.Helper()
	id := 1<<40 + mediaID.Add(1)
	if _, err := actors.Invoke(soon(p.T), p.a, &echo.EchoRequest{ID: id}, opts...); err != nil {
		p.Fatal(err)
	}
	for _, e := range p.s.Ledger().Echoes {
		if e.ID == id {
			return e.Media > 0
		}
	}
	p.Fatal("the call is not in the ledger")
	return false
}

// warm makes calls for media until one goes by the connection for it.
func (p *mediaStage) warm(opts ...actors.CallOption) {
	p.Helper()
	opts = append(opts, actors.Media())
	for range 20 {
		if p.by(opts...) {
			return
		}
		time.Sleep(time.Second)
	}
	p.Fatal("no call goes by a connection for media")
}

// temps counts the temp keys of a DC by slot.
func (p *mediaStage) temps(at int, media bool) (live, made int) {
	for _, k := range p.s.Ledger().Keys {
		if k.Temp && k.DC == at && k.Media == media {
			made++
			if k.Gone.IsZero() {
				live++
			}
		}
	}
	return live, made
}

func (p *mediaStage) wantTemps(at int, media bool, live, made int) {
	p.Helper()
	if l, m := p.temps(at, media); l != live || m != made {
		p.Errorf("DC %d knows %d of %d temp keys, for media: %v; want %d of %d", at, l, m, media, live, made)
	}
}

func (p *mediaStage) restart() {
	p.Helper()
	closeManager(p.T, p.m)
	p.m = open(p.T, options(p.s, p.store))
	p.a, _ = p.m.Account("robot")
	wait(p.T, p.a, actors.Online)
}

func TestCallsForMedia(t *testing.T) {
	for name, play := range map[string]func(*testing.T){
		"go by a connection and a key of their own, at home and elsewhere": func(t *testing.T) {
			p := newMediaStage(t, dctest.Config{}, actors.AccountOptions{})
			p.warm()
			p.warm(actors.OnDC(dcID(p.away)))
			for _, at := range []int{p.home, p.away} {
				if p.by(actors.OnDC(dcID(at))) {
					t.Errorf("another call on DC %d goes by the connection for media", at)
				}
				p.wantTemps(at, true, 1, 1)
			}
			for _, k := range p.s.Ledger().Keys {
				if k.Media && !k.Temp {
					t.Error("a perm key was made at an address for media")
				}
			}
			verdict(t, p.s, p.store)
		},
		"go on while the main key is replaced, and others while that for media is": func(t *testing.T) {
			p := newMediaStage(t, dctest.Config{}, actors.AccountOptions{})
			p.warm()
			p.keepCalling(30*time.Hour, 10*time.Minute)
			for _, media := range []bool{false, true} {
				if _, made := p.temps(p.home, media); made < 2 {
					t.Errorf("%d temp keys were made in 30 h, for media: %v", made, media)
				}
				if most := mostLive(p.s.Ledger().Keys, p.home, media); most > 2 {
					t.Errorf("%d temp keys live at once, for media: %v", most, media)
				}
			}
			verdict(t, p.s, p.store)
		},
		"and their key are replaced when the owner wants it, each slot by itself": func(t *testing.T) {
			p := newMediaStage(t, dctest.Config{}, actors.AccountOptions{})
			p.warm()
			_, made := p.temps(p.home, false)
			for round := 1; round <= 5; round++ {
				if err := p.a.Rotate(soon(t)); err != nil {
					t.Fatal(err)
				}
				p.keepCalling(2*time.Minute, time.Second)
				p.wantTemps(p.home, false, 1, made+round)
				p.wantTemps(p.home, true, 1, 1+round)
			}
			verdict(t, p.s, p.store)
		},
		"outlive the key that the DC forgets": func(t *testing.T) {
			p := newMediaStage(t, dctest.Config{}, actors.AccountOptions{})
			p.warm()
			main, _ := p.temps(p.home, false)
			_, made := p.temps(p.home, false)
			for round := 1; round <= 3; round++ {
				inject(t, p.s, dctest.Fault{Kind: dctest.FaultForgetTemp, DC: p.home, Media: true})
				if _, err := actors.Invoke(soon(t), p.a, &echo.EchoRequest{ID: 1<<40 + mediaID.Add(1)}, actors.Media(), actors.WithPolicy(actors.Repeatable)); err != nil {
					t.Fatal(err)
				}
				p.warm()
				p.wantTemps(p.home, true, 1, 1+round)
			}
			p.wantTemps(p.home, false, main, made)
			verdict(t, p.s, p.store)
		},
		"go by the main connection where a bind cuts the other key off": func(t *testing.T) {
			p := newMediaStage(t, dctest.Config{BindStrict: true}, actors.AccountOptions{})
			for range 100 {
				if p.by(actors.Media()) || p.by(actors.Media(), actors.OnDC(dcID(p.away))) {
					t.Fatal("a call goes by a connection for media")
				}
				time.Sleep(10 * time.Second)
			}
			for _, at := range []int{p.home, p.away} {
				p.wantTemps(at, true, 0, 0)
				if _, made := p.temps(at, false); made > 2 {
					t.Errorf("DC %d knows %d temp keys: what it does is found out once", at, made)
				}
			}
			verdict(t, p.s, p.store)
		},
		"go under the perm key without temp keys": func(t *testing.T) {
			p := newMediaStage(t, dctest.Config{}, actors.AccountOptions{NoPFS: true})
			p.warm()
			p.warm(actors.OnDC(dcID(p.away)))
			if n := p.s.Counts().TempKeys; n != 0 {
				t.Errorf("%d temp keys were made", n)
			}
			verdict(t, p.s, p.store)
		},
		"go by the main connection while their address cannot be reached": func(t *testing.T) {
			p := newMediaStage(t, dctest.Config{}, actors.AccountOptions{})
			p.warm()
			closeManager(t, p.m)
			o := options(p.s, p.store)
			o.Wire.Dialer = &noMedia{Dialer: p.s.Dialer(), s: p.s}
			p.m = open(t, o)
			p.a, _ = p.m.Account("robot")
			wait(t, p.a, actors.Online)
			for range 20 {
				begun := time.Now()
				if p.by(actors.Media()) {
					t.Fatal("a call goes by a connection for media")
				}
				if took := time.Since(begun); took > 6*time.Second {
					t.Errorf("a call took %v", took)
				}
				time.Sleep(time.Second)
			}
			if st := p.a.Status(); st.State != actors.Online {
				t.Errorf("the account is %v: %s", st.State, st.Why)
			}
			verdict(t, p.s, p.store)
		},
		"leave no key in the store, and the next process has those of the last dropped": func(t *testing.T) {
			p := newMediaStage(t, dctest.Config{}, actors.AccountOptions{})
			for round := 1; round <= 3; round++ {
				p.warm()
				time.Sleep(time.Minute)
				p.wantTemps(p.home, true, 1, round)
				p.wantStored()
				p.restart()
			}
			verdict(t, p.s, p.store)
		},
		"wake a connection that was closed for want of them under the key that it had": func(t *testing.T) {
			p := newMediaStage(t, dctest.Config{}, actors.AccountOptions{})
			p.warm()
			before := p.s.Counts()
			for range 5 {
				time.Sleep(20 * time.Minute)
				p.warm()
			}
			if made := p.s.Counts().TempKeys - before.TempKeys; made != 0 {
				t.Errorf("%d keys were made", made)
			}
			if err := p.a.Rotate(soon(t)); err != nil { // of the main key, while it sleeps too
				t.Fatal(err)
			}
			time.Sleep(20 * time.Minute)
			if err := p.a.Rotate(soon(t)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Minute)
			p.warm()
			if live, made := p.temps(p.home, true); live != 1 || made > 2 {
				t.Errorf("%d of %d keys for media live", live, made)
			}
			verdict(t, p.s, p.store)
		},
		"are carried on when a guest DC has lost the authorization": func(t *testing.T) {
			p := newMediaStage(t, dctest.Config{}, actors.AccountOptions{})
			there := actors.OnDC(dcID(p.away))
			p.warm(there)
			for _, err := range []string{"AUTH_KEY_UNREGISTERED", "SESSION_REVOKED"} {
				inject(t, p.s, dctest.Fault{Kind: dctest.FaultRPC, DC: p.away, Method: "testdc.echo", Code: 401, Text: err, Count: 1})
				p.by(actors.Media(), there)
				p.warm(there)
			}
			if st := p.a.Status(); st.State != actors.Online {
				t.Errorf("the account is %v: %s", st.State, st.Why)
			}
			verdict(t, p.s, p.store)
		},
		"end with a pause and go on after it": func(t *testing.T) {
			p := newMediaStage(t, dctest.Config{}, actors.AccountOptions{})
			p.warm()
			p.warm(actors.OnDC(dcID(p.away)))
			if err := p.a.Pause(soon(t)); err != nil {
				t.Fatal(err)
			}
			if err := p.a.Resume(soon(t)); err != nil {
				t.Fatal(err)
			}
			wait(t, p.a, actors.Online)
			p.warm()
			p.warm(actors.OnDC(dcID(p.away)))
			time.Sleep(time.Minute)
			for _, at := range []int{p.home, p.away} {
				p.wantTemps(at, true, 1, 2)
			}
			verdict(t, p.s, p.store)
		},
		"end with a logout, and with a removal": func(t *testing.T) {
			for name, end := range map[string]func(*mediaStage) error{
				"logout":  func(p *mediaStage) error { return p.a.LogOut(soon(t)) },
				"removal": func(p *mediaStage) error { return p.a.Remove(soon(t), true) },
			} {
				p := newMediaStage(t, dctest.Config{}, actors.AccountOptions{})
				p.warm()
				p.warm(actors.OnDC(dcID(p.away)))
				done := make(chan error, 10)
				for i := range 10 {
					go func() {
						_, err := actors.Invoke(soon(t), p.a, &echo.EchoRequest{ID: int64(100 + i), DelayMs: 2000}, actors.Media())
						done <- err
					}()
				}
				time.Sleep(time.Second)
				if err := end(p); err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				for range 10 {
					<-done // once each
				}
				if name == "logout" {
					verdict(t, p.s, p.store)
				}
				if n := p.s.Counts().Repeated; n != 0 {
					t.Errorf("%s: %d calls ran twice", name, n)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) { bubble(t, play) })
	}
}

// keepCalling calls, for media and not, for so long, and fails with the first call
// that does.
func (p *mediaStage) keepCalling(d, every time.Duration) {
	p.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(every) {
		for _, opts := range [][]actors.CallOption{{actors.Media()}, nil} {
			if _, err := actors.Invoke(soon(p.T), p.a, &echo.EchoRequest{ID: 1<<40 + mediaID.Add(1), DelayMs: 300}, opts...); err != nil {
				p.Fatal(err)
			}
		}
	}
}

// mostLive is how many temp keys of a slot a DC knew at any time at once.
func mostLive(keys []dctest.KeyRecord, at int, media bool) (most int) {
	for _, k := range keys {
		live := 0
		for _, other := range keys {
			if other.Temp && other.DC == at && other.Media == media && !other.Created.After(k.Created) && (other.Gone.IsZero() || other.Gone.After(k.Created)) {
				live++
			}
		}
		most = max(most, live)
	}
	return most
}

// wantStored wants no temp key for media in the store.
func (p *mediaStage) wantStored() {
	p.Helper()
	media := map[int64]bool{}
	for _, k := range p.s.Ledger().Keys {
		media[k.ID] = k.Media
	}
	records, err := p.store.Load("robot")
	if err != nil {
		p.Fatal(err)
	}
	state, err := persistence.DecodeState(records)
	if err != nil {
		p.Fatal(err)
	}
	if len(state.TempKeys) == 0 {
		p.Error("there is no temp key at all")
	}
	for _, k := range state.TempKeys {
		if media[k.KeyID] {
			p.Error("a temp key for media is in the store")
		}
	}
}

// noMedia is a dialer for which addresses for media are not there.
type noMedia struct {
	*serve.Dialer
	s *serve.Cluster
}

func (d *noMedia) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	for _, at := range d.s.Descriptor().DCs {
		if at.Media && net.JoinHostPort(at.IP, strconv.Itoa(at.Port)) == addr {
			return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
		}
	}
	return d.Dialer.DialContext(ctx, network, addr)
}
