package standing

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/tgerr"
)

// begun returns a started machine of a signed-in account with a route.
func begun(cfg Config) *Machine {
	m := Restore(cfg, Snapshot{State: Online, HomeDC: 2, UserID: 7})
	m.Start(epoch)
	m.Routed(epoch)
	m.Clock(epoch, 0)
	drop(m)
	return m
}

func drop(m *Machine) (n int) {
	for _, ok := m.Next(); ok; _, ok = m.Next() {
		n++
	}
	return n
}

func TestAdmitAllocatesNothing(t *testing.T) {
	m := begun(testConfig())
	m.Ended(epoch, &Call{Method: "a"}, Where{Home: true}, tgerr.New(420, "FLOOD_WAIT_60"))
	drop(m)
	c := &Call{Method: "messages.sendMessage", DC: 4}
	if n := testing.AllocsPerRun(100, func() {
		if m.Admit(epoch, c) != nil || m.Proves(c) != (m.State() != Online) {
			t.Fatal("refused")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAdmit(b *testing.B) {
	m := begun(testConfig())
	c := &Call{Method: "messages.sendMessage"}
	b.ReportAllocs()
	for b.Loop() {
		if m.Admit(epoch, c) != nil {
			b.Fatal("refused")
		}
	}
}

func TestWaitsAreBoundedAndTheFirstToEndIsForgotten(t *testing.T) {
	m := begun(testConfig())
	at := Where{DC: 2, Home: true}
	m.Ended(epoch, &Call{Purpose: ForUpdates, Method: "updates.getState"}, at, tgerr.New(420, "FLOOD_WAIT_1"))
	var d disk
	for i := range 2 * maxWaits {
		c := &Call{Method: fmt.Sprintf("m.%d", i)}
		m.Ended(epoch, c, at, tgerr.New(420, fmt.Sprintf("FLOOD_WAIT_%d", 1000-i%7*100+i)))
		for out, ok := m.Next(); ok; out, ok = m.Next() {
			d.commit(m, out)
		}
	}
	waits := m.Snapshot().Waits
	if len(waits) != maxWaits || len(d.Waits) != maxWaits {
		t.Fatalf("%d waits in memory, %d on disk, want %d", len(waits), len(d.Waits), maxWaits)
	}
	if waits[0].Scope != ScopeAccount {
		t.Error("the wait of the whole account was forgotten")
	}
	if err := m.Admit(epoch.Add(time.Second), &Call{Method: fmt.Sprintf("m.%d", 2*maxWaits-7)}); !errors.As(err, new(*WaitError)) {
		t.Errorf("one of the longest was forgotten: %v", err)
	}
}

// TestAWaitSurvivesWrongClocks plays a wait through two processes whose clocks are wrong
// in every way: in true time it is never passed and never stretched.
func TestAWaitSurvivesWrongClocks(t *testing.T) {
	const length = time.Minute
	for _, first := range []time.Duration{0, 24 * time.Hour, -24 * time.Hour} {
		for _, second := range []time.Duration{0, 24 * time.Hour, -24 * time.Hour, time.Second} {
			t.Run(fmt.Sprintf("first %v, then %v", first, second), func(t *testing.T) {
				c := &Call{Method: "messages.sendMessage"}
				m := Restore(testConfig(), Snapshot{State: Online, HomeDC: 2})
				m.Start(epoch.Add(first))
				m.Clock(epoch.Add(first), -first)
				m.Ended(epoch.Add(first), c, Where{DC: 2, Home: true}, tgerr.New(420, "FLOOD_WAIT_60"))
				s := m.Snapshot()

				begun := epoch.Add(10 * time.Second)
				for at := begun; at.Before(epoch.Add(2 * length)); at = at.Add(5 * time.Second) {
					m := Restore(testConfig(), s)
					m.Start(begun.Add(second))
					over := !at.Before(epoch.Add(length))
					if err := m.Admit(at.Add(second), c); err == nil {
						t.Fatalf("before the time was known, after %v: sent", at.Sub(epoch))
					}
					m.Clock(at.Add(second), -second)
					if err := m.Admit(at.Add(second), c); over != (err == nil) {
						t.Fatalf("after %v: %v", at.Sub(epoch), err)
					}
				}
			})
		}
	}
}

func TestARecordThatKnowsOnlyTheEndIsObeyed(t *testing.T) {
	m := Restore(testConfig(), Snapshot{State: Online, HomeDC: 2, Waits: []Wait{{Method: "a.b", Start: epoch.Add(time.Hour)}}})
	m.Start(epoch)
	m.Clock(epoch, 0)
	var wait *WaitError
	if err := m.Admit(epoch, &Call{Method: "a.b"}); !errors.As(err, &wait) || !wait.Until.Equal(epoch.Add(time.Hour)) {
		t.Errorf("before: %v", err)
	}
	if err := m.Admit(epoch.Add(time.Hour), &Call{Method: "a.b"}); err != nil {
		t.Errorf("after: %v", err)
	}
}

func TestAConfirmationBacksOff(t *testing.T) {
	cfg := testConfig()
	cfg.Rand = func() float64 { return 0.5 }
	m := begun(cfg)
	now := epoch
	m.Ended(now, &Call{Method: "a.b"}, Where{DC: 2, Home: true}, tgerr.New(401, "AUTH_KEY_UNREGISTERED"))
	asked := 0
	for now.Before(epoch.Add(30 * time.Minute)) {
		for out, ok := m.Next(); ok; out, ok = m.Next() {
			if out.Kind == OutCall {
				asked++
				m.Ended(now, &out.Call, Where{}, &localError{})
			}
		}
		if w := m.Status().Why; !strings.Contains(w, "AUTH_KEY_UNREGISTERED") {
			t.Fatalf("it does not say that it doubts: %q", w)
		}
		d := m.Deadline()
		if !d.After(now) {
			t.Fatalf("the next try is not later: %v", d)
		}
		now = d
		m.Advance(now)
	}
	if asked < 8 || asked > 14 {
		t.Errorf("%d questions in half an hour", asked)
	}
}

func TestNeedsPolicy(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		want bool
	}{
		{"a result is the caller's", nil, false},
		{"a wait is the account's", tgerr.New(420, "FLOOD_WAIT_3"), true},
		{"a wrapped wait too", fmt.Errorf("sending: %w", tgerr.New(420, "FLOOD_WAIT_3")), true},
		{"a 401 is the account's", tgerr.New(401, "AUTH_KEY_UNREGISTERED"), true},
		{"the server's trouble may be repeated", tgerr.New(500, "X"), true},
		{"a wrong query is the caller's", tgerr.New(400, "PEER_ID_INVALID"), false},
		{"a limit without a number is the caller's", tgerr.New(400, "PEER_FLOOD"), false},
		{"a lost connection is the caller's", &localError{}, false},
		{"what was given back may go again", &localError{givenBack: true}, true},
		{"what was refused here is the caller's", &StateError{State: Paused}, false},
		{"a wait of another query, for which this one was not sent", &WaitError{Method: "auth.exportAuthorization", Err: tgerr.New(420, "FLOOD_WAIT_60")}, false},
	} {
		if got := NeedsPolicy(tt.err); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestSubjectID(t *testing.T) {
	a := SubjectID([]byte("salt"), "491701234567")
	if len(a) != 32 || strings.Trim(a, "0123456789abcdef") != "" {
		t.Errorf("%q cannot name a record", a)
	}
	if a == SubjectID([]byte("other"), "491701234567") || a == SubjectID([]byte("salt"), "491701234568") {
		t.Error("two subjects have one name")
	}
}

func TestErrorsSayWhatTheServerDid(t *testing.T) {
	for _, err := range []error{&StateError{State: Paused}, &WaitError{Method: "a.b"}, &NoDCError{DC: 9}} {
		if !notSent(err) || givenBack(err) {
			t.Errorf("%v: it was not sent", err)
		}
	}
	server := tgerr.New(420, "FLOOD_WAIT_3")
	if !tgerr.Is(&WaitError{Err: server}, "FLOOD_WAIT") {
		t.Error("a WaitError hides the server's words")
	}
}

func TestStatesAreStoredAsWords(t *testing.T) {
	for s := range states {
		text, _ := s.MarshalText()
		var back State
		if err := back.UnmarshalText(text); err != nil || back != s {
			t.Errorf("%v comes back as %v, %v", s, back, err)
		}
	}
	if err := new(State).UnmarshalText([]byte("nowhere")); err == nil {
		t.Error("an unknown state is taken")
	}
}
