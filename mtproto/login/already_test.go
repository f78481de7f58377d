package login

import (
	"strings"
	"testing"
)

// Another account is that user already. Whichever way somebody signs in, and
// whenever the process dies on the way, the authorization is taken back (drain
// holds that nobody is left at the server) and the error names the account.
func TestAUserOfAnotherAccountIsSignedOutAgain(t *testing.T) {
	taken := func(w *world) *world {
		w.cfg.HoldUser = func(user int64) string {
			if user != w.server.user {
				return ""
			}
			return "alice"
		}
		w.m.cfg.HoldUser = w.cfg.HoldUser
		return w
	}
	refused := func(t *testing.T, w *world, what string) {
		t.Helper()
		if e := w.failed; e == nil || e.Reason != ReasonAlready || e.Account != "alice" || !strings.Contains(e.Error(), `"alice"`) {
			w.failf("%s: it ended with %v, %v", what, w.done, w.failed)
		}
	}
	for name, start := range journeys() {
		first := taken(start(t))
		first.finish()
		refused(t, first, name)
		for _, saved := range first.saved {
			for _, executed := range []bool{false, true} {
				if executed && saved.query == nil {
					continue
				}
				w := taken(start(t))
				w.forgets = false
				w.server, w.at, w.now, w.disk = copyOf(saved.server), saved.at, saved.now, &saved.snapshot
				if executed {
					_, _ = w.server.reply(w.at, saved.query)
				}
				w.crash()
				w.finish()
				refused(t, w, name+", killed at "+saved.snapshot.String())
			}
		}
	}
}

// Who is held is held once it is known who it is: a user whom nobody else is
// ends signed in, and an attempt that is cancelled holds nobody.
func TestAUserIsHeldWhenTheServerHasSignedThemIn(t *testing.T) {
	for name, start := range journeys() {
		w, held := start(t), []int64(nil)
		w.m.cfg.HoldUser = func(user int64) string {
			held = append(held, user)
			return ""
		}
		w.finish()
		if w.done == nil || len(held) != 1 || held[0] != w.done.UserID {
			t.Errorf("%s: held %v, signed in %+v, %v", name, held, w.done, w.failed)
		}
	}
}
