package actors_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/actors/timeline"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/echo"
	"github.com/mtfleet/mtfleet/persistence"
)

// noted is what happened to an account.
func noted(t *testing.T, a *actors.Account) []timeline.Entry {
	t.Helper()
	list, err := a.Timeline(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// kindsOf are the kinds of the entries about keys of a DC, in order.
func kindsOf(list []timeline.Entry, at int) (kinds []timeline.Kind) {
	for _, e := range list {
		if e.DC == at && !e.Key.IsZero() && e.Kind != timeline.Connected && e.Kind != timeline.Disconnected {
			kinds = append(kinds, e.Kind)
		}
	}
	return kinds
}

func accountOf(t *testing.T, m *actors.Manager, id string) *actors.Account {
	t.Helper()
	a, err := m.Account(id)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestATimelineTellsTheLifeOfKeysAndGoesOnAfterARestart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := cluster(t, small)
		b := s.Descriptor().Bots[0]
		store := persistence.NewMemory()
		m := open(t, options(s, store))
		a := signInBot(t, m, "robot", b, actors.AccountOptions{})
		wait(t, a, actors.Online)
		if err := a.Rotate(soon(t)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		before := noted(t, a)
		want := []timeline.Kind{
			timeline.PermMade, timeline.TempMade, timeline.Bound, timeline.Used,
			timeline.TempMade, timeline.Bound, timeline.Replaced, timeline.Used, timeline.Closed,
		}
		if got := kindsOf(before, b.DC); !slices.Equal(got, want) {
			t.Errorf("of the keys it tells %v, want %v", got, want)
		}
		states := []string{}
		for _, e := range before {
			if e.Kind == timeline.State && (len(states) == 0 || states[len(states)-1] != e.Word) {
				states = append(states, e.Word)
			}
		}
		if want := []string{"signing-in", "connecting", "online"}; !slices.Equal(states, want) {
			t.Errorf("it stood at %v, want %v", states, want)
		}
		closeManager(t, m)

		again := accountOf(t, open(t, options(s, store)), "robot")
		after := noted(t, again)
		if len(after) < len(before)+1 || !slices.Equal(after[:len(before)], before) {
			t.Fatalf("after a restart it tells\n%v\nbefore it was\n%v", after, before)
		}
		if !slices.ContainsFunc(after[len(before):], func(e timeline.Entry) bool { return e.Kind == timeline.Started }) {
			t.Error("it does not tell of the restart")
		}
	})
}

func TestATimelineTellsALossAndItsCauseAndAWait(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := cluster(t, small)
		b := s.Descriptor().Bots[0]
		a := signInBot(t, open(t, options(s, persistence.NewMemory())), "robot", b, actors.AccountOptions{})
		wait(t, a, actors.Online)
		inject(t, s, dctest.Fault{Kind: dctest.FaultRPC, Method: "testdc.echo", Code: 420, Text: "FLOOD_WAIT_30", Count: 1})
		if _, err := actors.Invoke(soon(t), a, &echo.EchoRequest{ID: 1}); err == nil {
			t.Fatal("the fault did not come")
		}
		if err := s.StopDC(b.DC, true); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		list := noted(t, a)
		for what, is := range map[string]func(timeline.Entry) bool{
			"a wait with its end": func(e timeline.Entry) bool {
				return e.Kind == timeline.Wait && e.Word == "testdc.echo" && strings.Contains(e.Why, "FLOOD_WAIT") && e.Until.Sub(e.At).Round(time.Second*2) == 30*time.Second
			},
			"a loss with its cause": func(e timeline.Entry) bool {
				return e.Kind == timeline.Disconnected && e.DC == b.DC && !e.Key.IsZero() && e.Why != ""
			},
			"that the DC cannot be reached": func(e timeline.Entry) bool { return e.Kind == timeline.State && e.Word == "connecting" && e.Why != "" },
		} {
			if !slices.ContainsFunc(list, is) {
				t.Errorf("it does not tell %s: %v", what, list)
			}
		}
	})
}

func TestATimelineTellsWhyAKeyIsLostAndWhichAreForMedia(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := newMediaStage(t, dctest.Config{}, actors.AccountOptions{})
		p.warm()
		for _, media := range []bool{true, false} {
			inject(t, p.s, dctest.Fault{Kind: dctest.FaultForgetTemp, DC: p.home, Media: media})
			time.Sleep(time.Minute)
			p.warm()
		}
		list := noted(t, p.a)
		if got := kindsOf(slices.DeleteFunc(slices.Clone(list), func(e timeline.Entry) bool { return !e.Media }), p.home); len(got) < 3 ||
			!slices.Equal(got[:3], []timeline.Kind{timeline.TempMade, timeline.Bound, timeline.Used}) {
			t.Errorf("of the first key for media it tells %v", got)
		}
		lost := slices.ContainsFunc(list, func(e timeline.Entry) bool {
			return e.Kind == timeline.Lost && !e.Media && e.DC == p.home && strings.Contains(e.Why, "-404")
		})
		if !lost {
			t.Errorf("it does not tell that the main key was lost, and why: %v", list)
		}
		perms := map[bool]int{}
		for _, e := range list {
			if e.Kind == timeline.PermMade {
				perms[e.Media]++
			}
		}
		if perms[true] > 0 {
			t.Error("it tells of a perm key for media: there is none")
		}
	})
}

// A login that is lost is told with the server's words, wherever somebody looks:
// in the status, in the event of it, and in the timeline.
func TestALostLoginIsToldInTheServersWords(t *testing.T) {
	for _, c := range []struct {
		code int
		text string
		want actors.State
	}{
		{406, "AUTH_KEY_DUPLICATED", actors.Duplicated},
		{401, "USER_DEACTIVATED_BAN", actors.Revoked},
		{401, "SESSION_REVOKED", actors.Revoked},
		{401, "AUTH_KEY_UNREGISTERED", actors.Revoked},
	} {
		t.Run(c.text, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := cluster(t, small)
				m := open(t, options(s, persistence.NewMemory()))
				a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
				wait(t, a, actors.Online)
				events := m.Events(t.Context(), actors.Replay)
				inject(t, s, dctest.Fault{Kind: dctest.FaultRPC, Method: "users.getUsers", Code: c.code, Text: c.text})
				refusedBy(c.code, c.text)(t, s, a)
				wait(t, a, c.want)
				if why := a.Status().Why; !strings.Contains(why, c.text) {
					t.Errorf("the status says %q", why)
				}
				for ev := range events {
					if ev.Kind == actors.EventState && ev.Status.State == c.want {
						if !strings.Contains(ev.Status.Why, c.text) {
							t.Errorf("the event says %q", ev.Status.Why)
						}
						break
					}
				}
				list := noted(t, a)
				if !slices.ContainsFunc(list, func(e timeline.Entry) bool {
					return e.Kind == timeline.State && e.Word == c.want.String() && strings.Contains(e.Why, c.text)
				}) {
					t.Errorf("the timeline says %v", list)
				}
			})
		})
	}
}

func TestATimelineGoesWithItsAccount(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := cluster(t, small)
		store := persistence.NewMemory()
		m := open(t, options(s, store))
		a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
		wait(t, a, actors.Online)
		if err := a.LogOut(soon(t)); err != nil {
			t.Fatal(err)
		}
		if list := noted(t, a); list[len(list)-1].Word != "signed-out" {
			t.Errorf("at the end it tells %v", list[len(list)-1])
		}
		if err := a.Remove(soon(t), false); err != nil {
			t.Fatal(err)
		}
		var none *actors.NoAccountError
		if _, err := a.Timeline(soon(t)); !errors.As(err, &none) {
			t.Errorf("of an account that was removed it says %v", err)
		}
		closeManager(t, m)
		if records, err := store.Load("robot"); err != nil || len(records) > 0 {
			t.Errorf("%v is left (%v)", records, err)
		}
	})
}

func TestADamagedTimelineHarmsNobody(t *testing.T) {
	for name, spoil := range map[string]func(persistence.Record) persistence.Record{
		"garbage": func(r persistence.Record) persistence.Record {
			r.Data = bytes.Repeat([]byte{0xff}, 3000)
			return r
		},
		"of a later version": func(r persistence.Record) persistence.Record {
			r.Version = 9
			return r
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := cluster(t, small)
				store := persistence.NewMemory()
				o := options(s, store)
				m := open(t, o)
				wait(t, signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{}), actors.Online)
				closeManager(t, m)
				bad := spoil(persistence.Record{Key: timeline.RecordKey("robot"), Version: 1})
				owner, err := store.Claim("test")
				if err == nil {
					err = store.Commit(persistence.Commit{Owner: owner, Put: []persistence.Record{bad}})
				}
				if err != nil {
					t.Fatal(err)
				}
				m = open(t, o)
				a := accountOf(t, m, "robot")
				wait(t, a, actors.Online)
				if err := a.Rotate(soon(t)); err != nil {
					t.Fatal(err)
				}
				kinds := kindsOf(noted(t, a), a.Status().HomeDC)
				if !slices.Contains(kinds, timeline.TempMade) {
					t.Errorf("it tells %v", kinds)
				}
				closeManager(t, m)
				records, err := store.Load("robot")
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range records {
					if kept := bytes.Equal(r.Data, bad.Data); r.Key == bad.Key && kept != (bad.Version > 1) {
						t.Errorf("the record is still there: %v", kept)
					}
				}
			})
		})
	}
}

func TestATimelineIsTextWithoutSecrets(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := cluster(t, small)
		p := s.Descriptor().Phones[0]
		store := persistence.NewMemory()
		m := open(t, options(s, store))
		a := signInPhone(t, m, "alice", p, actors.AccountOptions{})
		wait(t, a, actors.Online)
		list := noted(t, a)
		var all bytes.Buffer
		if err := errors.Join(timeline.Text(&all, "alice", list), timeline.SVG(&all, "alice", list), json.NewEncoder(&all).Encode(list)); err != nil {
			t.Fatal(err)
		}
		steps := slices.IndexFunc(list, func(e timeline.Entry) bool { return e.Kind == timeline.Step && e.Word == "code" })
		if steps < 0 {
			t.Errorf("the sign-in's steps are missing: %v", list)
		}
		for _, secret := range []string{p.Number, p.Code, p.PasswordText} {
			if secret != "" && strings.Contains(all.String(), secret) {
				t.Errorf("%q is in it", secret)
			}
		}
		for _, k := range storeKeys(t, store) {
			if strings.Contains(all.String(), fmt.Sprintf("%016x", uint64(k.ID))) {
				t.Error("a whole key id is in it")
			}
		}
		ctx, cancel := context.WithCancel(soon(t))
		cancel()
		if _, err := a.Timeline(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("to who has left it says %v", err)
		}
	})
}
