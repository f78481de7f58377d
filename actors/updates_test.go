package actors_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// stored decodes what a store holds of an account.
func stored(t *testing.T, store persistence.Store, id string) persistence.State {
	t.Helper()
	records, err := store.Load(persistence.AccountID(id))
	if err != nil {
		t.Fatal(err)
	}
	state, err := persistence.DecodeState(records)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func TestAnUpdateComesWithItsUsersAndChats(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		b := s.Descriptor().Bots[0]
		a := signInBot(t, m, "robot", b, actors.AccountOptions{})
		wait(t, a, actors.Online)
		time.Sleep(time.Minute)
		events := a.Events(t.Context())

		stopped := tl.AppendInt64(tl.AppendUint32(nil, 0xc4870a49), 7) // updateBotStopped, the first to count by qts
		stopped = tl.AppendInt32(tl.AppendBool(tl.AppendInt32(stopped, 1), true), 1)
		token := tl.Raw(tl.AppendUint32(nil, tg.UpdateLoginTokenID))
		user := &tg.UserEmpty{ID: 7}
		chat := tl.Raw(tl.AppendInt64(tl.AppendUint32(nil, 0x29562865), 8)) // chatEmpty
		push := &tg.Updates{Updates: []tl.Raw{stopped, token}, Users: []tg.AnyUser{user}, Chats: []tl.Raw{chat}, Date: 1}
		home, perm := homePerm(t, s.Ledger().Authorizations, b.UserID)
		if err := s.Push(api.Push{DC: home, Perm: perm, Body: push.Append(nil)}); err != nil {
			t.Fatal(err)
		}
		want := map[uint32]actors.Event{
			tl.Raw(stopped).ID(): {Update: stopped, Users: []tl.Raw{user.Append(nil)}, Chats: []tl.Raw{chat}, Box: actors.Box{Kind: actors.BoxQts}, Pts: 1, Date: time.Unix(1, 0).UTC()},
			token.ID():           {Update: token, Users: []tl.Raw{user.Append(nil)}, Chats: []tl.Raw{chat}, Date: time.Unix(1, 0).UTC()},
		}
		for ev := range events {
			if ev.Kind != actors.EventUpdate {
				continue
			}
			got := actors.Event{Update: ev.Update, Users: ev.Users, Chats: ev.Chats, Box: ev.Box, Pts: ev.Pts, Date: ev.Date}
			if diff := cmp.Diff(want[ev.Update.ID()], got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if delete(want, ev.Update.ID()); len(want) == 0 {
				break
			}
		}
	})
}

func TestWhereUpdatesStandIsOnDiskAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		o := options(s, store)
		m, err := actors.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
		wait(t, a, actors.Online)
		time.Sleep(10 * time.Millisecond)
		if stored(t, store, "robot").Updates == nil {
			t.Error("a process killed now would not know what it missed")
		}
		closeManager(t, m)

		// One that was killed before: the next process says so.
		before := *stored(t, store, "robot").Updates
		owner, err := store.Claim("test")
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Commit(persistence.Commit{Owner: owner, Delete: []persistence.Key{persistence.UpdatesKey("robot")}}); err != nil {
			t.Fatal(err)
		}
		m = open(t, o)
		if a, err = m.Account("robot"); err != nil {
			t.Fatal(err)
		}
		for ev := range a.Events(t.Context(), actors.Replay) {
			if ev.Kind != actors.EventHole {
				continue
			}
			if ev.Box.Kind != actors.BoxCommon || ev.From != (actors.Place{}) || ev.To.Pts != before.Pts || ev.To.Date == 0 {
				t.Errorf("the hole is after %+v to %+v", ev.From, ev.To)
			}
			break
		}
	})
}

func TestAChangedTableOfDCsIsAskedFor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		b := s.Descriptor().Bots[0]
		a := signInBot(t, m, "robot", b, actors.AccountOptions{})
		wait(t, a, actors.Online)
		time.Sleep(time.Minute)
		home, perm := homePerm(t, s.Ledger().Authorizations, b.UserID)
		config := tl.AppendUint32(nil, tg.UpdateConfigID)
		for name, body := range map[string]tl.Object{
			"a short push": &tg.UpdateShort{Update: config, Date: 1},
			"a long one":   &tg.Updates{Updates: []tl.Raw{config}, Date: 1},
		} {
			queries := s.Counts().Queries
			if err := s.Push(api.Push{DC: home, Perm: perm, Body: body.Append(nil)}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Second)
			if n := s.Counts().Queries - queries; n != 1 {
				t.Errorf("%s: %d queries, want help.getConfig", name, n)
			}
		}
	})
}

// TestNothingPushedRightAfterASignInIsLost: where the updates stand is on disk
// with the authorization.
func TestNothingPushedRightAfterASignInIsLost(t *testing.T) {
	for _, how := range []string{"killed", "paused"} {
		for _, after := range []time.Duration{0, 100 * time.Millisecond, time.Second} {
			t.Run(how+" after "+after.String(), func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					s, store := cluster(t, small), persistence.NewMemory()
					m, err := actors.Open(options(s, store))
					if err != nil {
						t.Fatal(err)
					}
					b := s.Descriptor().Bots[0]
					a := signInBot(t, m, "robot", b, actors.AccountOptions{})
					time.Sleep(after)
					var pushed []int32
					push := func() {
						t.Helper()
						pts, err := s.PushUpdate(b.UserID)
						if err != nil {
							t.Fatal(err)
						}
						pushed = append(pushed, pts)
					}
					if how == "paused" {
						seen := collect(t, a)
						if err := a.Pause(soon(t)); err != nil {
							t.Fatal(err)
						}
						push()
						push()
						if err := a.Resume(soon(t)); err != nil {
							t.Fatal(err)
						}
						wait(t, a, actors.Online)
						seen.want(t, pushed)
						closeManager(t, m)
						return
					}
					store = store.Reopen() // nothing more of this process reaches the disk
					push()
					push()
					closeManager(t, m)
					time.Sleep(time.Second)
					push()
					m = open(t, options(s, store))
					a, _ = m.Account("robot")
					seen := collect(t, a, actors.Replay)
					wait(t, a, actors.Online)
					seen.want(t, pushed)
				})
			})
		}
	}
}

func TestAPauseRightAfterAnUpdateDeliversItOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		b := s.Descriptor().Bots[0]
		a := signInBot(t, m, "robot", b, actors.AccountOptions{})
		wait(t, a, actors.Online)
		time.Sleep(time.Minute)
		seen := collect(t, a)
		var pushed []int32
		for range 5 {
			pts, err := s.PushUpdate(b.UserID)
			if err != nil {
				t.Fatal(err)
			}
			pushed = append(pushed, pts)
			time.Sleep(100 * time.Millisecond)
			if err := a.Pause(soon(t)); err != nil {
				t.Fatal(err)
			}
			if got := stored(t, store, "robot").Updates; got == nil || got.Pts != pts {
				t.Errorf("the store stands at %+v, want pts %d", got, pts)
			}
			if err := a.Resume(soon(t)); err != nil {
				t.Fatal(err)
			}
			wait(t, a, actors.Online)
		}
		seen.want(t, pushed)
	})
}

// TestPushesOfAnotherLayerDoNoHarm: what a server pushes may be of a schema that
// is not ours, or garbled. Neither is a reason to hang up or to ask much, and what
// is ours arrives as before.
func TestPushesOfAnotherLayerDoNoHarm(t *testing.T) {
	foreign := tl.AppendInt32(tl.AppendUint32(nil, 0x904dd49d), 7)
	inShort := (&tg.UpdateShort{Update: foreign, Date: 1}).Append(nil)
	cut := (&tg.UpdateShort{Update: tl.AppendUint32(nil, tg.UpdateConfigID), Date: 1}).Append(nil)
	pushes := []struct {
		name string
		body []byte
	}{
		{"all of it unknown", foreign},
		{"an unknown constructor and nothing else", foreign[:4]},
		{"an unknown update in a short push", inShort},
		{"an unknown update in a long push", (&tg.Updates{Updates: []tl.Raw{foreign}, Date: 1, Seq: 3}).Append(nil)},
		{"a push that is cut short", cut[:len(cut)-4]},
		{"nothing but a zero", make([]byte, 4)},
		{"a vector that ends after its constructor", tl.AppendUint32(nil, tl.VectorID)},
	}
	bubble(t, func(t *testing.T) {
		s, store := cluster(t, small), persistence.NewMemory()
		m := open(t, options(s, store))
		b := s.Descriptor().Bots[0]
		a := signInBot(t, m, "robot", b, actors.AccountOptions{})
		wait(t, a, actors.Online)
		time.Sleep(time.Minute)
		updates, since := collect(t, a), a.Status().Since
		home, perm := homePerm(t, s.Ledger().Authorizations, b.UserID)
		for _, x := range pushes {
			before := s.Counts()
			if err := s.Push(api.Push{DC: home, Perm: perm, Body: x.body}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Second)
			after := s.Counts()
			if n := after.Queries - before.Queries; n > 3 {
				t.Errorf("%s: %d queries", x.name, n)
			}
			if after.Sessions != before.Sessions {
				t.Errorf("%s: %d new sessions", x.name, after.Sessions-before.Sessions)
			}
			call(t, a)
			known, err := s.PushUpdate(b.UserID)
			if err != nil {
				t.Fatal(err)
			}
			updates.want(t, []int32{known})
		}
		if st := a.Status(); st.State != actors.Online || !st.Since.Equal(since) {
			t.Errorf("the account is %v since %v, want online since %v", st.State, st.Since, since)
		}
	})
}
