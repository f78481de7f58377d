package actors_test

import (
	"errors"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
)

// What an account was asked for ends before it is handed over, as calls do: if it can in the time that there is. Who waits for
// somebody else to do something holds nothing up.
func TestWhatAnAccountWasAskedForEndsBeforeItIsHandedOver(t *testing.T) {
	for _, c := range []struct {
		name  string
		slow  time.Duration // how long the server takes for a logout
		drain time.Duration
		ok    bool
	}{
		{"there is time for it", 2 * time.Second, 10 * time.Second, true},
		{"there is not", time.Minute, 3 * time.Second, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				k := openSeveral(t, 1)
				o := k.options("a", nil)
				o.Store, o.Cluster.DrainLimit = k.store.Node(), c.drain
				a := open(t, o)
				bot := signInBot(t, a, "robot", k.s.Descriptor().Bots[0], actors.AccountOptions{})
				wait(t, bot, actors.Online)
				waits := add(t, a, "waits")
				step, err := waits.SignIn(soon(t), actors.Passkey())
				if err != nil {
					t.Fatal(err)
				}
				b := k.node("b")

				inject(t, k.s, dctest.Fault{Kind: dctest.FaultSlow, Method: "auth.logOut", Delay: dctest.Duration(c.slow), Count: 1})
				loggedOut, followed := make(chan error, 1), make(chan error, 1)
				go func() { loggedOut <- bot.LogOut(soon(t)) }()
				go func() {
					_, err := waits.NextStep(soon(t), step)
					followed <- err
				}()
				time.Sleep(time.Second)
				begun := time.Now()
				if err := a.Drain(soon(t)); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(begun); took > c.drain+time.Second {
					t.Errorf("the drain took %v", took)
				}
				switch err := <-loggedOut; {
				case c.ok && err != nil:
					t.Errorf("the logout: %v", err)
				case !c.ok && (!errors.Is(err, actors.ErrMayHaveRun) || errors.As(err, new(*actors.ElsewhereError))):
					t.Errorf("the logout that was cut off: %v", err)
				}
				if err := <-followed; !errors.As(err, new(*actors.ElsewhereError)) {
					t.Errorf("who waited for a step: %v", err)
				}
				select {
				case <-bot.Parted():
				default:
					t.Error("the account has not parted")
				}
				for what, err := range map[string]error{"a pause": bot.Pause(soon(t)), "a rotation": bot.Rotate(soon(t)), "a resume": bot.Resume(soon(t))} {
					if !errors.As(err, new(*actors.ElsewhereError)) {
						t.Errorf("%s where it was: %v", what, err)
					}
				}
				closeManager(t, a)
				for id, state := range map[string]actors.State{"robot": actors.SignedOut, "waits": actors.SigningIn} {
					for range 100 {
						if _, err = b.Account(id); err == nil {
							break
						}
						time.Sleep(100 * time.Millisecond)
					}
					here, err := b.Account(id)
					if err != nil {
						t.Fatal(err)
					}
					wait(t, here, state) // a logout that was cut off goes on
				}
			})
		})
	}
}
