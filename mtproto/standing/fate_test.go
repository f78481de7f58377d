package standing

import (
	"errors"
	"testing"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
)

// TestWhoHearsOfACallThatCameBack: its asker at once, or after the machine, or
// the machine alone.
func TestWhoHearsOfACallThatCameBack(t *testing.T) {
	own := errors.New("a fault of ours")
	for _, c := range []struct {
		purpose Purpose
		err     error
		want    Fate
	}{
		{ForCaller, nil, FateOver},
		{ForCaller, tgerr.New(400, "PEER_ID_INVALID"), FateOver},
		{ForCaller, own, FateOver},
		{ForCaller, tgerr.New(420, "FLOOD_WAIT_7"), FateJudged},
		{ForCaller, tgerr.New(406, "AUTH_KEY_DUPLICATED"), FateJudged},
		{ForUpdates, nil, FateOver},
		{ForUpdates, tgerr.New(400, "PEER_ID_INVALID"), FateJudged},
		{ForUpdates, own, FateJudged},
		{ForSignIn, tgerr.New(303, "PHONE_MIGRATE_4"), FateJudged},
		{ForConfirm, nil, FateOwn},
		{ForLogOut, nil, FateOwn},
		{ForLogOut, tgerr.New(401, "AUTH_KEY_UNREGISTERED"), FateOwn},
		{ForProof, own, FateOwn},
		{ForFreeze, nil, FateOwn},
		{ForFreeze, tgerr.New(420, "FLOOD_WAIT_7"), FateOwn},
	} {
		m := Restore(Config{}, Snapshot{State: Online, HomeDC: 2, UserID: 1})
		m.Start(epoch)
		m.Routed(epoch)
		for out, ok := m.Next(); ok; out, ok = m.Next() {
			_ = out
		}
		call := Call{ID: 1, Purpose: c.purpose, Method: "users.getUsers"}
		if got := m.Returned(epoch, &call, Where{DC: 2, Home: true}, nil, c.err); got != c.want {
			t.Errorf("%v, %v: fate %d, want %d", c.purpose, c.err, got, c.want)
		}
		ends := 0
		for out, ok := m.Next(); ok; out, ok = m.Next() {
			if out.Kind == OutEnd || out.Kind == OutSend {
				ends++
			}
		}
		if (ends == 1) != (c.want == FateJudged) || ends > 1 {
			t.Errorf("%v, %v: %d ends", c.purpose, c.err, ends)
		}
	}
}
