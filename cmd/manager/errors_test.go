package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/account"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/config"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/storecopy"
)

// TestErrorsReadAsOneLine walks what the command tells an operator. Only a
// configuration with problems takes more than a line: one for each problem.
func TestErrorsReadAsOneLine(t *testing.T) {
	bad := persistence.Key{Account: "alice", Kind: persistence.KindPermKey, Sub: "2"}
	state := &actors.StateError{State: actors.Paused, Why: "by its owner"}
	for name, err := range map[string]error{
		"no such account":           &actors.NoAccountError{ID: "x"},
		"an account twice":          &actors.ExistsError{ID: "x"},
		"a wish of the wrong state": fmt.Errorf("account x: %w", state),
		"a call of the wrong state": errors.Join(state, actors.ErrNotSent),
		"a wait":                    &actors.WaitError{Method: "auth.sendCode", Until: time.Now().Add(time.Hour)},
		"a call that may have run":  errors.Join(actors.ErrStopped, actors.ErrMayHaveRun),
		"a phone number taken":      &actors.PhoneBusyError{Holder: "alice"},
		"still signed in":           fmt.Errorf("account x: %w", account.ErrSignedIn),
		"wrong device info":         actors.CheckApp(actors.App{}),
		"a refused sign-in":         &actors.SignInError{Reason: actors.SignInToken, Message: "unknown token", Err: tgerr.New(400, "ACCESS_TOKEN_INVALID")},
		"a hostile refusal":         &actors.SignInError{Reason: actors.SignInServer, Message: "refused", Err: tgerr.New(400, "two\nlines")},
		"a server's error":          tgerr.New(500, "two\nlines"),
		"a store that refuses":      &actors.StoreError{Err: errors.Join(errors.New("full"), persistence.ErrClosed)},
		"two bad records":           errors.Join(&persistence.CorruptError{Key: bad, Why: "torn"}, &persistence.VersionError{Key: bad, Version: 3, Known: 1}),
		"a damaged store":           &persistence.DamagedError{Dir: "/data", Why: "MANIFEST is missing", Commit: 7, CopyCommit: 6},
		"a copied store":            &persistence.CopiedError{Dir: "/data", ID: "01020304"},
		"a store that was moved":    &persistence.MovedError{Place: "/data", Move: persistence.Move{Other: "a database"}},
		"half a copy":               &persistence.MovedError{Place: "/data", Move: persistence.Move{Other: "a database", Partial: true}},
		"a copy over a fleet":       &persistence.NotEmptyError{Place: "/data", Do: "move it away"},
		"a copy that differs":       &storecopy.DifferenceError{Key: bad, Why: "the copy has it otherwise"},
		"a store in use":            &persistence.LockedError{Dir: "/data", PID: 7},
		"the wrong master key":      &persistence.MasterKeyError{Source: "f", Reason: "it is another store's"},
		"nobody answers":            fmt.Errorf("%w on %s: %w", control.ErrNobody, "/run/x.sock", errors.New("connection refused")),
		"an address in use":         &serve.AddrError{DC: 2, Addr: "127.0.0.1:1", Reason: "address already in use"},
		"a wrong option":            usage("--set x: this must be NAME=VALUE"),
		"interrupted":               context.Canceled,
		"out of time":               fmt.Errorf("account x: %w", context.DeadlineExceeded),
		"one wrong setting, raw":    errors.New((&config.Error{Problems: []config.Problem{{Path: "a", Message: "x"}, {Path: "b", Message: "y"}}}).Error()),
	} {
		got := describe(err)
		if got == "" || strings.ContainsAny(got, "\n\r") {
			t.Errorf("%s: it is not one line: %q", name, got)
		}
		for _, room := range []string{"actors: ", "account: ", "login: ", "persistence: ", "mtproto: ", "tgerr: ", "control: ", "config: "} {
			if strings.Contains(got, room) {
				t.Errorf("%s: %q in %q means nothing to an operator", name, room, got)
			}
		}
	}
	problems := &config.Error{Problems: []config.Problem{{Path: "api_id", Message: "x"}, {Path: "api_hash", Message: "y"}}}
	if got := strings.Split(describe(problems), "\n"); len(got) != 4 || got[1] != "  api_id: x" || got[2] != "  api_hash: y" {
		t.Errorf("a configuration with two problems reads %q", got)
	}
}
