package login

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// full sets every field of a struct, so that a test cannot forget a new one.
func full(v reflect.Value) {
	for i := range v.NumField() {
		switch f := v.Field(i); {
		case !v.Type().Field(i).IsExported():
		case f.Type() == reflect.TypeFor[time.Time]():
			f.Set(reflect.ValueOf(epoch))
		case f.Type() == reflect.TypeFor[State]():
			f.Set(reflect.ValueOf(StateWaiting))
		case f.Kind() == reflect.Struct:
			full(f)
		case f.Kind() == reflect.String:
			f.SetString("text")
		case f.Kind() == reflect.Bool:
			f.SetBool(true)
		case f.CanInt():
			f.SetInt(int64(7 + i))
		default:
			panic("the test does not know how to set " + v.Type().Field(i).Name)
		}
	}
}

func TestSnapshotRoundTrip(t *testing.T) {
	var all Snapshot
	full(reflect.ValueOf(&all).Elem())
	for _, s := range []Snapshot{all, {}, {Flow: FlowQR, State: StateFailed}} {
		b, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeSnapshot(b)
		if err != nil {
			t.Fatal(err)
		}
		if got != s {
			t.Errorf("%s came back as %+v", b, got)
		}
	}
}

func TestForeignSnapshotsAreRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		stored  string
		version bool
	}{
		"a later version":         {`{"v":3,"state":"new","passkey":"SECRET"}`, true},
		"no version":              {`{"state":"new"}`, true},
		"an unknown field":        {`{"v":2,"flow":"bot","state":"new","token":"SECRET"}`, false},
		"an unknown field of old": {`{"v":1,"state":"new","passkey":"SECRET"}`, false},
		"an unknown state":        {`{"v":2,"flow":"bot","state":"SECRET"}`, false},
		"no JSON":                 {`SECRET`, false},
		"nothing":                 {``, false},
		"a wrong type":            {`{"v":1,"state":"new","code":{"SECRET":1}}`, false},
		"half a stored one":       {`{"v":2,"state":"n`, false},
	} {
		_, err := DecodeSnapshot([]byte(tt.stored))
		if err == nil || errors.Is(err, ErrVersion) != tt.version || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v", name, err)
		}
	}
	cfg, ada := testConfig(), PhonePart{Number: "491701234567"}
	for name, s := range map[string]Snapshot{
		"of nobody":               {},
		"of a flow nobody knows":  {Flow: "telepathy", Phone: ada},
		"of two":                  {Flow: FlowPhone, Phone: ada, Bot: BotPart{ID: 1}},
		"of a bot without an id":  {Flow: FlowBot},
		"of a QR with a number":   {Flow: FlowQR, Phone: ada},
		"of a bot with a hint":    {Flow: FlowBot, Bot: BotPart{ID: 1}, Password: PasswordPart{Hint: "x"}},
		"of a state from where":   {Flow: FlowPhone, Phone: ada, State: 199},
		"of another flow's state": {Flow: FlowPhone, Phone: ada, State: StateWaitScan},
		"between two rooms":       {Flow: FlowPhone, Phone: ada, State: StateSigningUp + 1},
		"moving to nowhere":       {Flow: FlowPhone, Phone: ada, State: StateMigrating},
	} {
		if _, err := Restore(cfg, s); err == nil {
			t.Errorf("a sign-in %s is taken", name)
		}
	}
}

// A sign-in that version 1 stored goes on, with the code and the token it had.
func TestStoredSignInsOfVersion1GoOn(t *testing.T) {
	const phone = `"phone":"491701234567"`
	for name, c := range map[string]struct{ stored, want string }{
		"waiting for a code":       {`{"v":1,"state":"wait-code",` + phone + `,"hash":"h","sent":{"how":"sms","length":5}}`, "Ask{code}"},
		"a code being tried":       {`{"v":1,"state":"signing-in",` + phone + `,"hash":"h","code":"12345","pending":"signIn"}`, "Save{probing} Call{users.getUsers}"},
		"a wait with a code":       {`{"v":1,"state":"waiting",` + phone + `,"hash":"h","code":"12345","pending":"signIn","until":"2026-09-01T12:00:00Z"}`, "Save{signing-in} Call{auth.signIn, once}"},
		"a bot being imported":     {`{"v":1,"state":"importing","token":"1:x","pending":"importBotAuthorization"}`, "Save{probing} Call{users.getUsers}"},
		"a bot on its way":         {`{"v":1,"state":"migrating","token":"1:x","pending":"importBotAuthorization","target":4}`, "Migrate{DC 4}"},
		"a password":               {`{"v":1,"state":"wait-password",` + phone + `}`, "Ask{password}"},
		"an e-mail's code":         {`{"v":1,"state":"wait-email",` + phone + `,"hash":"h","sent":{"how":"email","length":5,"pattern":"a@b"}}`, "Ask{code}"},
		"an e-mail to be set up":   {`{"v":1,"state":"wait-email",` + phone + `,"hash":"h","sent":{"how":"email"}}`, "Ask{email}"},
		"somebody else's undoing":  {`{"v":1,"state":"logging-out",` + phone + `,"pending":"logOut","undo":true}`, "Save{waiting}"},
		"another number to be":     {`{"v":1,"state":"canceling",` + phone + `,"hash":"h","pending":"cancelCode","next_phone":"491701234568"}`, "Save{sending} Call{auth.sendCode, once}"},
		"a new account":            {`{"v":1,"state":"probing",` + phone + `,"first_name":"Ada","hash":"h","pending":"getUsers"}`, "Save{waiting}"},
		"one that is no sign-in":   {`{"v":1,"state":"new"}`, "the stored sign-in makes no sense; begin it anew"},
		"one of two that are none": {`{"v":1,"state":"new","token":"1:x",` + phone + `}`, "the stored sign-in makes no sense; begin it anew"},
	} {
		s, err := DecodeSnapshot([]byte(c.stored))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		m, err := Restore(testConfig(), s)
		var got []string
		if err != nil {
			got = append(got, err.Error())
		} else {
			m.Start(epoch)
			for out, ok := m.Next(); ok; out, ok = m.Next() {
				got = append(got, out.String())
				if b, _ := out.Snapshot.Encode(); strings.Contains(string(b), `"12345"`) || strings.Contains(string(b), "1:x") {
					t.Errorf("%s: stored again: %s", name, b)
				}
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, want %s", name, got, c.want)
		}
	}
	s, _ := DecodeSnapshot([]byte(`{"v":1,"state":"probing",` + phone + `,"first_name":"Ada","hash":"h","pending":"getUsers"}`))
	if s.Probed != string(callSignUp) {
		t.Errorf("a lost auth.signUp is taken for %s", s.Probed)
	}
}

func TestASmuggledSignUpIsRefused(t *testing.T) {
	for _, s := range []Snapshot{
		{Flow: FlowPhone, State: StateWaitSignUp, Phone: PhonePart{Number: "491701234567", Hash: "h"}},
		{Flow: FlowPhone, State: StateWaiting, Pending: "signUp", Phone: PhonePart{Number: "491701234567", Hash: "h"}, SignUp: SignUpPart{FirstName: "Ada"}},
		{Flow: FlowPNV, State: StateWaiting, Pending: "firebasePnvSignUp", SignUp: SignUpPart{FirstName: "Ada"}},
	} {
		m, err := Restore(testConfig(), s)
		if err != nil {
			t.Fatal(err)
		}
		m.Start(epoch)
		var e *Error
		if err := m.Input(epoch, Answer{Kind: AnswerSignUp, FirstName: "Ada"}); err == nil || !errors.As(err, &e) {
			t.Errorf("%v: signing up is not refused: %v", s, err)
		}
		m.Advance(epoch)
		for out, ok := m.Next(); ok; out, ok = m.Next() {
			if out.Kind == OutCall && (out.Query.TypeID() == tg.AuthSignUpRequestID || out.Query.TypeID() == tg.AuthFirebasePnvSignUpRequestID) {
				t.Errorf("%v came out", out)
			}
		}
	}
}

func TestConfigIsTheOperatorsOwn(t *testing.T) {
	rand := testConfig().Rand
	for _, cfg := range []Config{{}, {APIID: 1, Rand: rand}, {APIHash: "x", Rand: rand}, {APIID: -1, APIHash: "x", Rand: rand}, {APIID: 1, APIHash: "x"}} {
		var e *Error
		if _, err := NewPhone(cfg, "491701234567"); !errors.As(err, &e) || e.Reason != ReasonConfig {
			t.Errorf("%+v: NewPhone = %v", cfg, err)
		}
		if _, err := NewBot(cfg, "1:x"); !errors.As(err, &e) || e.Reason != ReasonConfig {
			t.Errorf("%+v: NewBot = %v", cfg, err)
		}
		if _, err := NewQR(cfg); !errors.As(err, &e) || e.Reason != ReasonConfig {
			t.Errorf("%+v: NewQR = %v", cfg, err)
		}
		if _, err := Restore(cfg, Snapshot{Flow: FlowQR}); !errors.As(err, &e) || e.Reason != ReasonConfig {
			t.Errorf("%+v: Restore = %v", cfg, err)
		}
	}
}

func TestStepIsTheSameInJSON(t *testing.T) {
	p := &play{now: epoch, cfg: testConfig()}
	for _, cmd := range []string{"phone 491701234567", "start", "result sent sms next=call timeout=60", "code 12345", "refused 400 PHONE_CODE_INVALID"} {
		if err := p.run(cmd); err != nil {
			t.Fatal(err)
		}
	}
	step, ok := p.m.Step()
	if !ok {
		t.Fatal("there is no step")
	}
	b, err := json.Marshal(step)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"id":"6ae6783f4fbd.2","type":"input","kind":"code","how":"sms","length":5,"phone":"491701234567","next":"call","resend_at":"2026-09-01T12:01:00Z","expires_at":"2026-09-01T12:05:00Z",` +
		`"tries":1,"last_error":"PHONE_CODE_INVALID","supported":true,"message":"That code was wrong. Type the code from the text message."}`
	if string(b) != want {
		t.Errorf("got  %s\nwant %s", b, want)
	}
	var back Step
	if err := json.Unmarshal(b, &back); err != nil || back != step {
		t.Errorf("%+v came back, %v", back, err)
	}
	var a Answer
	if err := json.Unmarshal([]byte(`{"kind":"sign_up","first_name":"Ada"}`), &a); err != nil || a.FirstName != "Ada" || a.Kind != AnswerSignUp {
		t.Errorf("answer %+v, %v", a, err)
	}
}

func TestNothingSecretIsPrinted(t *testing.T) {
	secret := Snapshot{Phone: PhonePart{Number: "SECRET", Hash: "SECRET"}, old: oldSecrets{"SECRET", "SECRET"}}
	kept := secrets{code: "SECRET", token: "SECRET", login: []byte("SECRET"), password: passwordSecrets{text: "SECRET"}}
	values := []any{
		secret, &secret, kept, &kept,
		Step{Kind: StepQR, URL: "SECRET"}, &Step{URL: "SECRET"},
		Output{Kind: OutAsk, Step: Step{Kind: StepQR, URL: "SECRET"}},
		WorkResult{hash: []byte("SECRET"), proof: &tg.InputCheckPasswordSRP{M1: []byte("SECRET")}},
		Answer{Kind: AnswerToken, Token: "SECRET", Credential: "SECRET", PlayIntegrity: "SECRET"},
		Answer{Kind: AnswerCode, Code: "SECRET", Password: "SECRET"},
		Output{Kind: OutSave, Snapshot: secret},
		Output{Kind: OutCall, Query: &tg.AuthSignInRequest{PhoneNumber: "SECRET", PhoneCodeHash: "SECRET"}},
		Output{Kind: OutDone, Authorization: &Authorization{FutureAuthToken: []byte("SECRET")}},
		&Authorization{FutureAuthToken: []byte("SECRET")},
	}
	for _, v := range values {
		for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
			if s := fmt.Sprintf(format, v); strings.Contains(s, "SECRET") {
				t.Errorf("%T with %s: %s", v, format, s)
			}
		}
	}
	for _, bad := range []string{"SECRET", "1234:SECRET" + strings.Repeat("x", 300)} {
		if _, err := NewBot(testConfig(), bad); err == nil || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("NewBot: %v", err)
		}
	}
}

func TestStatesAreNamed(t *testing.T) {
	var names []string
	for s := range stateNames {
		text, err := s.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var back State
		if err := back.UnmarshalText(text); err != nil || back != s {
			t.Errorf("%s came back as %v, %v", text, back, err)
		}
		names = append(names, string(text))
	}
	slices.Sort(names)
	if len(slices.Compact(names)) != len(stateNames) {
		t.Error("two states share a name")
	}
}

func TestUnknownDCsAreTrustedOnlyWithoutATable(t *testing.T) {
	cfg := testConfig()
	cfg.HasDC = nil
	m, err := NewPhone(cfg, "491701234567")
	if err != nil {
		t.Fatal(err)
	}
	m.Start(epoch)
	m.Failed(epoch, 1, tgerr.New(303, "PHONE_MIGRATE_77"))
	var target dc.ID
	for out, ok := m.Next(); ok; out, ok = m.Next() {
		if out.Kind == OutMigrate {
			target = out.DC
		}
	}
	if target != 77 {
		t.Errorf("the sign-in moves to %v", target)
	}
}
