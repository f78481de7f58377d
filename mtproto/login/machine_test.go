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

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// outcome is how a machine ended, for the auditor below.
type outcome struct {
	done, failed bool
	saved        *Snapshot
	call         CallID
	query        string
}

func (o *outcome) drain(t *rapid.T, m *Machine, now time.Time, last map[string]time.Time) {
	for out, ok := m.Next(); ok; out, ok = m.Next() {
		if o.done || o.failed {
			t.Fatalf("%v after the end", out)
		}
		switch out.Kind {
		case OutSave:
			s := out.Snapshot
			o.saved = &s
		case OutCall:
			o.call, o.query = out.Call, out.Query.TypeName()
			if o.saved == nil || o.saved.State != m.State() {
				t.Fatalf("%v before the snapshot that describes it", out)
			}
			if until, ok := last[o.query]; ok && now.Before(until) {
				t.Fatalf("%v before the server's wait is over", out)
			}
			delete(last, o.query)
			if o.query == "auth.signUp" && !m.cfg.AllowSignUp {
				t.Fatal("an account would be made where that is refused")
			}
		case OutAsk:
			if out.Step.Message == "" || out.Step.Kind == "" {
				t.Fatalf("a step says nothing: %+v", out.Step)
			}
		case OutDone:
			o.done = true
		case OutFailed:
			o.failed = true
			if out.Err.Message == "" || out.Err.Reason == "" {
				t.Fatalf("an error says nothing: %+v", out.Err)
			}
		}
	}
}

var anyRefusal = []*tgerr.Error{
	tgerr.New(303, "PHONE_MIGRATE_3"), tgerr.New(303, "USER_MIGRATE_4"), tgerr.New(303, "FILE_MIGRATE_4"), tgerr.New(303, "PHONE_MIGRATE_77"),
	tgerr.New(400, "PHONE_CODE_INVALID"), tgerr.New(400, "PHONE_CODE_EXPIRED"), tgerr.New(406, "PHONE_NUMBER_INVALID"),
	tgerr.New(400, "PHONE_NUMBER_UNOCCUPIED"), tgerr.New(400, "PHONE_NUMBER_OCCUPIED"), tgerr.New(400, "FIRSTNAME_INVALID"),
	tgerr.New(401, "SESSION_PASSWORD_NEEDED"), tgerr.New(401, "AUTH_KEY_UNREGISTERED"), tgerr.New(401, "AUTH_KEY_PERM_EMPTY"),
	tgerr.New(401, "USER_DEACTIVATED"), tgerr.New(403, "RECAPTCHA_CHECK_x__y"), tgerr.New(406, "AUTH_KEY_DUPLICATED"),
	tgerr.New(406, "SEND_CODE_UNAVAILABLE"), tgerr.New(400, "ACCESS_TOKEN_INVALID"), tgerr.New(420, "FLOOD_WAIT_7"),
	tgerr.New(420, "FLOOD_WAIT_7000"), tgerr.New(420, "WHAT"), tgerr.New(500, "AUTH_RESTART"), tgerr.New(-503, "Timeout"),
	tgerr.New(400, "SMS_CODE_CREATE_FAILED"), tgerr.New(400, "API_ID_INVALID"), tgerr.New(400, "SOMETHING_ELSE"),
}

// TestAnyInputInAnyState feeds random inputs and crashes. Nothing is sent
// before it is on disk, before an imposed wait is over, or after the end.
func TestAnyInputInAnyState(t *testing.T) {
	results := []string{
		"sent app next=sms", "sent sms timeout=60", "sent email", "payment", "user 42", "bot 123456", "sent-user", "nobody",
		"sign-up", "self 42", "self 123456 bot", "selves", "true", "logged-out", "rubbish!", "x",
	}
	answers := []Answer{
		{Kind: AnswerCode, Code: "12345"}, {Kind: AnswerCode}, {Kind: AnswerResend}, {Kind: AnswerPhone, Phone: "4917099999"},
		{Kind: AnswerPhone}, {Kind: AnswerSignUp, FirstName: "A"}, {Kind: AnswerSignUp}, {Kind: AnswerPassword, Password: "x"},
		{Kind: AnswerCancel}, {Kind: "nonsense"}, {},
	}
	rapid.Check(t, func(t *rapid.T) {
		cfg := testConfig()
		cfg.AllowSignUp = rapid.Bool().Draw(t, "sign up")
		if rapid.Bool().Draw(t, "tokens") {
			cfg.FutureTokens = [][]byte{[]byte("token")}
		}
		m, err := NewPhone(cfg, "491701234567")
		if rapid.Bool().Draw(t, "bot") {
			m, err = NewBot(cfg, "123456:secret")
		}
		if err != nil {
			t.Fatal(err)
		}
		var o outcome
		now := epoch
		waits := make(map[string]time.Time)
		for range rapid.IntRange(1, 50).Draw(t, "length") {
			switch rapid.SampledFrom([]string{"start", "result", "result", "refused", "refused", "not sent", "lost", "migrated", "input", "input", "advance", "deadline", "deadline", "crash"}).Draw(t, "input") {
			case "start":
				m.Start(now)
			case "result":
				m.Result(now, o.call, answer(strings.Fields(rapid.SampledFrom(results).Draw(t, "result"))))
			case "refused":
				e := rapid.SampledFrom(anyRefusal).Draw(t, "error")
				if wait, ok := e.Wait(); ok && m.underWay(o.call) && o.query != "auth.cancelCode" && !m.s.Canceled {
					waits[o.query] = now.Add(wait)
				}
				m.Failed(now, o.call, e)
			case "not sent":
				m.Failed(now, o.call, errors.New("no connection"))
			case "lost":
				m.Lost(now, o.call)
			case "migrated":
				m.Migrated(now)
			case "input":
				a := rapid.SampledFrom(answers).Draw(t, "answer")
				before := m.Snapshot()
				var e *Error
				if err := m.Input(now, a); err != nil {
					if !errors.As(err, &e) {
						t.Fatalf("%v is no *Error", err)
					}
					if diff := cmp.Diff(before, m.Snapshot()); diff != "" {
						t.Fatalf("a refused answer changed the machine: %s", diff)
					}
				}
			case "advance":
				now = now.Add(time.Duration(rapid.IntRange(0, 4000).Draw(t, "seconds")) * time.Second)
				m.Advance(now)
			case "deadline":
				if d := m.Deadline(); d.After(now) {
					now = d
				}
				m.Advance(now)
				if d := m.Deadline(); !d.IsZero() && !d.After(now) {
					t.Fatalf("Advance does not get past the deadline of %v", m.State())
				}
			case "crash":
				if o.saved == nil || o.done || o.failed {
					continue
				}
				b, err := o.saved.Encode()
				if err != nil {
					t.Fatal(err)
				}
				s, err := DecodeSnapshot(b)
				if err != nil {
					t.Fatal(err)
				}
				if m, err = Restore(cfg, s); err != nil {
					t.Fatal(err)
				}
				o.call = 0
				m.Start(now)
			}
			// Another number is another query as far as waits go.
			if m.s.Phone != "491701234567" && m.s.Token == "" {
				clear(waits)
			}
			o.drain(t, m, now, waits)
		}
	})
}

func TestSnapshotRoundTrip(t *testing.T) {
	full := Snapshot{
		State: StateWaiting, Phone: "1", Token: "t", Hash: "h", Code: "c", FirstName: "f", LastName: "l", Terms: "x", MinAge: 18,
		Sent:    SentCode{How: HowSMS, Length: 5, Pattern: "p", URL: "u", Next: HowCall, SentAt: epoch, ResendAt: epoch},
		Pending: "signIn", Until: epoch, Imposed: true, Target: 4, Hops: 1, Retries: 2, Troubles: 3, Repeats: 4, Tries: 5,
		LastError: "E", Canceled: true, Undo: true, NextPhone: "2", Offered: true,
	}
	v := reflect.ValueOf(full)
	for i := range v.NumField() {
		if v.Field(i).IsZero() {
			t.Errorf("the test does not set %s", v.Type().Field(i).Name)
		}
	}
	for _, s := range []Snapshot{full, {}, {State: StateFailed}} {
		b, err := s.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeSnapshot(b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(s, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestForeignSnapshotsAreRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		stored  string
		version bool
	}{
		"a later version":   {`{"v":2,"state":"new","passkey":"SECRET"}`, true},
		"no version":        {`{"state":"new"}`, true},
		"an unknown field":  {`{"v":1,"state":"new","passkey":"SECRET"}`, false},
		"an unknown state":  {`{"v":1,"state":"SECRET"}`, false},
		"no JSON":           {`SECRET`, false},
		"nothing":           {``, false},
		"a wrong type":      {`{"v":1,"state":"new","code":{"SECRET":1}}`, false},
		"half a stored one": {`{"v":1,"state":"n`, false},
	} {
		_, err := DecodeSnapshot([]byte(tt.stored))
		if err == nil || errors.Is(err, ErrVersion) != tt.version || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v", name, err)
		}
	}
	cfg := testConfig()
	for name, s := range map[string]Snapshot{
		"of nobody":             {},
		"of two":                {Phone: "491701234567", Token: "1:x"},
		"of a state from where": {Phone: "491701234567", State: 99},
		"moving to nowhere":     {Phone: "491701234567", State: StateMigrating},
	} {
		if _, err := Restore(cfg, s); err == nil {
			t.Errorf("a sign-in %s is taken", name)
		}
	}
}

func TestASmuggledSignUpIsRefused(t *testing.T) {
	for _, s := range []Snapshot{
		{State: StateWaitSignUp, Phone: "491701234567", Hash: "h"},
		{State: StateWaiting, Pending: "signUp", Phone: "491701234567", Hash: "h", FirstName: "Ada"},
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
			if out.Kind == OutCall && out.Query.TypeID() == tg.AuthSignUpRequestID {
				t.Errorf("%v came out", out)
			}
		}
	}
}

func TestConfigIsTheOperatorsOwn(t *testing.T) {
	for _, cfg := range []Config{{}, {APIID: 1}, {APIHash: "x"}, {APIID: -1, APIHash: "x"}} {
		var e *Error
		if _, err := NewPhone(cfg, "491701234567"); !errors.As(err, &e) || e.Reason != ReasonConfig {
			t.Errorf("%+v: NewPhone = %v", cfg, err)
		}
		if _, err := NewBot(cfg, "1:x"); !errors.As(err, &e) || e.Reason != ReasonConfig {
			t.Errorf("%+v: NewBot = %v", cfg, err)
		}
		if _, err := Restore(cfg, Snapshot{Token: "1:x"}); !errors.As(err, &e) || e.Reason != ReasonConfig {
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
	want := `{"kind":"code","how":"sms","length":5,"next":"call","resend_at":"2026-09-01T12:01:00Z","expires_at":"2026-09-01T12:05:00Z",` +
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
	secret := Snapshot{Phone: "SECRET", Token: "SECRET", Hash: "SECRET", Code: "SECRET"}
	values := []any{
		secret, &secret,
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
	for s := StateNew; s <= StateFailed; s++ {
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
	if len(slices.Compact(names)) != int(StateFailed)+1 {
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

func FuzzResult(f *testing.F) {
	for _, s := range []string{"sent app", "user 42", "sign-up", "payment", "selves"} {
		f.Add(answer(strings.Fields(s)), answer([]string{"user", "42"}))
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		m, err := NewPhone(testConfig(), "491701234567")
		if err != nil {
			t.Fatal(err)
		}
		m.Start(epoch)
		m.Result(epoch, m.id, first)
		_ = m.Input(epoch, Answer{Kind: AnswerCode, Code: "12345"})
		m.Result(epoch, m.id, second)
		for out, ok := m.Next(); ok; out, ok = m.Next() {
			_ = out.String()
		}
	})
}
