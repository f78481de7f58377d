package actors_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	goruntime "runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
)

// saboteur is a logger that does something bad in the actor that says a
// certain thing of a certain account.
type saboteur struct {
	slog.Handler
	message, account string
	do               func()
}

func (h saboteur) Enabled(context.Context, slog.Level) bool { return true }

func (h saboteur) Handle(_ context.Context, r slog.Record) error {
	if !strings.Contains(r.Message, h.message) {
		return nil
	}
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "account" && a.Value.String() == h.account {
			h.do()
		}
		return true
	})
	return nil
}

// bystanders signs two bots in that nothing may happen to.
func bystanders(t *testing.T, m *actors.Manager, s *serve.Cluster) []*actors.Account {
	t.Helper()
	var all []*actors.Account
	for i, b := range s.Descriptor().Bots[1:] {
		a := signInBot(t, m, "bystander-"+string(rune('a'+i)), b, actors.AccountOptions{})
		wait(t, a, actors.Online)
		all = append(all, a)
	}
	return all
}

// untouched checks that the bystanders noticed nothing since a moment.
func untouched(t *testing.T, all []*actors.Account, since time.Time) {
	t.Helper()
	for _, a := range all {
		if st := a.Status(); st.State != actors.Online || st.Since.After(since) {
			t.Errorf("%s suffered from another's trouble: %+v", a.ID(), st)
		}
		call(t, a)
	}
}

var three = serve.Config{Core: dctest.Config{DCs: 2}, Persons: 1, Bots: 3}

func TestAPanicInAnAccountIsItsOwn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, three), persistence.NewMemory()
		o := options(s, store)
		var panics atomic.Int32
		o.Logger = slog.New(saboteur{slog.DiscardHandler, "a 401 was not confirmed", "robot", func() {
			panics.Add(1)
			panic("with a secret in it")
		}})
		m := open(t, o)
		others := bystanders(t, m, s)
		b := s.Descriptor().Bots[0]
		a := signInBot(t, m, "robot", b, actors.AccountOptions{})
		wait(t, a, actors.Online)
		begun := time.Now()
		seen := collect(t, a)
		// A broken 401 is confirmed, and saying so makes the account panic.
		breakIt := func() {
			inject(t, s, dctest.Fault{Kind: dctest.FaultRPC, Method: "users.getFullUser", Code: 401, Text: "SESSION_REVOKED", Count: 1})
			inject(t, s, dctest.Fault{Kind: dctest.FaultRPC, Method: "testdc.echo", Code: 401, Text: "SESSION_REVOKED", Count: 1})
			underWay := later(func() error {
				_, err := actors.Invoke(context.Background(), a, &echo.EchoRequest{ID: 1, DelayMs: 60_000}, actors.WithPolicy(actors.Once))
				return err
			})
			if err := ended(t, "a call", underWay, time.Minute); err == nil {
				t.Error("the refused call has a result")
			}
		}
		breakIt()
		time.Sleep(10 * time.Millisecond)
		if panics.Load() != 1 {
			t.Fatalf("%d panics, want one", panics.Load())
		}
		time.Sleep(5 * time.Second)
		wait(t, a, actors.Online)
		call(t, a)
		pts, err := s.PushUpdate(b.UserID)
		if err != nil {
			t.Fatal(err)
		}
		seen.want(t, []int32{pts})
		untouched(t, others, begun)

		// Too often is too often.
		states := later(func() error { wait(t, a, actors.Quarantined); return nil })
		for i := 0; i < 20 && a.Status().State != actors.Quarantined; i++ {
			wait(t, a, actors.Online)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			events := a.Events(ctx)
			breakIt()
			// It may be back at once, but not without a word.
			told := false
			for ev := range events {
				if told = ev.Kind == actors.EventState && ev.Status.State != actors.Online; told {
					break
				}
			}
			cancel()
			if !told {
				t.Errorf("the account had no actor and said nothing: %+v", a.Status())
			}
			time.Sleep(40 * time.Second)
		}
		_ = ended(t, "the trouble", states, time.Minute)
		st := a.Status()
		if st.Why == "" || st.Advice == "" || strings.Contains(st.Why, "secret") || st.Bound {
			t.Errorf("the quarantined account: %+v", st)
		}
		_, err = actors.Invoke(soon(t), a, &echo.EchoRequest{ID: 2})
		var state *actors.StateError
		if !errors.As(err, &state) || !errors.Is(err, actors.ErrNotSent) {
			t.Errorf("a call on the quarantined account: %v", err)
		}
		if err := a.Pause(soon(t)); !errors.As(err, &state) {
			t.Errorf("pausing the quarantined account: %v", err)
		}
		untouched(t, others, begun)
		if err := a.Resume(soon(t)); err != nil {
			t.Fatal(err)
		}
		wait(t, a, actors.Online)
		call(t, a)
		if got := s.Counts().Logins; got != 3 {
			t.Errorf("%d logins for three accounts", got)
		}
		verdict(t, s, store)
	})
}

// trap makes a connection's actor panic when it has a new socket and wants
// randomness for its first packet, or another actor when it wants some in a frame.
// It is an Options.Rand.
type trap struct {
	io.Reader
	frame string
	left  atomic.Int32
}

func (d *trap) Read(b []byte) (int, error) {
	pcs := make([]uintptr, 32)
	frames := goruntime.CallersFrames(pcs[:goruntime.Callers(1, pcs)])
	for {
		f, more := frames.Next()
		at := strings.HasSuffix(f.Function, cmp.Or(d.frame, "dcconn.(*conn).onDialed"))
		// The socket may be there before the key it is for.
		at = at || d.frame == "" && strings.HasSuffix(f.Function, "dcconn.(*conn).onRun")
		if at && d.left.Load() > 0 {
			d.left.Add(-1)
			panic("the randomness is broken")
		}
		if !more {
			return d.Reader.Read(b)
		}
	}
}

// judge is verdict for runs in which repeatable calls may have been repeated.
func judge(t *testing.T, s *serve.Cluster, store persistence.Store, once []int64) {
	t.Helper()
	v := s.Ledger().Verdict(storeKeys(t, store), nil, time.Time{})
	if len(v.Overlaps) > 0 || len(v.Orphans) > 0 {
		t.Errorf("the ledger's verdict: overlaps %+v, orphans %+v", v.Overlaps, v.Orphans)
	}
	for _, id := range once {
		if n := s.EchoCount(id); n > 1 {
			t.Errorf("call %d must not run twice and ran %d times", id, n)
		}
	}
}

func TestAPanicInAConnectionStartsItsLinkAgain(t *testing.T) {
	for name, noPFS := range map[string]bool{"with PFS": false, "without PFS": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, store := cluster(t, three), persistence.NewMemory()
				o := options(s, store)
				d := &trap{Reader: rand.Reader}
				o.Rand = d
				m := open(t, o)
				b := s.Descriptor().Bots[0]
				a := signInBot(t, m, "robot", b, actors.AccountOptions{NoPFS: noPFS})
				wait(t, a, actors.Online)
				other := b.DC%2 + 1
				call(t, a, actors.OnDC(dcID(other)))
				before := s.Counts()

				var once []int64
				crash := func(at, n int) (calls []<-chan error) {
					d.left.Store(int32(n))
					for i := range 4 {
						opts := []actors.CallOption{actors.OnDC(dcID(at)), actors.WithPolicy(actors.Repeatable)}
						if i%2 == 0 {
							opts[1] = actors.WithPolicy(actors.Once)
						}
						id := time.Now().UnixNano() + int64(i)
						if i%2 == 0 {
							once = append(once, id)
						}
						calls = append(calls, later(func() error {
							_, err := actors.Invoke(context.Background(), a, &echo.EchoRequest{ID: id, DelayMs: 2000}, opts...)
							return err
						}))
					}
					time.Sleep(time.Second)
					inject(t, s, dctest.Fault{Kind: dctest.FaultCloseConns, DC: at})
					return calls
				}
				for _, at := range []int{b.DC, other} {
					for _, done := range crash(at, 2) {
						if err := ended(t, "a call", done, 5*time.Minute); err != nil && !errors.Is(err, actors.ErrMayHaveRun) {
							t.Errorf("a call ended with %v", err)
						}
					}
					time.Sleep(time.Minute)
					wait(t, a, actors.Online)
					call(t, a, actors.OnDC(dcID(at)))
				}
				if after := s.Counts(); after.Logins != before.Logins || after.PermKeys != before.PermKeys || after.TempKeys != before.TempKeys {
					t.Errorf("the panics cost keys: before %+v, after %+v", before, after)
				}
				judge(t, s, store, once)

				time.Sleep(time.Hour)
				for _, done := range crash(b.DC, 100) {
					if err := ended(t, "a call", done, time.Hour); err == nil {
						t.Error("a call succeeded on a connection that cannot be")
					} else if !errors.Is(err, actors.ErrMayHaveRun) && !errors.Is(err, actors.ErrNotSent) {
						t.Errorf("a call ended with %v", err)
					}
				}
				wait(t, a, actors.Quarantined)
				d.left.Store(0)
				if err := a.Resume(soon(t)); err != nil {
					t.Fatal(err)
				}
				wait(t, a, actors.Online)
				call(t, a)
				judge(t, s, store, once)
			})
		})
	}
}

// TestASignInOutlivesPanicsOfItsConnections: its link is started again, and
// when that was tried too often, the sign-in goes on with the account's resume.
func TestASignInOutlivesPanicsOfItsConnections(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, three), persistence.NewMemory()
		o := options(s, store)
		d := &trap{Reader: rand.Reader}
		o.Rand = d
		m := open(t, o)
		p := s.Descriptor().Phones[0]
		d.left.Store(3)
		a := add(t, m, "alice")
		asked(t, a, p.Number, "code")
		d.left.Store(100)
		inject(t, s, dctest.Fault{Kind: dctest.FaultCloseConns})
		answer := later(func() error { _, err := answerCode(t, a, p.Code); return err })
		var state *actors.StateError
		if err := ended(t, "the answer", answer, time.Hour); err == nil {
			t.Error("the code was taken on a connection that cannot be")
		} else if !errors.As(err, &state) && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the answer ended with %v", err)
		}
		wait(t, a, actors.Quarantined)
		d.left.Store(0)
		if err := a.Resume(soon(t)); err != nil {
			t.Fatal(err)
		}
		for range 100 {
			time.Sleep(time.Second)
			st := a.Status()
			switch {
			case st.Step == nil:
			case st.Step.Kind == actors.StepCode:
				_, _ = answerCode(t, a, p.Code)
			case st.Step.Kind == actors.StepNewCode: // the pauses between the panics may outlast a code
				_, _ = a.Answer(soon(t), actors.Answer{Kind: actors.AnswerResend})
			}
		}
		wait(t, a, actors.Online)
		verdict(t, s, store)
	})
}

func TestAWedgedAccountIsReportedAndItsCallersAreReleased(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, three), persistence.NewMemory()
		o := options(s, store)
		stuck := make(chan struct{})
		o.Logger = slog.New(saboteur{slog.DiscardHandler, "a 401 was not confirmed", "robot", func() { <-stuck }})
		m, err := actors.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		others := bystanders(t, m, s)
		a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
		wait(t, a, actors.Online)
		begun := time.Now()
		inject(t, s, dctest.Fault{Kind: dctest.FaultRPC, Method: "testdc.echo", Code: 401, Text: "SESSION_REVOKED", Count: 1})
		_, _ = actors.Invoke(soon(t), a, &echo.EchoRequest{ID: 1})
		time.Sleep(time.Second)
		held := later(func() error {
			_, err := actors.Invoke(context.Background(), a, &echo.EchoRequest{ID: 2})
			return err
		})
		wish := later(func() error { return a.LogOut(context.Background()) })
		if err := ended(t, "a call on a wedged account", held, 5*time.Minute); !errors.Is(err, actors.ErrMayHaveRun) {
			t.Errorf("a call on the wedged account ended with %v", err)
		}
		if err := ended(t, "a wish to a wedged account", wish, time.Minute); err == nil {
			t.Error("a wedged account did what it was asked")
		}
		if st := a.Status(); st.State != actors.Quarantined || !strings.Contains(st.Why, "wedged") || st.Advice == "" {
			t.Errorf("the wedged account: %+v", st)
		}
		if _, err := actors.Invoke(context.Background(), a, &echo.EchoRequest{ID: 3}); !errors.Is(err, actors.ErrNotSent) {
			t.Errorf("a later call ended with %v", err)
		}
		if err := a.Resume(soon(t)); err == nil {
			t.Error("a wedged account was resumed")
		}
		untouched(t, others, begun)
		close(stuck)
		time.Sleep(time.Minute)
		if st := a.Status(); st.State != actors.Quarantined {
			t.Errorf("an account that was given up came back as %+v", st)
		}
		closeManager(t, m)
	})
}

// TestTheFirstManagerFallsSilentWhenAnotherClaimsTheStore: one owner per key.
func TestTheFirstManagerFallsSilentWhenAnotherClaimsTheStore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, three), persistence.NewMemory()
		m := open(t, options(s, store))
		others := bystanders(t, m, s)
		p := s.Descriptor().Phones[0]
		a := add(t, m, "alice")
		asked(t, a, p.Number, "code")
		if _, err := store.Claim("another"); err != nil {
			t.Fatal(err)
		}
		answer := later(func() error { _, err := answerCode(t, a, p.Code); return err })
		if err := ended(t, "the answer", answer, 2*time.Minute); err == nil {
			t.Error("a sign-in went on in a store that belongs to another")
		}
		time.Sleep(time.Minute)
		for _, x := range append(others, a) {
			st := x.Status()
			if st.State != actors.Quarantined || !strings.Contains(st.Why, "another manager") || st.Advice == "" {
				t.Errorf("%s: %+v", x.ID(), st)
			}
			if _, err := actors.Invoke(soon(t), x, &echo.EchoRequest{ID: 1}); !errors.Is(err, actors.ErrNotSent) {
				t.Errorf("a call as %s ended with %v", x.ID(), err)
			}
		}
		if n := s.ConnCount(); n != 0 {
			t.Errorf("%d connections are left", n)
		}
		var bad *actors.StoreError
		if _, err := m.Add(soon(t), "more", actors.AccountOptions{}); !errors.As(err, &bad) {
			t.Errorf("adding an account: %v", err)
		}
		if _, err := a.SignIn(soon(t), actors.Phone(p.Number)); !errors.As(err, &bad) {
			t.Errorf("signing in: %v", err)
		}
		if err := a.Resume(soon(t)); err == nil {
			t.Error("an account was resumed")
		}
	})
}

func TestTheFrontDoorSaysWhoIsThere(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m, err := actors.Open(options(s, store))
		if err != nil {
			t.Fatal(err)
		}
		a := add(t, m, "alice")
		var exists *actors.ExistsError
		if _, err := m.Add(soon(t), "alice", actors.AccountOptions{}); !errors.As(err, &exists) || exists.ID != "alice" {
			t.Errorf("adding an account twice: %v", err)
		}
		var none *actors.NoAccountError
		if _, err := m.Account("bob"); !errors.As(err, &none) || none.ID != "bob" {
			t.Errorf("an account that is not there: %v", err)
		}
		for _, id := range []string{"", "+49 170 1234567", "Alice", strings.Repeat("a", 65), "a/b"} {
			if _, err := m.Add(soon(t), id, actors.AccountOptions{}); err == nil {
				t.Errorf("an account was added as %q", id)
			}
		}
		var state *actors.StateError
		if err := a.LogOut(soon(t)); !errors.As(err, &state) {
			t.Errorf("logging out who is not signed in: %v", err)
		}
		if err := a.Resume(soon(t)); !errors.As(err, &state) {
			t.Errorf("resuming what is not paused: %v", err)
		}
		if _, err := a.Answer(soon(t), actors.Answer{Kind: actors.AnswerCode, Code: "1"}); !errors.As(err, &state) {
			t.Errorf("an answer nobody asked for: %v", err)
		}
		if _, err := a.SignIn(soon(t), actors.Phone("no number")); err == nil {
			t.Error("a sign-in began with what is no number")
		}
		closeManager(t, m)
		if _, err := m.Add(soon(t), "late", actors.AccountOptions{}); !errors.Is(err, actors.ErrClosed) {
			t.Errorf("adding after the end: %v", err)
		}
		if _, err := a.SignIn(soon(t), actors.Phone("1234567")); !errors.Is(err, actors.ErrClosed) {
			t.Errorf("signing in after the end: %v", err)
		}
		if err := a.LogOut(soon(t)); !errors.Is(err, actors.ErrClosed) {
			t.Errorf("logging out after the end: %v", err)
		}
		if _, err := actors.Invoke(soon(t), a, &echo.EchoRequest{ID: 1}); !errors.Is(err, actors.ErrClosed) || !errors.Is(err, actors.ErrNotSent) {
			t.Errorf("a call after the end: %v", err)
		}
		if ids, _ := store.Accounts(); len(ids) != 1 {
			t.Errorf("the store has %v", ids)
		}
	})
}

func TestOpenRefusesWhatIsNotHonest(t *testing.T) {
	good := actors.App{APIID: 20000, APIHash: "x", DeviceModel: "server", SystemVersion: "Linux", AppVersion: "1"}
	if err := actors.CheckApp(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*actors.App){
		"api_id":         func(a *actors.App) { a.APIID = 0 },
		"api_id ":        func(a *actors.App) { a.APIID = -1 },
		"api_id  ":       func(a *actors.App) { a.APIID = 2040 },
		"api_hash":       func(a *actors.App) { a.APIHash = "" },
		"device_model":   func(a *actors.App) { a.DeviceModel = " " },
		"system_version": func(a *actors.App) { a.SystemVersion = "" },
		"app_version":    func(a *actors.App) { a.AppVersion = "" },
		"app_version ":   func(a *actors.App) { a.AppVersion = "Telegram Desktop 5.0" },
		"device_model ":  func(a *actors.App) { a.DeviceModel = "telegram ANDROID" },
	} {
		app := good
		change(&app)
		var e *actors.AppError
		if err := actors.CheckApp(app); !errors.As(err, &e) || e.Field != strings.TrimSpace(name) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := actors.Open(actors.Options{Store: persistence.NewMemory(), App: app}); !errors.As(err, &e) {
			t.Errorf("%s: opened with %v", name, err)
		}
	}
	if _, err := actors.Open(actors.Options{App: good}); err == nil {
		t.Error("opened without a store")
	}
	if _, err := actors.Open(actors.Options{Store: persistence.NewMemory(), App: good}); err == nil {
		t.Error("opened without DCs")
	}
}
