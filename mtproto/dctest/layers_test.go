package dctest_test

import (
	"fmt"
	"testing"

	"github.com/mtfleet/mtfleet/mtproto/dctest"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/mtproto/dctest/internal/raw"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/mt"
	"github.com/mtfleet/mtfleet/tl/schema"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// withAPI is a world with the real API half and a person on DC 2.
func withAPI(t *testing.T) (*world, *api.Backend, api.User) {
	t.Helper()
	b, err := api.New(api.Config{Limits: api.Limits{SendCodeNumber: api.RateLimit{Calls: -1}}, LoginsPerDay: -1})
	if err != nil {
		t.Fatal(err)
	}
	id, err := b.AddPerson(api.Person{HomeDC: 2})
	if err != nil {
		t.Fatal(err)
	}
	b.SetEndpoints([]api.Endpoint{{DC: 2, IP: "127.0.0.1", Port: 4430}})
	w := newWorld(t, func(c *dctest.Config) { c.API, c.GzipOver = b, -1 })
	for _, u := range b.Users() {
		if u.ID == id {
			return w, b, u
		}
	}
	t.Fatal("the person is not there")
	return nil, nil, api.User{}
}

// wrapHead is invokeWithLayer and initConnection, up to the query.
func wrapHead(layer int, _ *world) []byte {
	b := tl.AppendUint32(nil, tg.InvokeWithLayerRequestID)
	return raw.AppendInit(tl.AppendInt32(b, int32(layer)), api.TestApp().ID)
}

func errorText(answer []byte) string {
	var e mt.RPCError
	if tl.Raw(answer).ID() != mt.RPCErrorID {
		return ""
	}
	if err := tl.Unmarshal(answer, &e); err != nil {
		return err.Error()
	}
	return e.ErrorMessage
}

// A client of every layer signs in and looks around in the constructors of that layer, and can read each answer. Layers
// between two listed ones are served as the older one (https://core.telegram.org/api/invoking#layers).
func TestClientsOfEveryLayerAreServed(t *testing.T) {
	for _, layer := range layersToTry() {
		t.Run(fmt.Sprint(layer), func(t *testing.T) {
			w, b, u := withAPI(t)
			l := &layered{peer: w.withPerm(2), dialect: dialectOf(t, layer)}
			if c := l.must("help.getConfig", nil).(fieldsOf); len(c["dc_options"].([]any)) != 1 {
				t.Errorf("config %v", c)
			}
			sent := l.must("auth.sendCode", fieldsOf{"phone_number": u.Phone, "api_id": api.TestApp().ID, "api_hash": api.TestApp().Hash}).(fieldsOf)
			auth := l.must("auth.signIn", fieldsOf{
				"phone_number": u.Phone, "phone_code_hash": sent["phone_code_hash"], "phone_code": u.Code,
			}).(fieldsOf)
			if got := auth["user"].(fieldsOf)["id"]; got != u.ID {
				t.Fatalf("signed in as %v, not %d", got, u.ID)
			}
			self := append(tl.AppendVectorHeader(nil, 1), l.write("inputUserSelf", nil)...)
			if list := l.must("users.getUsers", fieldsOf{"id": self}).([]any); list[0].(fieldsOf)["phone"] != u.Phone {
				t.Errorf("users.getUsers: %v", list)
			}
			full := l.must("users.getFullUser", fieldsOf{"id": l.write("inputUserSelf", nil)}).(fieldsOf)
			if got := full["full_user"].(fieldsOf)["id"]; got != u.ID {
				t.Errorf("users.getFullUser: %v", got)
			}
			for _, name := range contentMethods {
				if l.byName[name] != nil {
					l.must(name, nil)
				}
			}
			if _, text := l.ask("messages.getStickerSet", nil); text != "STICKERSET_INVALID" {
				t.Errorf("messages.getStickerSet: %q", text)
			}
			l.updates(t, b, u)
			l.must("account.getAuthorizations", nil)
			l.must("auth.logOut", nil)
			w.noViolations()
		})
	}
}

// updates has an update pushed and a message sent, and asks for the difference.
func (l *layered) updates(t *testing.T, b *api.Backend, u api.User) {
	t.Helper()
	before := l.must("updates.getState", nil).(fieldsOf)
	l.peer.collect()
	l.queue = nil
	if _, err := l.w.c.PushUpdate(l.w.now, u.ID); err != nil {
		t.Fatal(err)
	}
	l.w.settle()
	l.collect()
	if len(l.queue) != 1 {
		t.Fatalf("%d messages pushed, want 1", len(l.queue))
	}
	l.whole(l.queue[0].Body, schema.Type{Name: "Updates"})
	l.queue = nil
	sent := l.must("messages.sendMessage", fieldsOf{
		"peer": l.write("inputPeerSelf", nil), "message": "to myself", "random_id": int64(1),
	}).(fieldsOf)["updates"].([]any)
	if got := sent[1].(fieldsOf); sent[0].(fieldsOf)["random_id"] != int64(1) || got["pts"] != before["pts"].(int32)+2 {
		t.Errorf("messages.sendMessage: %v after %v", sent, before)
	}
	diff := l.must("updates.getDifference", fieldsOf{"pts": int(before["pts"].(int32)), "date": int(before["date"].(int32)), "qts": 0}).(fieldsOf)
	if len(diff["new_messages"].([]any)) != 1 || len(diff["other_updates"].([]any)) != 1 {
		t.Errorf("updates.getDifference: %v", diff)
	}
	if m := diff["new_messages"].([]any)[0].(fieldsOf); m["message"] != "to myself" {
		t.Errorf("the message is %v", m)
	}
}

func TestLayersThatNeverWereAreRefused(t *testing.T) {
	for _, layer := range []int{0, 1, 143, tg.Layer + 1, 1000, -1} {
		w, _, _ := withAPI(t)
		l := &layered{peer: w.withPerm(2), dialect: dialectOf(t, tg.Layer)}
		l.layer = layer
		if _, text := l.ask("help.getConfig", nil); text != "CONNECTION_LAYER_INVALID" {
			t.Errorf("layer %d: %q", layer, text)
		}
	}
}

// A query that a layer does not have is as unknown as one that never was, and no fault.
func TestQueriesOfANewerLayerAreUnknown(t *testing.T) {
	w, _, _ := withAPI(t)
	l := &layered{peer: w.withPerm(2), dialect: dialectOf(t, 198)}
	l.must("help.getConfig", nil)
	if got := l.call(&tg.AuthInitPasskeyLoginRequest{APIID: 1, APIHash: "h"}); got != "INPUT_METHOD_INVALID" {
		t.Errorf("auth.initPasskeyLogin at layer 198: %s", got)
	}
	m := l.Message(w.now, tl.AppendUint32(nil, 0x01020304), true)
	l.send(m)
	if got := l.resultOf(m.ID); got != "INPUT_METHOD_INVALID_16909060" {
		t.Errorf("an unknown query: %s", got)
	}
	w.noViolations()
	if !w.violatedAs(dctest.RuleUnknownQuery, dctest.SeverityInfo) {
		t.Error("unknown queries are not written down")
	}
}
