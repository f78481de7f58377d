package actors_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/persistence"
)

// reads complains when an error does not read as one sentence for an operator.
func reads(t *testing.T, name string, err error) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", name)
		return
	}
	s := err.Error()
	if strings.ContainsAny(s, "\n\r") || s != strings.TrimSpace(s) {
		t.Errorf("%s: it is not one line: %q", name, s)
	}
	for _, room := range []string{"actors: ", "account: ", "runtime: ", "mtproto: ", "login: ", "tgerr: ", "config: "} {
		if strings.Contains(s, room) {
			t.Errorf("%s: %q in %q means nothing to an operator", name, room, s)
		}
	}
	if strings.Contains(s, "account account") || strings.Contains(s, "the account the") {
		t.Errorf("%s: it stammers: %q", name, s)
	}
}

// TestErrorsReadAsOneLine walks the errors that callers and operators meet.
func TestErrorsReadAsOneLine(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := cluster(t, serve.Config{Persons: 1, Bots: 1})
		d, store := s.Descriptor(), persistence.NewMemory()
		m := open(t, options(s, store))
		a := signInBot(t, m, "robot", d.Bots[0], actors.AccountOptions{})
		wait(t, a, actors.Online)
		call := func(ctx context.Context) error {
			_, err := actors.Invoke(ctx, a, &echo.EchoRequest{ID: 1, DelayMs: 2000}, actors.WithPolicy(actors.Once))
			return err
		}
		local := func(name string, err, fate error) {
			t.Helper()
			reads(t, name, err)
			other := actors.ErrMayHaveRun
			if errors.Is(fate, other) {
				other = actors.ErrNotSent
			}
			if !errors.Is(err, fate) || errors.Is(err, other) {
				t.Errorf("%s: %v does not say what became of the call", name, err)
			}
		}

		gone, cancel := context.WithCancel(t.Context())
		cancel()
		err := call(gone)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the caller's own end is lost: %v", err)
		}
		reads(t, "a caller who gave up before", err)
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err = call(short)
		local("a caller who gave up meanwhile", err, actors.ErrMayHaveRun)
		if want := "context deadline exceeded; it may have run"; err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}

		_, err = a.SignIn(soon(t), actors.BotToken(d.Bots[0].Token))
		reads(t, "signing in twice", err)
		_, err = a.Answer(soon(t), actors.Answer{Kind: actors.AnswerCode, Code: "1"})
		reads(t, "an answer nobody asked for", err)
		reads(t, "removing what is signed in", a.Remove(soon(t), false))
		_, err = m.Account("nobody")
		reads(t, "no such account", err)
		_, err = m.Add(soon(t), "robot", actors.AccountOptions{})
		reads(t, "an account twice", err)
		_, err = m.Add(soon(t), "Robot!", actors.AccountOptions{})
		if err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("a bad name: %v", err)
		}

		if err := a.Pause(soon(t)); err != nil {
			t.Fatal(err)
		}
		err = call(soon(t))
		local("a call of a paused account", err, actors.ErrNotSent)
		var state *actors.StateError
		if !errors.As(err, &state) || state.State != actors.Paused {
			t.Errorf("the state is lost: %v", err)
		}
		if s := err.Error(); !strings.HasPrefix(s, "the account is paused") || !strings.HasSuffix(s, "; not sent") {
			t.Errorf("got %q", s)
		}

		if err := a.Remove(soon(t), true); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // its actor is gone
		local("a call of a removed account", call(soon(t)), actors.ErrNotSent)
		reads(t, "pausing a removed account", a.Pause(soon(t)))
		closeManager(t, m)
		local("a call after the end", call(soon(t)), actors.ErrNotSent)
		_, err = m.Add(soon(t), "late", actors.AccountOptions{})
		reads(t, "adding after the end", err)
	})
}

func TestErrorTextsReadAsOneLine(t *testing.T) {
	bad := &actors.App{DeviceModel: "Telegram"}
	for name, err := range map[string]error{
		"four wrong fields":        actors.CheckApp(*bad),
		"an official id":           actors.CheckApp(actors.App{APIID: 2040, APIHash: "x", DeviceModel: "a", SystemVersion: "b", AppVersion: "c"}),
		"a store that refuses":     &actors.StoreError{Err: errors.Join(&persistence.WriteError{Err: errors.New("disk full")}, persistence.ErrClosed)},
		"a sign-in refused":        &actors.SignInError{Reason: actors.SignInBanned, Message: "this number is banned", Err: tgerr.New(400, "PHONE_NUMBER_BANNED")},
		"a sign-in that must wait": &actors.SignInError{Reason: actors.SignInFlood, Message: "too often", Until: time.Unix(1e9, 0)},
		"an unreadable result":     &actors.ResultError{Method: "users.getUsers", Err: errors.New("tl: offset 4: unknown constructor")},
		"the manager is closed":    actors.ErrClosed,
		"the account stopped":      actors.ErrStopped,
	} {
		reads(t, name, err)
	}
	if _, err := actors.Open(actors.Options{}); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("no options: %v", err)
	}
	if err := (&actors.ResultError{Err: errors.New("x")}); !errors.Is(err, actors.ErrMayHaveRun) {
		t.Error("a call with an unreadable result did run")
	}
}

func TestWords(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"no error", nil, ""},
		{"a plain one", errors.New("the disk is full"), "the disk is full"},
		{"the rooms it came through", errors.New("actors: account: persistence: commit: tl: x"), "commit: x"},
		{"two joined", errors.Join(errors.New("mtproto: one"), errors.New("two")), "one; two"},
		{"the same twice", errors.Join(errors.New("one"), fmt.Errorf("account: one")), "one"},
		{"a name like a room", errors.New("pending for account account: finish it"), "pending for account account: finish it"},
		{"empty lines", errors.New("\none\n\n"), "one"},
	} {
		if got := actors.Words(c.err); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestAStatusNamesNoPackage: why a connection was lost is an error of the rooms
// below, and a status quotes it.
func TestAStatusNamesNoPackage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
		wait(t, a, actors.Online)
		inject(t, s, dctest.Fault{Kind: dctest.FaultDelay, Direction: dctest.Out, Delay: dctest.Duration(time.Hour), For: dctest.Duration(5 * time.Minute)})
		inject(t, s, dctest.Fault{Kind: dctest.FaultCloseConns})
		heard := false // that a new connection was given up
		for range 120 {
			time.Sleep(time.Second)
			why := a.Status().Why
			heard = heard || strings.Contains(why, "no pong")
			if strings.Contains(why, "mtproto: ") {
				t.Fatalf("the status says %q", why)
			}
		}
		if !heard {
			t.Error("no status told of a pong that did not come")
		}
	})
}
