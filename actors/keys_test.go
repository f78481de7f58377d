package actors_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/persistence"
)

// This file is about calls and the trouble that is their key's alone.

// TestACallThatIsRefusedForItsKeyGoesUnderTheNext: a DC that has lost a binding
// says AUTH_KEY_PERM_EMPTY to whatever comes under the key, and has run nothing of
// it. So a call that must not run twice may go again, however often that happens.
func TestACallThatIsRefusedForItsKeyGoesUnderTheNext(t *testing.T) {
	for _, calls := range []int{1, 20} {
		for _, refusals := range []int{1, 2, 3, 5, 25} {
			t.Run(fmt.Sprintf("%d calls and %d refusals", calls, refusals), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					s, store := cluster(t, small), persistence.NewMemory()
					m := open(t, options(s, store))
					a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
					wait(t, a, actors.Online)
					time.Sleep(time.Hour)
					before := s.Counts()
					inject(t, s, dctest.Fault{Kind: dctest.FaultRPC, Method: "testdc.echo", Code: 401, Text: "AUTH_KEY_PERM_EMPTY", Count: refusals})
					ctx := soon(t)
					ended := make(chan error, calls)
					for i := range calls {
						go func() {
							id := int64(i + 1)
							_, err := actors.Invoke(ctx, a, &echo.EchoRequest{ID: id}, actors.WithPolicy(actors.Once))
							if n := s.EchoCount(id); n != 1 {
								err = errors.Join(err, fmt.Errorf("it ran %d times", n))
							}
							ended <- err
						}()
					}
					for range calls {
						if err := <-ended; err != nil {
							t.Errorf("a call: %v", err)
						}
					}
					after := s.Counts()
					if after.PermKeys != before.PermKeys || after.Logins != before.Logins {
						t.Errorf("before %+v, after %+v; the perm key and the login were not to blame", before, after)
					}
					wait(t, a, actors.Online)
					verdict(t, s, store)
				})
			})
		}
	}
}
