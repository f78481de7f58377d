package actors_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/serve"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// notices gathers what an account is told about its safety.
func notices(t *testing.T, a *actors.Account) <-chan actors.Event {
	t.Helper()
	out := make(chan actors.Event, 16)
	events := a.Events(t.Context())
	go func() {
		for ev := range events {
			if ev.Kind == actors.EventNotice {
				out <- ev
			}
		}
	}()
	return out
}

func notice(t *testing.T, from <-chan actors.Event, want string) actors.Notice {
	t.Helper()
	select {
	case ev := <-from:
		if ev.Notice == nil || string(ev.Notice.Kind) != want || ev.Account != "alice" {
			t.Fatalf("the notice is %+v, want %s", ev.Notice, want)
		}
		return *ev.Notice
	case <-time.After(time.Minute):
		t.Fatalf("nobody was told of %s", want)
		return actors.Notice{}
	}
}

// TestANewSessionIsTold: with what its end takes.
func TestANewSessionIsTold(t *testing.T) {
	bubble(t, func(t *testing.T) {
		cfg := small
		cfg.API.FreshSession = -1
		o := own(t, cfg)
		told := notices(t, o.alice)
		phone := o.elsewhere(t)
		n := notice(t, told, "new_session")
		if !n.Unconfirmed || n.Device == "" || n.At.IsZero() || !strings.Contains(n.String(), n.Session) {
			t.Errorf("it is %+v: %s", n, n)
		}
		if err := o.alice.TerminateSession(soon(t), n.Session); err != nil {
			t.Fatal(err)
		}
		wait(t, phone, actors.Revoked)
	})
}

// TestAServerThatDroppedTheKeyIsAskedWhetherItDid: a notification proves nothing.
func TestAServerThatDroppedTheKeyIsAskedWhetherItDid(t *testing.T) {
	for _, x := range []struct {
		name string
		also func(t *testing.T, o *owned)
		want actors.State
		why  string
	}{
		{"it did not", func(*testing.T, *owned) {}, actors.Online, ""},
		{"it did", func(t *testing.T, o *owned) {
			inject(t, o.s, dctest.Fault{Kind: dctest.FaultRPC, Method: "users.getUsers", Code: 406, Text: "AUTH_KEY_DUPLICATED", Count: 1})
		}, actors.Duplicated, "406 AUTH_KEY_DUPLICATED"},
		{"it ended the session", func(t *testing.T, o *owned) {
			inject(t, o.s, dctest.Fault{Kind: dctest.FaultRPC, Method: "users.getUsers", Code: 401, Text: "SESSION_REVOKED", Count: 1})
		}, actors.Revoked, "401 SESSION_REVOKED"},
	} {
		t.Run(x.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				o := own(t, small)
				time.Sleep(time.Minute)
				told := notices(t, o.alice)
				x.also(t, o)
				o.api(t, func(b *api.Backend, now time.Time) {
					_ = b.Notify(now, o.p.UserID, "AUTH_KEY_DROP_DUPLICATE", "This key was used from two places at once.")
				})
				if n := notice(t, told, "key_dropped"); n.Type != "AUTH_KEY_DROP_DUPLICATE" || n.Text == "" {
					t.Errorf("it is %+v", n)
				}
				time.Sleep(10 * time.Second)
				if st := o.alice.Status(); st.State != x.want || !strings.Contains(st.Why, x.why) {
					t.Errorf("the account is %+v, want %s", st, x.want)
				}
			})
		})
	}
}

// TestEverySignOfARevocationEndsInIt: whatever the server says, twice where one
// answer proves nothing.
func TestEverySignOfARevocationEndsInIt(t *testing.T) {
	for _, x := range []struct {
		code   int
		text   string
		want   actors.State
		advice string
	}{
		{401, "SESSION_REVOKED", actors.Revoked, "sign it in again"},
		{401, "SESSION_EXPIRED", actors.Revoked, "sign it in again"},
		{401, "AUTH_KEY_UNREGISTERED", actors.Revoked, "sign it in again"},
		{401, "AUTH_KEY_INVALID", actors.Revoked, "sign it in again"},
		{401, "USER_DEACTIVATED", actors.Revoked, "official app"},
		{401, "USER_DEACTIVATED_BAN", actors.Revoked, "official app"},
		{406, "AUTH_KEY_DUPLICATED", actors.Duplicated, "who else uses"},
		{420, "FROZEN_METHOD_INVALID", actors.Frozen, "appeal"},
	} {
		t.Run(x.text, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				o := own(t, small)
				for _, method := range []string{"account.getAuthorizations", "users.getUsers"} {
					inject(t, o.s, dctest.Fault{Kind: dctest.FaultRPC, Method: method, Code: x.code, Text: x.text, Count: 1})
				}
				if _, err := o.alice.Sessions(soon(t)); err == nil || !strings.Contains(err.Error(), x.text) {
					t.Errorf("the call says %v", err)
				}
				wait(t, o.alice, x.want)
				if st := o.alice.Status(); !strings.Contains(st.Why, x.text) || !strings.Contains(st.Advice, x.advice) {
					t.Errorf("it is %+v", st)
				}
			})
		})
	}
}

// forgetful is a server whose list of sessions has not the one that asks.
type forgetful struct{ *api.Backend }

func (f forgetful) Handle(req *api.Request) api.Reply {
	reply, q := f.Backend.Handle(req), &tg.AccountGetAuthorizationsRequest{}
	if f.Method(req.Body) != q.TypeName() || reply.Err != nil {
		return reply
	}
	list := q.ParseResult(tl.NewReader(reply.Body))
	list.Authorizations = slices.DeleteFunc(list.Authorizations, func(a tg.Authorization) bool { return a.Current })
	reply.Body = q.AppendResult(nil, list)
	return reply
}

// TestAListWithoutOurSessionIsASignOfARevocation: it is asked whether that is so.
func TestAListWithoutOurSessionIsASignOfARevocation(t *testing.T) {
	for _, ended := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			back, err := api.New(api.Config{DCs: 2})
			if err != nil {
				t.Fatal(err)
			}
			if err := back.Populate(1, 0); err != nil {
				t.Fatal(err)
			}
			user := back.Users()[0]
			cfg := small
			cfg.Core.API = forgetful{back}
			s := cluster(t, cfg)
			o := options(s, persistence.NewMemory())
			o.App.APIID, o.App.APIHash = api.TestApp().ID, api.TestApp().Hash
			a := signInPhone(t, open(t, o), "alice", serve.Phone{Number: user.Phone, Code: back.Code(user.Phone)}, actors.AccountOptions{})
			wait(t, a, actors.Online)
			if ended {
				inject(t, s, dctest.Fault{Kind: dctest.FaultRPC, Method: "users.getUsers", Code: 401, Text: "SESSION_REVOKED", Count: 2})
			}
			list, err := a.Sessions(soon(t))
			if _, ours := list.Own(); ours || (err != nil) != ended {
				t.Errorf("ended %v: %+v, %v", ended, list, err)
			}
			want := actors.Online
			if ended {
				want = actors.Revoked
			}
			wait(t, a, want)
		})
	}
}

// TestASilentRevocationIsFound: the server says nothing, and nobody calls.
func TestASilentRevocationIsFound(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := own(t, small)
		time.Sleep(time.Minute)
		queries := o.s.Counts().Queries
		time.Sleep(6 * time.Hour)
		if n := o.s.Counts().Queries - queries; n < 18 || n > 30 {
			t.Errorf("in six silent hours there were %d queries", n)
		}
		for _, method := range []string{"updates.getDifference", "users.getUsers"} {
			inject(t, o.s, dctest.Fault{Kind: dctest.FaultRPC, Method: method, Code: 401, Text: "SESSION_EXPIRED", Count: 1})
		}
		if st := o.alice.Status(); st.State != actors.Online {
			t.Fatalf("it is %+v", st)
		}
		time.Sleep(21 * time.Minute)
		if st := o.alice.Status(); st.State != actors.Revoked || !strings.Contains(st.Why, "SESSION_EXPIRED") {
			t.Errorf("after twenty minutes it is %+v", st)
		}
	})
}
