package standing

import (
	"errors"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
)

// back is the end of a query whose connection was closed.
type back struct{ unsent bool }

func (back) Error() string   { return "the connection was closed" }
func (back) GivenBack() bool { return true }
func (b back) NotSent() bool { return b.unsent }
func paused() error          { return &StateError{State: Paused} }
func trouble() error         { return tgerr.New(500, "INTERNAL") }

// A call that may run twice goes again; when that comes to nothing its caller is
// not told that the server did not execute it.
func TestWhatACallIsToldAfterAnEarlierTry(t *testing.T) {
	for _, c := range []struct {
		name  string
		first error // how the first try ended
		last  error // and the last
		ran   bool
	}{
		{"given back and never sent, then refused", back{unsent: true}, paused(), false},
		{"given back and sent, then refused", back{}, paused(), true},
		{"given back and sent, then given back", back{}, back{unsent: true}, true},
		{"the server's trouble, then refused", trouble(), paused(), true},
		{"the server's trouble twice", trouble(), trouble(), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC)
			m := Restore(Config{}, Snapshot{State: Online, HomeDC: 2})
			m.Start(now)
			call := Call{ID: 1, Method: "messages.getHistory", Repeatable: true}
			m.Ended(now, &call, Where{DC: 2, Home: true, Key: 1}, c.first)
			m.Advance(now.Add(time.Second))
			var sent *Call
			for out, ok := m.Next(); ok; out, ok = m.Next() {
				if out.Kind == OutSend {
					sent = &out.Call
				}
			}
			if sent == nil {
				t.Fatal("it does not go again")
			}
			got := sent.AfterTries(c.last)
			var ran *RanError
			if errors.As(got, &ran) != c.ran {
				t.Errorf("its caller is told %v", got)
			}
			var state *StateError
			if errors.As(got, &state) != errors.As(c.last, &state) {
				t.Errorf("%v does not hold what the account says", got)
			}
		})
	}
}

// The end of a call may wait for a commit, and its account be stopped meanwhile: then
// its caller is not told that the server did not execute it, unless that is certain.
func TestWhatACallIsToldThatEndedAsItsAccountStopped(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error // how the call came back
		ran  bool
	}{
		{"never sent", back{unsent: true}, false},
		{"sent, and its connection closed", back{}, true},
		{"the server's trouble, perhaps after the work", trouble(), true},
		{"refused by the server", tgerr.New(400, "PEER_ID_INVALID"), false},
		{"ordered to wait", tgerr.New(420, "FLOOD_WAIT_30"), false},
	} {
		for _, repeatable := range []bool{false, true} {
			now := time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC)
			m := Restore(Config{}, Snapshot{State: Online, HomeDC: 2})
			m.Start(now)
			m.Pause(now, 1)
			call := Call{ID: 1, Method: "messages.sendMessage", Repeatable: repeatable}
			m.Ended(now, &call, Where{DC: 2, Home: true, Key: 1}, c.err)
			var ran *RanError
			if got := call.AfterTries(paused()); errors.As(got, &ran) != c.ran {
				t.Errorf("%s, repeatable %v: its caller is told %v", c.name, repeatable, got)
			}
		}
	}
}

// A second message under one random_id is refused with the code of the server's
// trouble. It is the answer to a repetition, and its caller has it at once.
func TestWhatWasSentAlreadyIsNotSentAgain(t *testing.T) {
	now := time.Date(2024, 5, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		err    error
		repeat bool
	}{
		{tgerr.New(500, "RANDOM_ID_DUPLICATE"), false},
		{trouble(), true},
	} {
		m := Restore(Config{}, Snapshot{State: Online, HomeDC: 2})
		m.Start(now)
		m.Ended(now, &Call{ID: 1, Method: "messages.sendMessage", Repeatable: true}, Where{DC: 2, Home: true, Key: 1}, c.err)
		m.Advance(now.Add(time.Minute))
		var ended, sent bool
		for out, ok := m.Next(); ok; out, ok = m.Next() {
			ended = ended || out.Kind == OutEnd && errors.Is(out.Err, c.err)
			sent = sent || out.Kind == OutSend
		}
		if sent != c.repeat || ended == c.repeat {
			t.Errorf("%v: sent again %v, ended %v", c.err, sent, ended)
		}
	}
}
