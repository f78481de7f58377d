package actors_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl/tg"
)

func TestAForgottenPermKeyIsReportedOnceAfterTwoProofs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		b := s.Descriptor().Bots[0]
		a := signInBot(t, m, "robot", b, actors.AccountOptions{})
		wait(t, a, actors.Online)
		time.Sleep(2 * time.Minute) // past the immunity of a young key

		home, perm := homePerm(t, s.Ledger().Authorizations, b.UserID)
		if _, err := s.Fault(dctest.Fault{Kind: dctest.FaultForgetPerm, DC: home, Perm: perm}); err != nil {
			t.Fatal(err)
		}
		wait(t, a, actors.Revoked)
		if st := a.Status(); st.SignedIn || st.Why == "" || st.Advice == "" {
			t.Errorf("the revoked account's status: %+v", st)
		}
		time.Sleep(time.Hour)
		if n := s.ConnCount(); n != 0 {
			t.Errorf("a revoked account keeps %d connections", n)
		}
		records, _ := store.Load("robot")
		state, _ := persistence.DecodeState(records)
		if len(state.PermKeys) != 1 || state.PermKeys[0].Revoked.IsZero() {
			t.Errorf("the revoked key is to be kept apart: %d perm keys", len(state.PermKeys))
		}
	})
}

func TestASpuriousBindErrorLosesNoLogin(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		o := options(s, store)
		o.TempKeyLife = 10 * time.Minute
		m := open(t, o)
		b := s.Descriptor().Bots[0]
		a := signInBot(t, m, "robot", b, actors.AccountOptions{})
		wait(t, a, actors.Online)
		if _, err := s.Fault(dctest.Fault{Kind: dctest.FaultBindInvalid, Count: 3}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		wait(t, a, actors.Online)
		call(t, a)
		if got := s.Counts(); got.Logins != 1 || got.PermKeys > 2 {
			t.Errorf("refused binds cost logins or perm keys: %+v", got)
		}
		if got := s.Counts().BindErrors; got != 3 {
			t.Errorf("%d binds were refused, want the 3 of the fault", got)
		}
		verdict(t, s, store)
	})
}

func TestARevokedAuthorizationIsConfirmedThenReported(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		p := s.Descriptor().Phones[0]
		a := signInPhone(t, m, "alice", p, actors.AccountOptions{})
		wait(t, a, actors.Online)
		// The account is told to look for itself, and may not be the first to hear
		// it: a way that takes time keeps the order.
		inject(t, s, dctest.Fault{Kind: dctest.FaultDelay, Delay: dctest.Duration(far)})
		time.Sleep(time.Second)
		if err := s.API(func(b *api.Backend, now time.Time) { _ = b.Revoke(now, p.UserID) }); err != nil {
			t.Fatal(err)
		}
		_, err := actors.Invoke(soon(t), a, &tg.UsersGetUsersRequest{ID: []tg.AnyInputUser{&tg.InputUserSelf{}}})
		// The server may have said it to a query of the account's own before, and
		// the second connection have agreed.
		var state *actors.StateError
		told := errors.As(err, &state) && state.State == actors.Revoked && strings.Contains(state.Why, "SESSION_REVOKED")
		if !told && !tgerr.Is(err, "SESSION_REVOKED", "AUTH_KEY_UNREGISTERED") {
			t.Errorf("the call after the end of the authorization: %v", err)
		}
		wait(t, a, actors.Revoked)
	})
}

func TestOneBroken401DoesNotEndAnAccount(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
		wait(t, a, actors.Online)
		if _, err := s.Fault(dctest.Fault{Kind: dctest.FaultRPC, Method: "testdc.echo", Code: 401, Text: "SESSION_REVOKED", Count: 1}); err != nil {
			t.Fatal(err)
		}
		if _, err := actors.Invoke(soon(t), a, &echo.EchoRequest{ID: 77}); !tgerr.Is(err, "SESSION_REVOKED") {
			t.Errorf("the broken answer reached the caller as %v", err)
		}
		time.Sleep(time.Minute)
		wait(t, a, actors.Online)
		call(t, a)
		verdict(t, s, store)
	})
}

func TestADuplicatedKeyStopsTheAccountAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		b := s.Descriptor().Bots[0]
		a := signInBot(t, m, "robot", b, actors.AccountOptions{})
		wait(t, a, actors.Online)
		home, perm := homePerm(t, s.Ledger().Authorizations, b.UserID)
		if err := s.API(func(back *api.Backend, _ time.Time) { _ = back.InjectDuplicate(home, perm) }); err != nil {
			t.Fatal(err)
		}
		// The server says it once, to whichever query comes first: this one or
		// one of the account's own.
		if _, err := actors.Invoke(soon(t), a, &echo.EchoRequest{ID: 78}); err == nil {
			t.Error("a call succeeded")
		}
		wait(t, a, actors.Duplicated)
		packets := s.Counts().Packets
		time.Sleep(24 * time.Hour)
		if got := s.Counts().Packets; got > packets+1 {
			t.Errorf("a duplicated account sent %d packets more", got-packets)
		}
		if n := s.ConnCount(); n != 0 {
			t.Errorf("a duplicated account keeps %d connections", n)
		}
	})
}

func TestABannedAccountIsReportedWithTheServersWords(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		p := s.Descriptor().Phones[0]
		a := signInPhone(t, m, "alice", p, actors.AccountOptions{})
		wait(t, a, actors.Online)
		if err := s.API(func(b *api.Backend, now time.Time) { _ = b.Ban(now, p.UserID) }); err != nil {
			t.Fatal(err)
		}
		_, err := actors.Invoke(soon(t), a, &echo.EchoRequest{ID: 79})
		if err == nil {
			t.Error("a banned account's call succeeded")
		}
		wait(t, a, actors.Revoked)
		if why := a.Status().Why; !strings.Contains(why, "USER_DEACTIVATED_BAN") {
			t.Errorf("the reason is %q", why)
		}
	})
}

func TestOneAccountsTroubleLeavesTheOthersAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cfg := small
		cfg.Bots = 6
		s, store := cluster(t, cfg), persistence.NewMemory()
		m := open(t, options(s, store))
		var all []*actors.Account
		for i, b := range s.Descriptor().Bots {
			all = append(all, signInBot(t, m, "robot-"+string(rune('a'+i)), b, actors.AccountOptions{}))
		}
		for _, a := range all {
			wait(t, a, actors.Online)
		}
		conns := s.ConnCount()

		victim := s.Descriptor().Bots[0]
		home, perm := homePerm(t, s.Ledger().Authorizations, victim.UserID)
		faults := []dctest.Fault{
			{Kind: dctest.FaultForgetTemp, DC: home, Perm: perm},
			{Kind: dctest.FaultCut, DC: home, Perm: perm, Bytes: 7, Count: 2},
			{Kind: dctest.FaultBadMsg, DC: home, Perm: perm, Code: 32, Count: 3},
		}
		for _, f := range faults {
			if _, err := s.Fault(f); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
		}
		for _, a := range all[1:] {
			if st := a.Status(); st.State != actors.Online {
				t.Errorf("%s suffered from another's trouble: %+v", a.ID(), st)
			}
		}
		for _, a := range all {
			wait(t, a, actors.Online)
			call(t, a)
		}
		if got := s.ConnCount(); got != conns {
			t.Errorf("%d connections, before the trouble %d", got, conns)
		}
		verdict(t, s, store)
	})
}

func TestACorruptPermKeyQuarantinesItsAccountAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cfg := small
		cfg.Bots = 2
		s, store := cluster(t, cfg), persistence.NewMemory()
		m, err := actors.Open(options(s, store))
		if err != nil {
			t.Fatal(err)
		}
		d := s.Descriptor()
		good := signInBot(t, m, "good", d.Bots[0], actors.AccountOptions{})
		bad := signInBot(t, m, "bad", d.Bots[1], actors.AccountOptions{})
		wait(t, good, actors.Online)
		wait(t, bad, actors.Online)
		closeManager(t, m)

		store = store.Reopen()
		owner, err := store.Claim("saboteur")
		if err != nil {
			t.Fatal(err)
		}
		broken := persistence.Record{Key: persistence.PermKeyKey("bad", d.Bots[1].DC), Version: 1, Data: []byte("broken")}
		if err := store.Commit(persistence.Commit{Owner: owner, Put: []persistence.Record{broken}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		m = open(t, options(s, store))
		good, _ = m.Account("good")
		bad, _ = m.Account("bad")
		wait(t, good, actors.Online)
		call(t, good)
		wait(t, bad, actors.Quarantined)
		st := bad.Status()
		if !strings.Contains(st.Why, "bad") || !strings.Contains(st.Why, "perm key") || st.Advice == "" {
			t.Errorf("the quarantine says %q, advises %q", st.Why, st.Advice)
		}
		_, err = actors.Invoke(soon(t), bad, &echo.EchoRequest{ID: 80})
		if !errors.Is(err, actors.ErrNotSent) {
			t.Errorf("a call on the quarantined account: %v", err)
		}
	})
}
