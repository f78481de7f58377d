package actors_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/wire"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

// This file is about doubts that come over many accounts at once: the fault is
// the DC's, or of the way there.

// crossed is a way to the DCs on which two addresses can be exchanged, as by a
// wrong configuration or a wrong answer to help.getConfig.
type crossed struct {
	wire.Dialer
	exchange map[string]string
	on       atomic.Bool
}

func (d *crossed) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	if other := d.exchange[addr]; other != "" && d.on.Load() {
		addr = other
	}
	return d.Dialer.DialContext(ctx, network, addr)
}

// TestAddressesExchangedWhileRunningRevokeNobody: for ten minutes each DC knows
// no key that it is shown, also under the perm keys themselves.
func TestAddressesExchangedWhileRunningRevokeNobody(t *testing.T) {
	for _, noPFS := range []bool{true, false} {
		t.Run(fmt.Sprintf("without PFS %v", noPFS), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, store := cluster(t, serve.Config{Core: dctest.Config{DCs: 2}, Bots: 10}), persistence.NewMemory()
				o := options(s, store)
				one, two := s.Addr(1), s.Addr(2)
				d := &crossed{Dialer: o.Wire.Dialer, exchange: map[string]string{one: two, two: one}}
				o.Wire.Dialer = d
				m := open(t, o)
				for i, b := range s.Descriptor().Bots {
					wait(t, signInBot(t, m, fmt.Sprint("bot-", i), b, actors.AccountOptions{NoPFS: noPFS}), actors.Online)
				}
				time.Sleep(2 * time.Hour)
				before := s.Counts()
				d.on.Store(true)
				inject(t, s, dctest.Fault{Kind: dctest.FaultCloseConns})
				time.Sleep(10 * time.Minute)
				for _, a := range m.Accounts() {
					if st := a.Status(); st.State != actors.Connecting || st.Why == "" {
						t.Errorf("%s: %+v", a.ID(), st)
					}
				}
				d.on.Store(false)
				inject(t, s, dctest.Fault{Kind: dctest.FaultCloseConns})
				time.Sleep(10 * time.Minute)
				allOnline(t, m, s)
				for _, a := range m.Accounts() {
					call(t, a)
				}
				if after := s.Counts(); after.PermKeys != before.PermKeys {
					t.Errorf("%d perm keys were made", after.PermKeys-before.PermKeys)
				}
				judge(t, s, store, nil) // keys that were to be made at the wrong DC are violations there
			})
		})
	}
}

// TestADCThatKnowsNobodyRevokesNobody: it answers -404 to everybody for twenty
// minutes, whichever key they show.
func TestADCThatKnowsNobodyRevokesNobody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, serve.Config{Core: dctest.Config{DCs: 2}, Bots: 10}), persistence.NewMemory()
		m := open(t, options(s, store))
		signInAll(t, m, s)
		time.Sleep(2 * time.Hour)
		before := s.Counts()
		inject(t, s, dctest.Fault{Kind: dctest.FaultTransport, Code: -404, For: dctest.Duration(20 * time.Minute)})
		inject(t, s, dctest.Fault{Kind: dctest.FaultCloseConns})
		time.Sleep(19 * time.Minute)
		for _, a := range m.Accounts() {
			if st := a.Status(); st.State != actors.Connecting || st.Why == "" {
				t.Errorf("%s: %+v", a.ID(), st)
			}
		}
		time.Sleep(6 * time.Minute) // it is asked again every five minutes
		allOnline(t, m, s)
		for _, a := range m.Accounts() {
			call(t, a)
		}
		if after := s.Counts(); after.PermKeys != before.PermKeys {
			t.Errorf("%d perm keys were made", after.PermKeys-before.PermKeys)
		}
		verdict(t, s, store)
	})
}

// TestAQuestionWhoseAnswersAreLostIsNotAskedForEver: twenty accounts were told
// 401 and cannot be told whether that is so. Each asks on a socket of its own, again
// after 5 s, doubling to 10 minutes, of which up to half is taken off: 2.5, 5, 10, 20,
// 40, 80, 160 s and then 5 minutes are the least pauses, which makes 13 questions in
// half an hour. Where nothing at all is heard the connection is lost, and nothing is
// asked: it is dialled anew, gets no pong within 5 s, and waits for half of 16 s on
// average, at least a second or so: at most 300 times.
func TestAQuestionWhoseAnswersAreLostIsNotAskedForEver(t *testing.T) {
	for name, x := range map[string]struct {
		fault dctest.Fault
		most  int64
	}{
		"only those answers": {dctest.Fault{Kind: dctest.FaultNoReply, Method: "users.getUsers", Count: 1_000_000}, 13},
		"everything":         {dctest.Fault{Kind: dctest.FaultDrop, For: dctest.Duration(30 * time.Minute)}, 300},
		"everything it says": {dctest.Fault{Kind: dctest.FaultDrop, Direction: dctest.Out, For: dctest.Duration(30 * time.Minute)}, 300},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				const bots = 20
				f := x.fault
				s, store := cluster(t, serve.Config{Core: dctest.Config{DCs: 2}, Bots: bots}), persistence.NewMemory()
				o := options(s, store)
				d := &dials{Dialer: o.Wire.Dialer}
				o.Wire.Dialer = d
				m := open(t, o)
				signInAll(t, m, s)
				time.Sleep(time.Minute)
				before := d.n.Load()
				inject(t, s, dctest.Fault{Kind: dctest.FaultRPC, Method: "testdc.echo", Code: 401, Text: "SESSION_REVOKED", Count: bots})
				if f.Kind != dctest.FaultNoReply {
					inject(t, s, dctest.Fault{Kind: dctest.FaultSlow, Method: "users.getUsers", Delay: dctest.Duration(time.Second), Count: bots})
				}
				var calls []<-chan error
				for _, a := range m.Accounts() {
					calls = append(calls, later(func() error { return echoed(t, a) }))
				}
				if f.Kind == dctest.FaultNoReply {
					inject(t, s, f)
					// What is asked in a silence is no proof either.
					inject(t, s, dctest.Fault{Kind: dctest.FaultRPC, Method: "updates.getDifference", Code: 401, Text: "SESSION_REVOKED", Count: 1_000_000})
				}
				for _, done := range calls {
					if err := ended(t, "a call", done, time.Minute); err == nil {
						t.Error("the call was not refused")
					}
				}
				if f.Kind != dctest.FaultNoReply {
					inject(t, s, f)
				}
				time.Sleep(28 * time.Minute)
				for _, a := range m.Accounts() {
					if st := a.Status(); st.State != actors.Connecting || !strings.Contains(st.Why, "SESSION_REVOKED") {
						t.Errorf("the doubt is not shown: %+v", st)
					}
				}
				n := d.n.Load() - before
				if n > bots*x.most {
					t.Errorf("%d dials in half an hour, at most %d are expected", n, bots*x.most)
				}
				if err := s.ClearFaults(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(12 * time.Minute)
				allOnline(t, m, s)
				verdict(t, s, store)
			})
		})
	}
}

// TestTwoKeysThatAreReallyGoneAreFoundOut: each is the other's witness that it is
// the DC that is wrong, until a third account is answered there anew.
func TestTwoKeysThatAreReallyGoneAreFoundOut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, serve.Config{Core: dctest.Config{DCs: 1}, Bots: 3}), persistence.NewMemory()
		m := open(t, options(s, store))
		var all []*actors.Account
		for i, b := range s.Descriptor().Bots {
			a := signInBot(t, m, fmt.Sprint("bot-", i), b, actors.AccountOptions{NoPFS: true})
			wait(t, a, actors.Online)
			all = append(all, a)
		}
		time.Sleep(2 * time.Hour)
		for _, b := range s.Descriptor().Bots[:2] {
			dc, perm := homePerm(t, s.Ledger().Authorizations, b.UserID)
			inject(t, s, dctest.Fault{Kind: dctest.FaultForgetPerm, DC: dc, Perm: perm})
		}
		time.Sleep(time.Hour)
		for _, a := range all[:2] {
			if st := a.Status(); st.State != actors.Connecting || !strings.Contains(st.Why, "perm key") {
				t.Errorf("%s has no proof yet and is %+v", a.ID(), st)
			}
		}
		inject(t, s, dctest.Fault{Kind: dctest.FaultCloseConns})
		time.Sleep(11 * time.Minute) // five until the next question, five until the one after it
		for _, a := range all[:2] {
			if st := a.Status(); st.State != actors.Revoked {
				t.Errorf("%s is %+v", a.ID(), st)
			}
		}
		wait(t, all[2], actors.Online)
	})
}
