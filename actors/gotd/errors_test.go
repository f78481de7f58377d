package gotd

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gotd/td/telegram/auth"
	gotderr "github.com/gotd/td/tgerr"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
)

// TestErrorsMeanTheSameToBoth: what ends a call, and what gotd's helpers make
// of it. The real roads to most of them are in invoker_test.go.
func TestErrorsMeanTheSameToBoth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := func(d time.Duration) time.Time { return time.Now().Add(d) }
		for _, c := range []struct {
			name string
			err  error
			code int    // 0: gotd has no error for it
			text string // as gotd would have got it
		}{
			{"a refusal", tgerr.New(400, "CHAT_ID_INVALID"), 400, "CHAT_ID_INVALID"},
			{"a migration that led nowhere", tgerr.New(303, "FILE_MIGRATE_4"), 303, "FILE_MIGRATE_4"},
			{"a text that is no name", tgerr.New(-503, "Timeout"), -503, "Timeout"},
			{"a wait that is new", &actors.WaitError{Until: in(30 * time.Second), Err: tgerr.New(420, "FLOOD_WAIT_30")}, 420, "FLOOD_WAIT_30"},
			{"a wait of another kind", &actors.WaitError{Until: in(9 * time.Second), Err: tgerr.New(420, "SLOWMODE_WAIT_9")}, 420, "SLOWMODE_WAIT_9"},
			{"a wait of downloads", &actors.WaitError{Until: in(5 * time.Second), Err: tgerr.New(420, "FLOOD_PREMIUM_WAIT_5")}, 420, "FLOOD_PREMIUM_WAIT_5"},
			{"a wait that was remembered", &actors.WaitError{Until: in(90*time.Second + time.Millisecond)}, 420, "FLOOD_WAIT_91"},
			{"a wait that is just over", &actors.WaitError{Until: in(-time.Second)}, 420, "FLOOD_WAIT_1"},
			{"a wait of many years", &actors.WaitError{Until: in(200 * 365 * 24 * time.Hour)}, 420, "FLOOD_WAIT_2147483647"},
			{"nobody signed in yet", &actors.StateError{State: actors.New}, 401, "AUTH_KEY_UNREGISTERED"},
			{"a sign-in under way", &actors.StateError{State: actors.SigningIn}, 401, "AUTH_KEY_UNREGISTERED"},
			{"signed out", &actors.StateError{State: actors.SignedOut}, 401, "AUTH_KEY_UNREGISTERED"},
			{"revoked", &actors.StateError{State: actors.Revoked}, 401, "AUTH_KEY_UNREGISTERED"},
			{"duplicated", &actors.StateError{State: actors.Duplicated}, 406, "AUTH_KEY_DUPLICATED"},
			{"paused", &actors.StateError{State: actors.Paused}, 0, ""},
			{"quarantined", &actors.StateError{State: actors.Quarantined}, 0, ""},
			{"too many calls", &actors.BusyError{}, 0, ""},
			{"a context", context.DeadlineExceeded, 0, ""},
			{"closed", actors.ErrClosed, 0, ""},
			{"words about another call", errors.Join(tgerr.New(401, "AUTH_KEY_UNREGISTERED"), actors.ErrNotSent), 0, ""},
		} {
			err := mapped(c.err)
			if !errors.Is(err, c.err) || err.Error() != c.err.Error() {
				t.Errorf("%s: %v became %v", c.name, c.err, err)
			}
			got, ok := gotderr.As(err)
			if want := gotderr.New(c.code, c.text); ok != (c.code != 0) || ok && *got != *want {
				t.Errorf("%s: gotd sees %+v, want %+v", c.name, got, want)
				continue
			}
			if auth.IsUnauthorized(err) != (c.code == 401) {
				t.Errorf("%s: auth.IsUnauthorized is %v", c.name, auth.IsUnauthorized(err))
			}
			wait, flood := gotderr.AsFloodWait(err)
			if want := ok && (got.Type == "FLOOD_WAIT" || got.Type == "FLOOD_PREMIUM_WAIT"); flood != want || flood && wait != time.Duration(got.Argument)*time.Second {
				t.Errorf("%s: tgerr.AsFloodWait is %v, %v", c.name, wait, flood)
			}
		}
	})
}

func TestAChallengeInAnErrorIsNotInItsText(t *testing.T) {
	err := mapped(tgerr.New(403, "RECAPTCHA_CHECK_signup__6LeSecret"))
	if got, ok := gotderr.As(err); !ok || got.Message != "RECAPTCHA_CHECK_signup__6LeSecret" {
		t.Errorf("gotd does not have the challenge: %+v", got)
	}
	if text := err.Error(); text != "tgerr: server answered 403 RECAPTCHA_CHECK" {
		t.Errorf("the text is %q", text)
	}
}
