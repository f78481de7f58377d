package actors_test

import (
	"errors"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/persistence"
)

// freezes has the server freeze a user for a time, 0 for good; thaws ends it.
func freezes(t *testing.T, s *serve.Cluster, user int64, lasts time.Duration) {
	t.Helper()
	directory(t, s, func(b *api.Backend, now time.Time) error {
		until := time.Time{}
		if lasts > 0 {
			until = now.Add(lasts)
		}
		return b.Freeze(now, user, until, "https://appeal.invalid")
	})
}

func thaws(t *testing.T, s *serve.Cluster, user int64) {
	t.Helper()
	directory(t, s, func(b *api.Backend, now time.Time) error { return b.Unfreeze(now, user) })
}

func directory(t *testing.T, s *serve.Cluster, do func(*api.Backend, time.Time) error) {
	t.Helper()
	var refused error
	if err := errors.Join(s.API(func(b *api.Backend, now time.Time) { refused = do(b, now) }), refused); err != nil {
		t.Fatal(err)
	}
}

// TestAnUnfreezingIsNoticedByItself: nobody calls. The server tells who is connected; who
// is not, and of a freeze that ends in its time, finds out within 15 minutes.
func TestAnUnfreezingIsNoticedByItself(t *testing.T) {
	for _, c := range []struct {
		name  string
		lasts time.Duration // of the freeze; 0 for until it is ended
		ends  func(t *testing.T, s *serve.Cluster, user int64)
		most  time.Duration // until it is noticed
	}{
		{"it is told", 0, thaws, time.Second},
		{"it ends while nobody is connected", 0, func(t *testing.T, s *serve.Cluster, user int64) {
			if err := s.StopDC(1, true); err != nil {
				t.Fatal(err)
			}
			thaws(t, s, user)
			time.Sleep(time.Second)
			if err := s.StartDC(1); err != nil {
				t.Fatal(err)
			}
		}, 2 * time.Minute},
		{"it ends in its time", 20 * time.Minute, func(*testing.T, *serve.Cluster, int64) { time.Sleep(10 * time.Minute) }, 15*time.Minute + time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, store := cluster(t, serve.Config{Core: dctest.Config{DCs: 1}, Persons: 1}), persistence.NewMemory()
				m := open(t, options(s, store))
				p := s.Descriptor().Phones[0]
				a := signInPhone(t, m, "alice", p, actors.AccountOptions{})
				wait(t, a, actors.Online)
				freezes(t, s, p.UserID, c.lasts)
				_, err := a.InvokeJSON(soon(t), "messages.sendMessage", []byte(`{"peer":{"_":"inputPeerSelf"},"message":"x","random_id":"5"}`))
				if !tgerr.Is(err, "FROZEN_METHOD_INVALID") {
					t.Fatalf("a frozen account's message: %v", err)
				}
				time.Sleep(10 * time.Minute) // it is read meanwhile that it is frozen
				if st := a.Status(); st.State != actors.Frozen {
					t.Errorf("after ten minutes of the freeze it is %+v", st)
				}
				c.ends(t, s, p.UserID)
				time.Sleep(c.most)
				if st := a.Status(); st.State != actors.Online || st.Why != "" {
					t.Errorf("%v after the freeze it is %+v", c.most, st)
				}
				if kept := stored(t, store, "alice").Account.State; kept == actors.Frozen.String() {
					t.Errorf("the store has it as %v", kept)
				}
			})
		})
	}
}
