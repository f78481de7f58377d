package actors_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

// verdict has the ledger judge the run and fails the test for what it finds. A
// packet under a key that a fault made the server forget is no violation.
func verdict(t *testing.T, s *serve.Cluster, store persistence.Store) {
	t.Helper()
	v := s.Ledger().Verdict(storeKeys(t, store), nil, time.Time{})
	if len(v.Overlaps) > 0 || len(v.Orphans) > 0 || len(v.Repeated) > 0 {
		t.Errorf("the ledger's verdict: overlaps %+v, orphans %+v, repeated %+v", v.Overlaps, v.Orphans, v.Repeated)
	}
	list, _ := s.Violations()
	for _, v := range list {
		if v.Rule != dctest.RuleKey {
			t.Errorf("the test DC saw a violation: %+v", v)
		}
	}
}

func TestARestartCostsNoLoginAndNoKey(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m, err := actors.Open(options(s, store))
		if err != nil {
			t.Fatal(err)
		}
		d := s.Descriptor()
		signInPhone(t, m, "alice", d.Phones[0], actors.AccountOptions{})
		signInBot(t, m, "robot", d.Bots[0], actors.AccountOptions{})
		for _, a := range m.Accounts() {
			wait(t, a, actors.Online)
			call(t, a)
		}
		closeManager(t, m)
		before := s.Counts()

		time.Sleep(time.Second) // starting a process takes time, and msg_ids are made of it
		store = store.Reopen()
		m = open(t, options(s, store))
		for _, id := range []string{"alice", "robot"} {
			a, err := m.Account(id)
			if err != nil {
				t.Fatal(err)
			}
			wait(t, a, actors.Online)
			if !a.Status().Bound {
				t.Errorf("%s is online after the restart without a bound temp key", id)
			}
			call(t, a)
		}
		after := s.Counts()
		if after.Logins != before.Logins || after.PermKeys != before.PermKeys || after.TempKeys != before.TempKeys {
			t.Errorf("the restart made logins or keys: before %+v, after %+v", before, after)
		}
		verdict(t, s, store)
	})
}

func TestARestartedDCIsRecoveredFrom(t *testing.T) {
	for _, keep := range []bool{true, false} {
		t.Run(fmt.Sprintf("temp keys kept %v", keep), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, store := cluster(t, small), persistence.NewMemory()
				m := open(t, options(s, store))
				d := s.Descriptor()
				a := signInPhone(t, m, "alice", d.Phones[0], actors.AccountOptions{})
				wait(t, a, actors.Online)
				before := s.Counts()

				if err := s.StopDC(d.Phones[0].DC, keep); err != nil {
					t.Fatal(err)
				}
				wait(t, a, actors.Connecting)
				time.Sleep(30 * time.Second) // virtual
				if err := s.StartDC(d.Phones[0].DC); err != nil {
					t.Fatal(err)
				}
				wait(t, a, actors.Online)
				call(t, a)
				after := s.Counts()
				if after.Logins != before.Logins || after.PermKeys != before.PermKeys {
					t.Errorf("the outage made logins or perm keys: before %+v, after %+v", before, after)
				}
				if made := after.TempKeys - before.TempKeys; keep && made != 0 || !keep && made != 1 {
					t.Errorf("the outage made %d temp keys", made)
				}
				verdict(t, s, store)
			})
		})
	}
}

func TestARotationFailsNoCallAndLosesNoUpdate(t *testing.T) {
	for _, strict := range []bool{false, true} {
		t.Run(fmt.Sprintf("bind_strict %v", strict), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				cfg := small
				cfg.Core.BindStrict = strict
				s, store := cluster(t, cfg), persistence.NewMemory()
				o := options(s, store)
				o.TempKeyLife = 10 * time.Minute
				m := open(t, o)
				d := s.Descriptor()
				a := signInBot(t, m, "robot", d.Bots[0], actors.AccountOptions{})
				wait(t, a, actors.Online)
				seen := collect(t, a)
				var pushed []int32
				for range 60 {
					call(t, a)
					pts, err := s.PushUpdate(d.Bots[0].UserID)
					if err != nil {
						t.Fatal(err)
					}
					pushed = append(pushed, pts)
					time.Sleep(time.Minute) // virtual
				}
				if got := s.Counts(); got.TempKeys < 6 || got.Logins != 1 || got.PermKeys > 2 {
					t.Errorf("an hour of keys that live ten minutes: %+v", got)
				}
				seen.want(t, pushed)
				live := 0
				for _, k := range s.Ledger().Keys {
					if k.Temp && k.Gone.IsZero() && k.Perm != 0 {
						live++
					}
				}
				if live > 2 {
					t.Errorf("%d temp keys are still alive at the server: replaced ones are to be dropped", live)
				}
				verdict(t, s, store)
			})
		})
	}
}

func TestAPausedAccountStaysSilentUntilItIsResumed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
		wait(t, a, actors.Online)
		if err := a.Pause(soon(t)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if n := s.ConnCount(); n != 0 {
			t.Errorf("a paused account has %d connections", n)
		}
		_, err := actors.Invoke(soon(t), a, &echo.EchoRequest{ID: 1})
		var state *actors.StateError
		if !errors.As(err, &state) || state.State != actors.Paused || !errors.Is(err, actors.ErrNotSent) {
			t.Errorf("a call on a paused account: %v", err)
		}
		if err := a.Resume(soon(t)); err != nil {
			t.Fatal(err)
		}
		wait(t, a, actors.Online)
		call(t, a)
		if got := s.Counts().Logins; got != 1 {
			t.Errorf("%d logins, want 1", got)
		}
	})
}

func TestALogoutEndsTheAuthorizationAndForgetsTheKeys(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		p := s.Descriptor().Phones[0]
		a := signInPhone(t, m, "alice", p, actors.AccountOptions{})
		wait(t, a, actors.Online)
		if err := a.Remove(soon(t), false); err == nil {
			t.Error("an account that is signed in was removed without force")
		}
		if err := a.LogOut(soon(t)); err != nil {
			t.Fatal(err)
		}
		if got := a.Status(); got.State != actors.SignedOut || got.SignedIn {
			t.Errorf("after the logout: %+v", got)
		}
		for _, row := range s.Ledger().Authorizations {
			if row.Ended.IsZero() {
				t.Errorf("an authorization lives on: %+v", row)
			}
		}
		if keys := storeKeys(t, store); len(keys) != 0 {
			t.Errorf("keys are left in the store: %+v", keys)
		}
		verdict(t, s, store)

		// It can sign in again, with what the logout left.
		step, err := a.SignIn(soon(t), actors.Phone(p.Number))
		if err != nil {
			t.Fatal(err)
		}
		if step != nil {
			if _, err = a.Answer(soon(t), actors.Answer{Kind: actors.AnswerCode, Code: p.Code}); err != nil {
				t.Fatal(err)
			}
		}
		wait(t, a, actors.Online)
		if err := a.Remove(soon(t), true); err != nil {
			t.Fatal(err)
		}
		if ids, _ := store.Accounts(); len(ids) != 0 {
			t.Errorf("the removed account left records: %v", ids)
		}
		if _, err := m.Account("alice"); err == nil {
			t.Error("the removed account is still there")
		}
	})
}

func TestACallOnAnotherDCCarriesTheAuthorizationThereOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cfg := small
		cfg.Core.DCs = 3
		s, store := cluster(t, cfg), persistence.NewMemory()
		m := open(t, options(s, store))
		b := s.Descriptor().Bots[0]
		a := signInBot(t, m, "robot", b, actors.AccountOptions{})
		wait(t, a, actors.Online)
		other := b.DC%3 + 1
		for range 3 {
			if got := call(t, a, actors.OnDC(dcID(other))); int(got.DC) != other || got.UserID != b.UserID {
				t.Errorf("the call for DC %d ran on DC %d as user %d", other, got.DC, got.UserID)
			}
		}
		imports := 0
		for _, l := range s.Ledger().Logins {
			if l.Method == "auth.importAuthorization" {
				imports++
			}
		}
		if imports != 1 {
			t.Errorf("%d imports, want one", imports)
		}
		time.Sleep(10 * time.Minute)
		call(t, a, actors.OnDC(dcID(other)))
		time.Sleep(time.Second)
		if n := s.ConnCount(); n != 2 {
			t.Errorf("%d connections, want home and one guest", n)
		}

		// A guest's trouble is not the account's.
		var perm int64
		for _, row := range s.Ledger().Authorizations {
			if !row.Home {
				perm = row.Perm
			}
		}
		if _, err := s.Fault(dctest.Fault{Kind: dctest.FaultForgetPerm, DC: other, Perm: perm}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		call(t, a, actors.OnDC(dcID(other)))
		if st := a.Status(); st.State != actors.Online {
			t.Errorf("a guest DC lost its key and the account is %+v", st)
		}
		verdict(t, s, store)
	})
}
