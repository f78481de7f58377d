package actors_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/actors/wire"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/storetest"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// This file is about waits that the server orders: each is stored before
// anybody is told, told with its end, and nobody asks again before that.

// refuse has the server refuse a method once, and answer it ever after: whoever
// asks too early is answered, and shows by it that he did.
func refuse(t *testing.T, s *serve.Cluster, method string, code int, text string) {
	t.Helper()
	inject(t, s, dctest.Fault{Kind: dctest.FaultRPC, Method: method, Code: code, Text: text, Count: 1})
}

// restart opens the store again, as after a restart of the process.
func restart(t *testing.T, m *actors.Manager, store *persistence.Memory, o func(persistence.Store) actors.Options) (*actors.Manager, *persistence.Memory) {
	t.Helper()
	closeManager(t, m)
	time.Sleep(time.Second)
	store = store.Reopen()
	m, err := actors.Open(o(store))
	if err != nil {
		t.Fatal(err)
	}
	return m, store
}

// waits checks that an error tells of a wait, and when it ends.
func waits(t *testing.T, what string, err error, left time.Duration) {
	t.Helper()
	var w *actors.WaitError
	if !errors.As(err, &w) {
		t.Fatalf("%s: %v; want to be told of the wait", what, err)
	}
	if got := time.Until(w.Until); got < left-time.Minute || got > left+time.Minute {
		t.Errorf("%s: the wait ends in %v, want %v", what, got, left)
	}
	if errors.Is(err, actors.ErrMayHaveRun) || !errors.Is(err, actors.ErrNotSent) {
		t.Errorf("%s: %v; nothing was executed", what, err)
	}
}

func echoed(t *testing.T, a *actors.Account, opts ...actors.CallOption) error {
	t.Helper()
	_, err := actors.Invoke(soon(t), a, &echo.EchoRequest{ID: time.Now().UnixNano()}, opts...)
	return err
}

func TestAWaitOfOneTargetHoldsNothingElse(t *testing.T) {
	for _, text := range []string{"SLOWMODE_WAIT_3600", "2FA_CONFIRM_WAIT_604800", "TAKEOUT_INIT_DELAY_86400", "PREVIOUS_CHAT_IMPORT_ACTIVE_WAIT_300MIN"} {
		t.Run(text, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, store := cluster(t, small), persistence.NewMemory()
				m := open(t, options(s, store))
				a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
				wait(t, a, actors.Online)
				refuse(t, s, "testdc.echo", 420, text)
				if _, ok := tgerr.As(echoed(t, a)); !ok {
					t.Error("the server's words did not reach the caller")
				}
				if err := echoed(t, a); err != nil {
					t.Errorf("another target: %v", err)
				}
				if n := len(stored(t, store, "robot").Waits); n != 0 {
					t.Errorf("%d waits are stored", n)
				}
			})
		})
	}
}

// TestAWaitOnAnExportIsToldAndObeyed: the export is a query of our own, made
// because somebody called another DC.
func TestAWaitOnAnExportIsToldAndObeyed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		o := func(store persistence.Store) actors.Options { return options(s, store) }
		m, err := actors.Open(o(store))
		if err != nil {
			t.Fatal(err)
		}
		b := s.Descriptor().Bots[0]
		a := signInBot(t, m, "robot", b, actors.AccountOptions{})
		wait(t, a, actors.Online)
		other := actors.OnDC(dcID(b.DC%2 + 1))
		refuse(t, s, "auth.exportAuthorization", 420, "FLOOD_WAIT_2400")
		waits(t, "the first call", echoed(t, a, other), 40*time.Minute)
		waits(t, "the next", echoed(t, a, other), 40*time.Minute)
		if err := echoed(t, a); err != nil {
			t.Errorf("a call at home: %v", err)
		}
		m, store = restart(t, m, store, o)
		a, _ = m.Account("robot")
		wait(t, a, actors.Online)
		waits(t, "after a restart", echoed(t, a, other), 40*time.Minute)
		time.Sleep(41 * time.Minute)
		if err := echoed(t, a, other); err != nil {
			t.Errorf("after the wait: %v", err)
		}
		closeManager(t, m)
		verdict(t, s, store)
	})
}

// TestAWaitOfASignInIsOfTheNumber: it outlives whatever becomes of the account
// that asked.
func TestAWaitOfASignInIsOfTheNumber(t *testing.T) {
	for name, x := range map[string]struct {
		method, text string
		code         int
		phone        bool
	}{
		"a bot's import":          {"auth.importBotAuthorization", "FLOOD_WAIT_2838", 420, false},
		"a code":                  {"auth.sendCode", "FLOOD_WAIT_60259", 420, true},
		"a number that is tired":  {"auth.sendCode", "PHONE_NUMBER_FLOOD", 400, true},
		"passwords that were too": {"auth.sendCode", "PHONE_PASSWORD_FLOOD", 406, true},
	} {
		for _, how := range []string{"the same account", "after a restart", "another account"} {
			t.Run(name+"/"+how, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					s, store := cluster(t, small), persistence.NewMemory()
					o := func(store persistence.Store) actors.Options { return options(s, store) }
					m, err := actors.Open(o(store))
					if err != nil {
						t.Fatal(err)
					}
					d := s.Descriptor()
					who, at := actors.BotToken(d.Bots[0].Token), d.Bots[0].DC
					if x.phone {
						who, at = actors.Phone(d.Phones[0].Number), d.Phones[0].DC
					}
					inject(t, s, dctest.Fault{Kind: dctest.FaultRPC, DC: at, Method: x.method, Code: x.code, Text: x.text, Count: 1})
					a := add(t, m, "one")
					if step, err := a.SignIn(soon(t), who); err == nil && step.Until.IsZero() {
						t.Errorf("nobody was told how long: %+v", step)
					}
					if a.Status().Step != nil {
						_, err := a.Answer(soon(t), actors.Answer{Kind: actors.AnswerCancel})
						reason(t, err, actors.SignInCanceled)
					}
					switch how {
					case "after a restart":
						m, _ = restart(t, m, store, o)
						a, _ = m.Account("one")
					case "another account":
						if err := a.Remove(soon(t), false); err != nil {
							t.Fatal(err)
						}
						a = add(t, m, "two")
					}
					time.Sleep(5 * time.Second)
					step, err := a.SignIn(soon(t), who)
					if err == nil && (step == nil || step.Kind == actors.StepCode) {
						t.Errorf("the server was asked again before its time: %+v", step)
					}
					closeManager(t, m)
				})
			})
		}
	}
}

// wrong is a clock that is off and runs as fast as time does.
type wrong struct {
	runtime.Clock
	by time.Duration
}

func (c wrong) Now() time.Time { return c.Clock.Now().Add(c.by) }

func TestAWrongClockNeitherStretchesNorShortensAWait(t *testing.T) {
	for name, by := range map[string]time.Duration{"a day ahead": 24 * time.Hour, "a day behind": -24 * time.Hour} {
		for _, when := range []string{"when it came", "after the restart"} {
			t.Run(name+", "+when, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					time.Sleep(48 * time.Hour)
					s, store := cluster(t, small), persistence.NewMemory()
					first, then := options(s, store), options(s, store)
					if when == "when it came" {
						first.Clock = wrong{runtime.RealClock(), by}
					} else {
						then.Clock = wrong{runtime.RealClock(), by}
					}
					m, err := actors.Open(first)
					if err != nil {
						t.Fatal(err)
					}
					a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
					wait(t, a, actors.Online)
					refuse(t, s, "testdc.echo", 420, "FLOOD_WAIT_600")
					if err := echoed(t, a); err == nil {
						t.Fatal("the call was not refused")
					}
					m, _ = restart(t, m, store, func(store persistence.Store) actors.Options { then.Store = store; return then })
					defer closeManager(t, m)
					a, _ = m.Account("robot")
					wait(t, a, actors.Online)
					if err := echoed(t, a); err == nil {
						t.Error("the call was sent within the wait")
					}
					time.Sleep(11 * time.Minute)
					if err := echoed(t, a); err != nil {
						t.Errorf("a call after the wait: %v", err)
					}
				})
			})
		}
	}
}

func TestAWaitThatTheStoreRefusedIsWrittenAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, memory := cluster(t, small), persistence.NewMemory()
		store := storetest.NewFailing(memory, nil)
		m, err := actors.Open(options(s, store))
		if err != nil {
			t.Fatal(err)
		}
		a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
		wait(t, a, actors.Online)
		time.Sleep(10 * time.Second)
		store.SetFail(storetest.FailFrom(1))
		refuse(t, s, "testdc.echo", 420, "FLOOD_WAIT_3600")
		waits(t, "while the store fails", echoed(t, a), time.Hour)
		time.Sleep(time.Minute)
		store.SetFail(nil)
		time.Sleep(10 * time.Second)
		m, _ = restart(t, m, memory, func(store persistence.Store) actors.Options { return options(s, store) })
		defer closeManager(t, m)
		a, _ = m.Account("robot")
		wait(t, a, actors.Online)
		waits(t, "after a restart", echoed(t, a), 59*time.Minute)
	})
}

func TestAWaitOfManyYearsCanBeCleared(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		b := s.Descriptor().Bots[0]
		a := signInBot(t, m, "robot", b, actors.AccountOptions{})
		wait(t, a, actors.Online)
		const years = 2147483647 * time.Second
		other := actors.OnDC(dcID(b.DC%2 + 1))
		refuse(t, s, "testdc.echo", 420, "FLOOD_WAIT_2147483647")
		waits(t, "a call", echoed(t, a), years)
		if err := a.ClearWaits(soon(t), "users.getUsers"); err != nil {
			t.Fatal(err)
		}
		waits(t, "after another method was cleared", echoed(t, a), years)
		if err := a.ClearWaits(soon(t), "testdc.echo"); err != nil {
			t.Fatal(err)
		}
		if err := echoed(t, a); err != nil {
			t.Errorf("after it was cleared: %v", err)
		}
		refuse(t, s, "auth.exportAuthorization", 420, "FLOOD_WAIT_2147483647")
		waits(t, "a call on another DC", echoed(t, a, other), years)
		if err := a.ClearWaits(soon(t), ""); err != nil {
			t.Fatal(err)
		}
		if err := echoed(t, a, other); err != nil {
			t.Errorf("after all were cleared: %v", err)
		}
		if n := len(stored(t, store, "robot").Waits); n != 0 {
			t.Errorf("%d waits are stored", n)
		}
	})
}

func TestAWaitOnALogOutIsObeyed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
		wait(t, a, actors.Online)
		refuse(t, s, "auth.logOut", 420, "FLOOD_WAIT_600")
		var w *actors.WaitError
		for range 2 { // the second without asking
			if err := a.LogOut(soon(t)); !errors.As(err, &w) {
				t.Errorf("the logout ended with %v", err)
			}
			wait(t, a, actors.Online)
			call(t, a)
		}
		time.Sleep(11 * time.Minute)
		if err := a.LogOut(soon(t)); err != nil {
			t.Error(err)
		}
		verdict(t, s, store)
	})
}

// TestAWaitOfTheAccountHoldsWhatWasNotSent: calls that wait for a connection are
// told too when the wait comes.
func TestAWaitOfTheAccountHoldsWhatWasNotSent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
		wait(t, a, actors.Online)
		time.Sleep(time.Minute)
		refuse(t, s, "updates.getDifference", 420, "FLOOD_WAIT_300")
		inject(t, s, dctest.Fault{Kind: dctest.FaultCloseConns})
		wait(t, a, actors.Waiting)
		st := a.Status()
		if left := time.Until(st.Until); left < 4*time.Minute || left > 5*time.Minute || st.Why == "" {
			t.Errorf("the waiting account: %+v", st)
		}
		_, err := actors.Invoke(soon(t), a, &tg.UsersGetUsersRequest{ID: []tg.AnyInputUser{&tg.InputUserSelf{}}})
		waits(t, "a call meanwhile", err, 5*time.Minute)
		wait(t, a, actors.Online)
		call(t, a)
	})
}

// lateStore is a store that may take long to write a wait down, until the test
// is over.
type lateStore struct {
	persistence.Store
	late atomic.Int64 // a time.Duration
	over <-chan struct{}
}

func (l *lateStore) Commit(c persistence.Commit) error {
	if slices.ContainsFunc(c.Put, func(r persistence.Record) bool { return r.Key.Kind == persistence.KindWait }) {
		select {
		case <-time.After(time.Duration(l.late.Load())):
		case <-l.over:
		}
	}
	return l.Store.Commit(c)
}

// cutDialer does not reach one DC for a while: unlike a DC that accepts and hangs
// up at once, to which what was held is sent all the same.
type cutDialer struct {
	wire.Dialer
	mu   sync.Mutex
	addr string
	end  time.Time
}

func (d *cutDialer) until(s *serve.Cluster, id int, end time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, at := range s.Descriptor().DCs {
		if at.ID == id {
			d.addr, d.end = net.JoinHostPort(at.IP, strconv.Itoa(at.Port)), end
		}
	}
}

func (d *cutDialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	d.mu.Lock()
	cut := addr == d.addr && time.Now().Before(d.end)
	d.mu.Unlock()
	if cut {
		return nil, syscall.EHOSTUNREACH
	}
	return d.Dialer.DialContext(ctx, network, addr)
}

// TestAWaitReachesWhatIsHeld: calls for a DC that is cut off wait for it. When
// what they wait for is forbidden meanwhile, they are told at once, and none of
// them goes when the DC is back.
func TestAWaitReachesWhatIsHeld(t *testing.T) {
	const cutOff, ordered, slow = 5 * time.Minute, 30 * time.Minute, 8 * time.Minute
	for name, x := range map[string]struct {
		method string // that is refused, at home
		slow   bool   // the store takes longer than the DC is cut off
	}{
		"a wait on their method":                {method: "testdc.echo"},
		"a wait of the whole account":           {method: "updates.getDifference"},
		"a wait that takes long to be on disk":  {method: "testdc.echo", slow: true},
		"one of the account that takes as long": {method: "updates.getDifference", slow: true},
	} {
		for policyName, policy := range map[string]actors.Policy{"once": actors.Once, "repeatable": actors.Repeatable} {
			t.Run(name+"/"+policyName, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					s, store := cluster(t, small), &lateStore{Store: persistence.NewMemory(), over: t.Context().Done()}
					o := options(s, store)
					cut := &cutDialer{Dialer: o.Wire.Dialer}
					o.Wire.Dialer = cut
					m := open(t, o)
					b := s.Descriptor().Bots[0]
					a := signInBot(t, m, "robot", b, actors.AccountOptions{})
					wait(t, a, actors.Online)
					guest := b.DC%2 + 1
					call(t, a, actors.OnDC(dcID(guest)))
					time.Sleep(time.Minute)
					cut.until(s, guest, time.Now().Add(cutOff))
					inject(t, s, dctest.Fault{Kind: dctest.FaultCloseConns, DC: guest})
					time.Sleep(time.Second)

					const held = 3
					begun := time.Now()
					ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
					defer cancel()
					ended := make(chan error, held)
					for i := range held {
						go func() {
							_, err := actors.Invoke(ctx, a, &echo.EchoRequest{ID: int64(9000 + i)}, actors.OnDC(dcID(guest)), actors.WithPolicy(policy))
							ended <- err
						}()
					}
					time.Sleep(time.Second)
					within := time.Minute
					if x.slow {
						within += slow
						store.late.Store(int64(slow))
					}
					refuse(t, s, x.method, 420, "FLOOD_WAIT_1800")
					if x.method == "testdc.echo" {
						go func() { _, _ = actors.Invoke(ctx, a, &echo.EchoRequest{ID: 8999}) }()
					} else {
						inject(t, s, dctest.Fault{Kind: dctest.FaultCloseConns, DC: b.DC})
					}
					for i := range held {
						waits(t, "a held call", <-ended, ordered-time.Since(begun))
						if n := s.EchoCount(int64(9000 + i)); n != 0 {
							t.Errorf("a held call ran %d times", n)
						}
					}
					if took := time.Since(begun); took > within {
						t.Errorf("who had waited was told after %v", took)
					}
					store.late.Store(0)
					time.Sleep(ordered)
					for i := range held {
						if n := s.EchoCount(int64(9000 + i)); n != 0 {
							t.Errorf("a call that was told of a wait ran %d times", n)
						}
					}
					call(t, a, actors.OnDC(dcID(guest)))
				})
			})
		}
	}
}
