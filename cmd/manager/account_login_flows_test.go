package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// A line is what is expected of a step, and the line of standard input that
// answers it.
type line struct {
	kind actors.StepKind
	last string // its LastError
	say  func(s *scene, step actors.Step) string
}

func says(text string) func(*scene, actors.Step) string {
	return func(*scene, actors.Step) string { return text }
}

// theCode is what a person would read.
func theCode(s *scene, _ actors.Step) (code string) {
	s.api(func(b *api.Backend, _ time.Time) error { code = b.Code(s.phone.Number); return nil })
	return code
}

func theMail(address string) func(*scene, actors.Step) string {
	return func(s *scene, _ actors.Step) (code string) {
		s.api(func(b *api.Backend, _ time.Time) error { code = b.Mail(address); return nil })
		return code
	}
}

// codes decides how codes travel.
func codes(chain ...api.CodeType) func(*testing.T, *scene) []string {
	return func(t *testing.T, s *scene) []string {
		s.noPassword()
		s.api(func(b *api.Backend, _ time.Time) error { return b.SetCodes(s.phone.Number, chain...) })
		return []string{"--phone", "+" + s.phone.Number}
	}
}

func (s *scene) noPassword() {
	s.api(func(b *api.Backend, _ time.Time) error { return b.SetPassword(s.phone.UserID, "") })
}

// TestAProgramAnswersEveryStep plays each way in through --json --stdin, without a
// terminal.
func TestAProgramAnswersEveryStep(t *testing.T) {
	const mail, recovery = "alice@example.org", "spare@example.org"
	word := func(kind string) func(*scene, actors.Step) string { return says(`{"kind":"` + kind + `"}`) }
	for _, c := range []struct {
		name  string
		begin func(*testing.T, *scene) []string
		lines []line
	}{
		{"a secret word", codes(api.CodeWord), []line{{actors.StepCode, "", theCode}}},
		{"a phrase", codes(api.CodePhrase), []line{{actors.StepCode, "", theCode}}},
		{"a page", codes(api.CodeFragment), []line{{actors.StepCode, "", theCode}}},
		{"a missed call", codes(api.CodeMissedCall), []line{{actors.StepCode, "", theCode}}},
		{"what cannot be a code", codes(api.CodeSMS), []line{{actors.StepCode, "", says("12x")}, {actors.StepCode, "", word("resend")}, {actors.StepCode, "", says(`{"kind":"paid"}`)}, {actors.StepCode, "", theCode}}},
		{"a number that is corrected", func(t *testing.T, s *scene) []string {
			codes(api.CodeSMS)(t, s)
			return []string{"--phone", "+" + s.cluster.Descriptor().Phones[2].Number}
		}, []line{
			{actors.StepCode, "", func(s *scene, _ actors.Step) string { return `{"kind":"phone","phone":"+` + s.phone.Number + `"}` }},
			{actors.StepCode, "", theCode},
		}},
		{"an e-mail that is set up", codes(api.CodeSetUpEmail, api.CodeSMS), []line{
			{actors.StepEmail, "", says("no address")}, {actors.StepEmail, "", says("wrong@example.org")},
			{actors.StepEmailSetup, "", word("back")}, {actors.StepEmail, "", says(mail)},
			{actors.StepEmailSetup, "", theMail(mail)}, {actors.StepCode, "", theCode},
		}},
		{"a login e-mail that nobody reads", func(t *testing.T, s *scene) []string {
			s.api(func(b *api.Backend, _ time.Time) error { return b.SetLoginEmail(s.phone.UserID, mail) })
			return codes(api.CodeEmail, api.CodeSMS)(t, s)
		}, []line{{actors.StepCode, "", word("reset_email")}, {actors.StepCode, "", theMail(mail)}}},
		{"a payment", codes(api.CodePaid, api.CodeSMS), []line{
			{actors.StepPayment, "", func(s *scene, step actors.Step) string {
				s.api(func(b *api.Backend, _ time.Time) error { b.Pay(s.phone.Number); return nil })
				return `{"kind":"paid","form_id":7}`
			}},
			{actors.StepCode, "", theCode},
		}},
		{"signing up", func(t *testing.T, s *scene) []string { return []string{"--phone", "+9996629876"} }, []line{
			{actors.StepCode, "", says("22222")}, {actors.StepSignUp, "", says(`{"kind":"sign_up","first_name":"Ali","last_name":"Baba"}`)},
		}},
		{"a password that is forgotten", func(t *testing.T, s *scene) []string {
			s.api(func(b *api.Backend, _ time.Time) error {
				return b.SetTwoStep(s.phone.UserID, api.TwoStep{Password: scenePassword, Email: recovery})
			})
			return []string{"--phone", "+" + s.phone.Number}
		}, []line{
			{actors.StepCode, "", theCode}, {actors.StepPassword, "", word("forgot")}, {actors.StepRecovery, "", word("back")},
			{actors.StepPassword, "", says(strings.TrimSpace(scenePassword))}, {actors.StepPassword, "PASSWORD_HASH_INVALID", word("forgot")},
			{actors.StepRecovery, "", theMail(recovery)}, {actors.StepNewPassword, "", says(`{"kind":"new_password","password":"another","hint":"none"}`)},
		}},
		{"a wait that is over by itself", func(t *testing.T, s *scene) []string {
			if err := s.cluster.FailNext("auth.sendCode", "FLOOD_WAIT_2"); err != nil {
				t.Fatal(err)
			}
			return codes()(t, s)
		}, []line{{actors.StepWait, "", says("")}, {actors.StepCode, "", theCode}}},
		{"a password with spaces", func(t *testing.T, s *scene) []string { return []string{"--phone", "+" + s.phone.Number} }, []line{
			{actors.StepCode, "", theCode}, {actors.StepPassword, "", says(scenePassword)},
		}},
		{"a QR code", func(*testing.T, *scene) []string { return []string{"--qr"} }, []line{
			{actors.StepQR, "", func(s *scene, step actors.Step) string {
				s.api(func(b *api.Backend, now time.Time) error { return b.Scan(now, qrToken(s.t, step.URL), s.phone.UserID) })
				return ""
			}},
			{actors.StepPassword, "", says(scenePassword)},
		}},
		{"a passkey", passkey, []line{
			{actors.StepPasskey, "", says(`{"id":"no assertion"}`)},
			{actors.StepPasskey, "", func(s *scene, step actors.Step) string { return s.assertion(string(step.Options)) }},
		}},
		{"a link of a web client", func(t *testing.T, s *scene) []string {
			s.noPassword()
			return []string{"--web-token", "-"}
		}, nil},
		{"a carrier's word", func(_ *testing.T, s *scene) []string {
			s.phone = s.cluster.Descriptor().Phones[1] // of the DC that is the first to be asked
			return []string{"--pnv"}
		}, []line{
			{actors.StepPNV, "", func(s *scene, _ actors.Step) (token string) {
				s.api(func(b *api.Backend, _ time.Time) error { token = b.PNVToken(s.phone.Number); return nil })
				return token
			}},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t)
			args := append([]string{"account", "login", "alice", "--add", "--json", "--timeout", "60s"}, c.begin(t, s)...)
			if c.lines != nil {
				args = append(args, "--stdin")
			}
			p := s.start(args...)
			if c.lines == nil {
				s.sayWebLink(p)
			}
			s.converse(p, c.lines)
		})
	}
}

// converse plays the lines, and wants the account signed in at the end.
func (s *scene) converse(p *process, lines []line) {
	s.t.Helper()
	for i, want := range lines {
		got, ok := p.step()
		if !ok || got.Step == nil || got.Step.Kind != want.kind || got.Step.LastError != want.last {
			s.t.Fatalf("step %d is %+v %v, not %s: %s", i, got.Step, got.Account.SignedIn, want.kind, p.said.String())
		}
		if text := want.say(s, *got.Step); text != "" {
			_, _ = fmt.Fprintln(p.in, text)
		}
	}
	got, ok := p.step()
	if !ok || got.Step != nil || !got.Account.SignedIn {
		s.t.Fatalf("at the end: %+v %+v: %s", got.Step, got.Account, p.said.String())
	}
	<-p.gone
	if code := p.cmd.ProcessState.ExitCode(); code != exitOK {
		s.t.Errorf("exit code %d: %s", code, p.said.String())
	}
}

// sayWebLink gives the link that a signed-in client would make.
func (s *scene) sayWebLink(p *process) {
	var link string
	s.api(func(b *api.Backend, now time.Time) error {
		token, dc, err := b.WebToken(now, s.phone.UserID)
		link = fmt.Sprintf("https://web.telegram.org/a/#tgWebAuthToken=%s&tgWebAuthUserId=%d&tgWebAuthDcId=%d", token, s.phone.UserID, dc)
		return err
	})
	_, _ = fmt.Fprintln(p.in, link)
}

// passkey registers one, as another session of the person would.
func passkey(t *testing.T, s *scene) []string {
	s.noPassword()
	const perm = 1 // of that session
	d, err := newDevice()
	if err != nil {
		t.Fatal(err)
	}
	s.device = d
	s.api(func(b *api.Backend, now time.Time) error {
		handle := func(body []byte) (api.Reply, error) {
			app := api.AppInfo{APIID: api.TestApp().ID, DeviceModel: "rig", SystemVersion: "1", AppVersion: "1", SystemLangCode: "en"}
			r := b.Handle(&api.Request{Now: now, DC: s.phone.DC, Perm: perm, Session: perm, Layer: tg.Layer, App: app, Inited: true, Body: body})
			if r.Err != nil {
				return r, r.Err
			}
			return r, nil
		}
		send := &tg.AuthSendCodeRequest{PhoneNumber: s.phone.Number, APIID: int32(api.TestApp().ID), APIHash: api.TestApp().Hash}
		sent, err := handle(send.Append(nil))
		if err != nil {
			return err
		}
		hash := send.ParseResult(tl.NewReader(sent.Body)).(*tg.AuthSentCode).PhoneCodeHash
		_, err = handle((&tg.AuthSignInRequest{PhoneNumber: s.phone.Number, PhoneCodeHash: hash, PhoneCode: tl.Some(s.phone.Code)}).Append(nil))
		if err != nil {
			return err
		}
		begin := &tg.AccountInitPasskeyRegistrationRequest{}
		begun, err := handle(begin.Append(nil))
		if err != nil {
			return err
		}
		made, err := d.attestation(begin.ParseResult(tl.NewReader(begun.Body)).Options.Data)
		if err != nil {
			return err
		}
		return register(handle, made)
	})
	return []string{"--passkey"}
}

func register(handle func([]byte) (api.Reply, error), response string) error {
	var v struct {
		ID       string `json:"id"`
		Response struct{ ClientDataJSON, AttestationObject string }
	}
	if err := json.Unmarshal([]byte(response), &v); err != nil {
		return err
	}
	clientData, err1 := base64.RawURLEncoding.DecodeString(v.Response.ClientDataJSON)
	attestation, err2 := base64.RawURLEncoding.DecodeString(v.Response.AttestationObject)
	_, err3 := handle((&tg.AccountRegisterPasskeyRequest{Credential: &tg.InputPasskeyCredentialPublicKey{
		ID: v.ID, RawID: v.ID,
		Response: &tg.InputPasskeyResponseRegister{ClientData: tg.DataJSON{Data: string(clientData)}, AttestationData: attestation},
	}}).Append(nil))
	return errors.Join(err1, err2, err3)
}

// assertion is what the authenticator answers to options.
func (s *scene) assertion(options string) string {
	answer, err := s.device.assertion(options)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer
}
