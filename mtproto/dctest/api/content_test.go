package api

import (
	"slices"
	"strings"
	"testing"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/schema"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// zeroQuery is a query of a function with every required field zero.
func zeroQuery(t *testing.T, id uint32) []byte {
	t.Helper()
	b := tl.AppendUint32(nil, id)
	_, ops, ok := tg.Schema.Lookup(id)
	if !ok {
		t.Fatalf("%08x is not in the schema", id)
	}
	for i := 0; ops[i] != tl.OpEnd; i++ {
		if _, _, optional := ops[i].If(); optional {
			if i++; ops[i].Vector() {
				i++
			}
			continue
		}
		switch typ, boxed := ops[i].Boxed(); {
		case boxed:
			b = append(b, zeroOf[tg.Schema.TypeName(typ)]...)
		case ops[i] == tl.OpVector:
			b = tl.AppendVectorHeader(b, 0)
			i++
		case ops[i] == tl.OpLong, ops[i] == tl.OpDouble:
			b = tl.AppendInt64(b, 0)
		default:
			b = tl.AppendInt32(b, 0)
		}
	}
	return b
}

var zeroOf = map[string][]byte{
	"DataJSON": value(uint32(0x7d748d04), ""), "InputPeer": value(tg.InputPeerSelfID), "InputUser": value(tg.InputUserSelfID),
	"InputNotifyPeer": value(uint32(0x193b4417)), "InputChannel": value(uint32(0xee8c1e86)), "ChannelMessagesFilter": value(uint32(0x94d42ee7)),
	"SendMessageAction": value(uint32(0x16bf744e)), "InputStickerSet": value(uint32(0xffb62b95)),
}

// The table names methods and constructors by number: the schema must say the same.
func TestContentIsWhatTheSchemaSays(t *testing.T) {
	text, err := schema.Files.ReadFile("api.tl")
	if err != nil {
		t.Fatal(err)
	}
	s, err := schema.Parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, Config{})
	w.login(w.person(1), 5)
	for _, m := range slices.Concat(contentTable[:], messageTable[:]) {
		i := slices.IndexFunc(s.Definitions, func(d schema.Definition) bool { return d.Name == m.name })
		if i < 0 || !s.Definitions[i].Function || s.Definitions[i].ID != m.id {
			t.Errorf("%s#%08x is not in the schema", m.name, m.id)
			continue
		}
		r := w.raw(1, 5, zeroQuery(t, m.id))
		switch {
		case r.Err != nil:
			if errs, _ := DocumentedErrors(m.name); !slices.Contains(errs, *r.Err) {
				t.Errorf("%s: %v", m.name, r.Err)
			}
		case s.Definitions[i].Result.Name == "Vector":
			if rd := tl.NewReader(r.Body); rd.VectorLen(4) != 0 || rd.End() != nil {
				t.Errorf("%s: %x is no empty list", m.name, r.Body)
			}
		default:
			n, err := tl.Skip(tg.Schema, r.Body)
			typ, _, _ := tg.Schema.Lookup(idOf(r.Body))
			if err != nil || n != len(r.Body) || tg.Schema.TypeName(typ) != s.Definitions[i].Result.Name {
				t.Errorf("%s: %x is a %s: %v", m.name, r.Body, tg.Schema.TypeName(typ), err)
			}
		}
		if r := w.raw(1, 6, zeroQuery(t, m.id)); (r.Err != nil && r.Err.Text == "AUTH_KEY_UNREGISTERED") != (m.needs == needsUser) {
			t.Errorf("%s without a sign-in: %v", m.name, r.Err)
		}
		if r := w.raw(1, 5, append(zeroQuery(t, m.id), 0, 0, 0, 0)); r.Err == nil || r.Err.Code != 400 {
			t.Errorf("%s with bytes behind it: %v", m.name, r.Err)
		}
	}
}

func TestAMessageToOneselfReachesTheOtherSessions(t *testing.T) {
	w := newWorld(t, Config{CodeChain: []CodeType{CodeSMS}})
	u := w.person(1)
	w.login(u, 5)
	w.login(u, 6)
	w.pushes()
	r := w.raw(1, 5, sendMessage(value(tg.InputPeerUserID, u.ID, int64(1)), "hello"))
	var answer tg.Updates
	if r.Err != nil || tl.Unmarshal(r.Body, &answer) != nil || len(answer.Updates) != 2 || len(answer.Users) != 1 ||
		string(answer.Updates[0]) != string(value(updateMessageIDID, 1, int64(77))) || idOf(answer.Updates[1]) != updateNewMessageID {
		t.Fatalf("answer %x, %v", r.Body, r.Err)
	}
	// The other key hears of it in all its sessions, one's own key in all but the one that sent.
	pushes := w.pushes()
	if len(pushes) != 2 || pushes[0].Perm != 6 || pushes[0].ExceptSession != 0 || pushes[1].Perm != 5 || pushes[1].ExceptSession != 5 {
		t.Errorf("pushes %+v", pushes)
	}
	diff, err := ask(w, 1, 6, &tg.UpdatesGetDifferenceRequest{Pts: 1, Date: 1})
	if d, ok := diff.(*tg.UpdatesDifference); err != nil || !ok || len(d.NewMessages) != 1 || len(d.Users) != 1 || d.State.Pts != 2 {
		t.Errorf("difference %+v, %v", diff, err)
	}
	if ids := w.b.DeletedIDs(u.ID); len(ids) != 0 {
		t.Errorf("deleted %v", ids)
	}
	if list := w.b.Updates(u.ID); len(list) != 1 || list[0].Pts != 2 || list[0].PtsCount != 1 {
		t.Errorf("log %+v", list)
	}
}

func TestMessagesThatAreRefused(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	w.login(u, 5)
	w.login(w.bot(1), 7)
	self := value(tg.InputPeerSelfID)
	for _, test := range []struct {
		name string
		perm int64
		body []byte
		want string
	}{
		{"empty", 5, sendMessage(self, ""), "MESSAGE_EMPTY"},
		{"too long", 5, sendMessage(self, strings.Repeat("é", 4097)), "MESSAGE_TOO_LONG"},
		{"to somebody else", 5, sendMessage(value(tg.InputPeerUserID, u.ID+1, int64(1)), "hello"), "PEER_ID_INVALID"},
		{"to nobody", 5, sendMessage(value(tg.InputPeerEmptyID), "hello"), "PEER_ID_INVALID"},
		{"a bot to itself", 7, sendMessage(self, "hello"), "USER_IS_BOT"},
		{"cut", 5, sendMessage(self, "hello")[:12], "INPUT_FETCH_ERROR"},
	} {
		if r := w.raw(1, test.perm, test.body); r.Err == nil || r.Err.Text != test.want {
			t.Errorf("%s: %v, want %s", test.name, r.Err, test.want)
		}
	}
	if r := w.raw(1, 5, sendMessage(self, strings.Repeat("é", 4096))); r.Err != nil {
		t.Errorf("the longest: %v", r.Err)
	}
}

// Before the newest form of help.getAppConfig the answer was the JSON object itself.
func TestOldApplicationsGetTheirConfig(t *testing.T) {
	w := newWorld(t, Config{})
	body := (&tg.HelpGetAppConfigRequest{Hash: 1}).Append(nil)
	req := &Request{Now: w.now, DC: 1, Perm: 5, Session: 5, Layer: 144, App: w.app, Inited: true, Body: body}
	if r := w.b.Handle(req); r.Err != nil || idOf(r.Body) != jsonObjectID {
		t.Errorf("at layer 144: %x, %v", r.Body, r.Err)
	}
	req.Layer = tg.Layer
	if r := w.b.Handle(req); r.Err != nil || idOf(r.Body) != tg.HelpAppConfigNotModifiedID {
		t.Errorf("at layer %d: %x, %v", tg.Layer, r.Body, r.Err)
	}
}

// Codes of a kind that a layer has no constructor for travel another way.
func TestCodesOfOldLayersAreOfTheirTime(t *testing.T) {
	w := newWorld(t, Config{CodeChain: []CodeType{CodeWord}})
	u := w.person(1)
	body := (&tg.AuthSendCodeRequest{PhoneNumber: u.Phone, APIID: int32(w.app.APIID), APIHash: TestApp().Hash}).Append(nil)
	for layer, want := range map[int]uint32{158: tg.AuthSentCodeTypeSMSID, tg.Layer: tg.AuthSentCodeTypeSMSWordID} {
		r := w.b.Handle(&Request{Now: w.now, DC: 1, Perm: 5, Session: 5, Layer: layer, App: w.app, Inited: true, Body: body})
		var sent tg.AuthSentCode
		if r.Err != nil || tl.Unmarshal(r.Body, &sent) != nil || sent.Type.TypeID() != want {
			t.Errorf("layer %d: %+v, %v", layer, sent.Type, r.Err)
		}
	}
}

func TestIPv6AddressesAreMarked(t *testing.T) {
	w := newWorld(t, Config{})
	w.b.SetEndpoints([]Endpoint{{DC: 1, IP: "127.0.0.1", Port: 80}, {DC: 1, IP: "::1", Port: 443}})
	list := must(w, 1, 5, &tg.HelpGetConfigRequest{}).DCOptions
	if len(list) != 2 || list[0].IPv6 || !list[1].IPv6 || list[0].ID != list[1].ID {
		t.Errorf("options %+v", list)
	}
}
