package actors_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/tl/tg"
	"github.com/mtfleet/mtfleet/tl/tljson"
)

func TestACallByJSON(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := cluster(t, small)
		m := open(t, options(s, persistence.NewMemory()))
		a := signInPhone(t, m, "alice", s.Descriptor().Phones[0], actors.AccountOptions{})
		wait(t, a, actors.Online)
		id := a.Status().UserID
		for _, test := range []struct {
			method, params string
			want           []string // what the answer has
		}{
			{"help.getNearestDc", ``, []string{`{"_":"nearestDc",`, `"this_dc":`}},
			{"help.getNearestDc", `{"_":"help.getNearestDc"}`, []string{`{"_":"nearestDc",`}},
			{"users.getUsers", `{"id":[{"_":"inputUserSelf"}]}`, []string{`[{"_":"user","self":true,`, fmt.Sprintf(`"id":"%d"`, id)}},
			{"messages.sendMessage", `{"peer":{"_":"inputPeerSelf"},"message":"h<\u00e9>\n","random_id":"5"}`, []string{`{"_":"update`}},
			{"account.invalidateSignInCodes", `{"codes":["12345"]}`, []string{`true`}},
		} {
			got, err := a.InvokeJSON(soon(t), test.method, json.RawMessage(test.params))
			if err != nil || !json.Valid(got) {
				t.Errorf("%s %s: %s, %v", test.method, test.params, got, err)
			}
			for _, want := range test.want {
				if !strings.Contains(string(got), want) {
					t.Errorf("%s: %s\nhas no %s", test.method, got, want)
				}
			}
		}
		sent, err := a.InvokeJSON(soon(t), "messages.getHistory",
			json.RawMessage(`{"peer":{"_":"inputPeerSelf"},"offset_id":0,"offset_date":0,"add_offset":0,"limit":9,"max_id":0,"min_id":0,"hash":"0"}`))
		if err != nil || !strings.Contains(string(sent), `"message":"h<é>\n"`) {
			t.Errorf("the history: %s, %v", sent, err)
		}
	})
}

// Whatever is wrong with a call is said before anything is sent.
func TestAWrongCallByJSONIsNotSent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := cluster(t, small)
		m := open(t, options(s, persistence.NewMemory()))
		a := signInBot(t, m, "robot", s.Descriptor().Bots[0], actors.AccountOptions{})
		wait(t, a, actors.Online)
		time.Sleep(time.Minute)
		queries := s.Counts().Queries
		for _, test := range []struct {
			method, params string
			as             any // what errors.As finds
			want           string
		}{
			{"messages.readHistory", `{"peer":{"_":"inputPeerUser","access_hash":"1"},"max_id":1}`, new(*tljson.Error),
				"messages.readHistory: peer.user_id: missing; not sent"},
			{"messages.readHistory", `{"peer":`, new(*tljson.Error),
				"messages.readHistory: byte 8: the text ends where a value is expected; not sent"},
			{"messages.sendMesage", `{}`, new(*tljson.UnknownMethodError),
				`there is no method "messages.sendMesage"; did you mean messages.sendMessage?; not sent`},
			{"auth.logOut", ``, new(*actors.ReservedError), "auth.logOut is not for callers: log out with Account.LogOut or " +
				"`manager account logout`, or the loss of the login would look like a theft; not sent"},
			{"invokeWithTakeout", `{"takeout_id":"1","query":{"_":"auth.dropTempAuthKeys","except_auth_keys":[]}}`, new(*actors.ReservedError),
				"auth.dropTempAuthKeys is not for callers: the manager makes, binds and drops the keys of a connection itself; not sent"},
		} {
			got, err := a.InvokeJSON(soon(t), test.method, json.RawMessage(test.params))
			if got != nil || !errors.Is(err, actors.ErrNotSent) || !errors.As(err, test.as) || err.Error() != test.want {
				t.Errorf("%s: %s, %v\nwant %s", test.method, got, err, test.want)
			}
			if err := actors.CheckJSON(test.method, json.RawMessage(test.params)); err == nil || err.Error() != test.want {
				t.Errorf("%s, looked at before: %v", test.method, err)
			}
		}
		// The same by a typed query.
		for _, f := range []func() error{
			func() error { _, err := a.InvokeRaw(soon(t), &tg.AuthLogOutRequest{}); return err },
			func() error { _, err := actors.Invoke(soon(t), a, &tg.AuthLogOutRequest{}); return err },
			func() error {
				_, err := actors.Invoke(soon(t), a, &tg.InvokeWithoutUpdatesRequest{Query: []byte{0x6b, 0x18, 0xf9, 0xc4}})
				return err
			},
		} {
			if err := f(); !errors.As(err, new(*actors.ReservedError)) || !errors.Is(err, actors.ErrNotSent) {
				t.Errorf("a typed query that is the manager's own: %v", err)
			}
		}
		if n := s.Counts().Queries - queries; n != 0 {
			t.Errorf("%d queries were sent", n)
		}
		if err := actors.CheckJSON("help.getConfig", nil); err != nil {
			t.Error(err)
		}
		call(t, a)
	})
}

// A call by JSON obeys what a typed one does: waits, and the policy of its method.
func TestACallByJSONIsACall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := cluster(t, small)
		m := open(t, options(s, persistence.NewMemory()))
		a := signInPhone(t, m, "alice", s.Descriptor().Phones[0], actors.AccountOptions{})
		wait(t, a, actors.Online)
		refuse(t, s, "users.getUsers", 420, "FLOOD_WAIT_1200")
		self := json.RawMessage(`{"id":[{"_":"inputUserSelf"}]}`)
		for range 2 {
			var w *actors.WaitError
			_, err := a.InvokeJSON(soon(t), "users.getUsers", self)
			if !errors.As(err, &w) || !errors.Is(err, actors.ErrNotSent) || time.Until(w.Until) < 19*time.Minute {
				t.Fatalf("with a wait: %v", err)
			}
		}
		// Nor does a wrapper lead around a wait.
		queries := s.Counts().Queries
		_, err := a.InvokeJSON(soon(t), "invokeWithTakeout", json.RawMessage(`{"takeout_id":"1","query":{"_":"users.getUsers","id":[{"_":"inputUserSelf"}]}}`))
		if n := s.Counts().Queries - queries; !errors.As(err, new(*actors.WaitError)) || n != 0 {
			t.Errorf("in a wrapper: %v, %d queries were sent", err, n)
		}
		refuse(t, s, "messages.sendMessage", 400, "PEER_ID_INVALID")
		hi := json.RawMessage(`{"peer":{"_":"inputPeerSelf"},"message":"hi","random_id":"1"}`)
		if _, err := a.InvokeJSON(soon(t), "messages.sendMessage", hi); !tgerr.Is(err, "PEER_ID_INVALID") {
			t.Errorf("refused: %v", err)
		}
		// What only reads is sent again, what does more is not.
		trouble := dctest.Fault{Kind: dctest.FaultRPC, Method: "help.getNearestDc", Code: 500, Text: "RPC_CALL_FAIL", Count: 1}
		inject(t, s, trouble)
		if _, err := a.InvokeJSON(soon(t), "help.getNearestDc", nil); err != nil {
			t.Errorf("a method that reads, after an error of the server: %v", err)
		}
		inject(t, s, trouble)
		if _, err := a.InvokeJSON(soon(t), "help.getNearestDc", nil, actors.WithPolicy(actors.Once)); !tgerr.Is(err, "RPC_CALL_FAIL") {
			t.Errorf("the same, once: %v", err)
		}
	})
}

func TestMethodsAreThoseThatCanBeCalled(t *testing.T) {
	methods := slices.Collect(actors.Methods())
	if !slices.IsSorted(methods) || len(methods) < 700 || !slices.Contains(methods, "messages.sendMessage") ||
		slices.Contains(methods, "auth.logOut") || slices.Contains(methods, "inputPeerSelf") {
		t.Errorf("%d methods, from %q to %q", len(methods), methods[0], methods[len(methods)-1])
	}
}
