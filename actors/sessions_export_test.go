package actors

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/foreign"
)

// exportStage is a stage with an account online that may be handed out.
func exportStage(t *testing.T, f signInFlow, on conditions) *stage {
	t.Helper()
	st := newStage(t, f, on, nothing, 0)
	st.close()
	st.export = true
	st.open()
	var err error
	st.a, err = st.m.Account("alice")
	st.must(err)
	st.play()
	st.sim.RunFor(time.Minute)
	return st
}

func TestNoSessionIsHandedOutUnlessTheConfigurationSaysSo(t *testing.T) {
	st := newStage(t, sessionOfBot, conditions{}, nothing, 0)
	st.play()
	defer st.close()
	if got, err := st.a.Export(context.Background(), foreign.GoTD); !errors.Is(err, ErrExportOff) || got != nil {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if s := st.a.Status(); s.State != Online {
		t.Errorf("it was stopped: %v", s.State)
	}
}

// TestASessionIsHandedOutBySilence: when it is handed out the account has no
// connection, and gets none by itself, by its owner's Resume, or in another
// process. It is the same key, which goes on when it is taken back.
func TestASessionIsHandedOutBySilence(t *testing.T) {
	for _, on := range []conditions{{}, {strict: true}, {noPFS: true}} {
		t.Run(on.String(), func(t *testing.T) {
			st := exportStage(t, sessionOfPerson, on)
			ctx := context.Background()
			want := sessionIn(st, "alice")
			text, err := st.a.Export(ctx, foreign.Telethon)
			st.must(err)
			got, err := foreign.ParseText(text)
			st.must(err)
			if !bytes.Equal(got.Key[:], want.Key[:]) || got.DC != want.DC || got.Addr != want.Addr {
				t.Errorf("it is of DC %d at %s, and the key is right: %v", got.DC, got.Addr, bytes.Equal(got.Key[:], want.Key[:]))
			}
			silent := func(when string) {
				t.Helper()
				if open := st.net.connections(); open > 0 {
					t.Errorf("%s: %d connections", when, open)
				}
				st.sim.RunFor(time.Hour)
				if s := st.a.Status(); s.State != Exported || !s.SignedIn || !strings.Contains(s.Why, "telethon") || st.net.connections() > 0 {
					t.Errorf("%s: %+v, %d connections", when, s, st.net.connections())
				}
			}
			silent("when it is handed out")
			var state *StateError
			if err := st.a.Resume(ctx); !errors.As(err, &state) || !strings.Contains(err.Error(), "take it back") {
				t.Errorf("resumed: %v", err)
			}
			if err := st.a.LogOut(ctx); !errors.As(err, &state) {
				t.Errorf("logged out: %v", err)
			}
			if _, err := Invoke(ctx, st.a, &echo.EchoRequest{ID: 9}); !errors.As(err, &state) || !errors.Is(err, ErrNotSent) {
				t.Errorf("called: %v", err)
			}
			if _, err := st.m.Import(ctx, "bob", got, AccountOptions{}); !is(err, SignInAlready) {
				t.Errorf("a second holder in one store: %v", err)
			}
			st.close()
			st.open()
			st.a, err = st.m.Account("alice")
			st.must(err)
			silent("after a restart")
			again, err := st.a.Export(ctx, foreign.Telethon)
			if err != nil || !bytes.Equal(again, text) {
				t.Errorf("once more: %v", err)
			}
			if keyTold(want, st.log.String()) || !strings.Contains(st.log.String(), "audit: a session was handed out") {
				t.Errorf("the log has the key, or has no word of it:\n%s", st.log.String())
			}
			st.must(st.a.TakeBack(ctx))
			st.sim.RunFor(time.Minute)
			if s := st.a.Status(); s.State != Online {
				t.Errorf("taken back: %+v", s)
			}
			if err := st.a.TakeBack(ctx); !errors.As(err, &state) {
				t.Errorf("taken back twice: %v", err)
			}
			st.judge()
			st.close()
		})
	}
}

// TestWhatIsHandedOutIsTakenInElsewhere: from one store into another, of every
// format that is written, and back.
func TestWhatIsHandedOutIsTakenInElsewhere(t *testing.T) {
	ctx := context.Background()
	for _, f := range foreign.Formats() {
		if !f.Write {
			continue
		}
		t.Run(string(f.Name), func(t *testing.T) {
			st := exportStage(t, sessionOfBot, conditions{})
			text, err := st.a.Export(ctx, f.Name)
			st.must(err)
			s, err := foreign.ParseText(text)
			st.must(err)
			st.close()
			ours := st.disk
			st.disk = persistence.NewMemory()
			st.open()
			st.must(st.takeIn(s, AccountOptions{}))
			st.takenIn(s)
			moved, err := st.a.Export(ctx, f.Name)
			st.must(err)
			if !bytes.Equal(moved, text) {
				t.Errorf("it is another text")
			}
			st.must(st.a.Remove(ctx, true))
			st.close()

			st.disk = ours
			st.open()
			st.a, err = st.m.Account("alice")
			st.must(err)
			st.must(st.a.TakeBack(ctx))
			st.sim.RunFor(time.Minute)
			st.judge()
			st.close()
		})
	}
}

// TestATempKeyThatWasCutOffElsewhereIsReplaced: whoever had the session bound a key
// of its own, which cut off the one that a taken-back account goes on with.
func TestATempKeyThatWasCutOffElsewhereIsReplaced(t *testing.T) {
	ctx := context.Background()
	st := exportStage(t, sessionOfBot, conditions{strict: true})
	want := sessionIn(st, "alice")
	text, err := st.a.Export(ctx, foreign.GoTD)
	st.must(err)
	s, err := foreign.ParseText(text)
	st.must(err)
	st.close()
	ours := st.disk
	st.disk = persistence.NewMemory()
	st.open()
	st.must(st.takeIn(s, AccountOptions{}))
	st.close()

	st.disk = ours
	st.open()
	st.a, err = st.m.Account("alice")
	st.must(err)
	before := tempKeysIn(st)
	st.must(st.a.TakeBack(ctx))
	st.sim.RunFor(time.Minute)
	if got := st.a.Status(); got.State != Online || !got.Bound {
		t.Errorf("taken back: %+v", got)
	}
	if _, err := Invoke(ctx, st.a, &echo.EchoRequest{ID: 9}); err != nil {
		t.Errorf("a call: %v", err)
	}
	for _, id := range tempKeysIn(st) {
		if slices.Contains(before, id) {
			t.Error("the temp key that was cut off is kept")
		}
	}
	if got := sessionIn(st, "alice"); got.Key != want.Key {
		t.Error("it has another perm key")
	}
	st.close()
}

func tempKeysIn(st *stage) (ids []int64) {
	records, err := st.disk.Load("alice")
	st.must(err)
	state, err := persistence.DecodeState(records)
	st.must(err)
	for _, k := range state.TempKeys {
		ids = append(ids, k.KeyID)
	}
	if len(ids) == 0 {
		st.t.Error("there is no temp key")
	}
	return ids
}

// TestAProcessThatDiesWhileItHandsOut has either not begun, or the account is
// Exported: what nobody got is taken back.
func TestAProcessThatDiesWhileItHandsOut(t *testing.T) {
	for _, durable := range []bool{false, true} {
		st := exportStage(t, sessionOfBot, conditions{})
		disk := st.onDisk(0, durable)
		var err error
		st.a, err = st.m.Account("alice")
		st.must(err)
		st.sim.RunFor(time.Minute)
		disk.at = disk.n + 1
		if text, err := st.a.Export(context.Background(), foreign.GoTD); err == nil || text != nil {
			t.Errorf("it was handed out: %v", err)
		}
		st.sim.RunFor(time.Second)
		st.open()
		st.a, err = st.m.Account("alice")
		st.must(err)
		st.sim.RunFor(time.Minute)
		want := Online
		if durable {
			want = Exported
		}
		if s := st.a.Status(); s.State != want {
			t.Errorf("on disk %v: %+v", durable, s)
		}
		st.close()
	}
}

func TestASessionIsShownToServersOfItsOwnWorldAlone(t *testing.T) {
	private := dc.Table{Keys: []string{string(playKey().Public().PEM())}, Options: []dc.Option{{DC: 2, Addr: playAddress(2)}}}
	for _, c := range []struct {
		name  string
		table dc.Table
		s     foreign.Session
		ok    bool
	}{
		{"of production", dc.Production(), foreign.Session{DC: 2, Test: foreign.No}, true},
		{"that does not say", dc.Production(), foreign.Session{DC: 4}, true},
		{"of production, by its address", dc.Production(), foreign.Session{DC: 2, Addr: "149.154.167.51:443"}, true},
		{"at an address that nobody knows", dc.Production(), foreign.Session{DC: 2, Addr: "203.0.113.7:443"}, true},
		{"of test servers, on production", dc.Production(), foreign.Session{DC: 2, Test: foreign.Yes}, false},
		{"of test servers, by its address", dc.Production(), foreign.Session{DC: 2, Addr: "149.154.167.40:443"}, false},
		{"of a server here, on production", dc.Production(), foreign.Session{DC: 2, Addr: "127.0.0.1:443"}, false},
		{"of test servers", dc.TestServers(), foreign.Session{DC: 2, Test: foreign.Yes}, true},
		{"of production, on test servers", dc.TestServers(), foreign.Session{DC: 2, Test: foreign.No}, false},
		{"of production by its address, on test servers", dc.TestServers(), foreign.Session{DC: 2, Addr: "149.154.167.51:443"}, false},
		{"of a DC that test servers do not have", dc.TestServers(), foreign.Session{DC: 4}, false},
		{"of a test DC of our own", private, foreign.Session{DC: 2, Addr: playAddress(2).String()}, true},
		{"of a test DC of our own, as the program took it for production", private, foreign.Session{DC: 2, Test: foreign.No}, true},
		{"of production, on a test DC of our own", private, foreign.Session{DC: 2, Addr: "149.154.167.51:443"}, false},
		{"of production, by an address that clients have built in, on a test DC of our own", private, foreign.Session{DC: 2, Addr: "149.154.167.50:443"}, false},
		{"of production, by such an address, on test servers", dc.TestServers(), foreign.Session{DC: 1, Addr: "149.154.175.53:443"}, false},
		{"of Telegram's test servers, on a test DC of our own", private, foreign.Session{DC: 2, Addr: "149.154.167.40:443"}, false},
		{"of a DC that is not in the table", private, foreign.Session{DC: 3}, false},
	} {
		var e *SignInError
		if err := CheckSession(c.table, c.s); (err == nil) != c.ok || err != nil && !errors.As(err, &e) {
			t.Errorf("a session %s: %v", c.name, err)
		}
	}
}
