package actors

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/mtfleet/mtfleet/mtproto/dctest/api"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// signInFlow is one way to sign in: who, how it is begun, and who answers.
type signInFlow struct {
	name  string
	home  int // DC of who signs in; 2 where it is not said
	bot   bool
	fresh bool // nobody has the number yet
	slow  bool // it has a password in it, whose arithmetic costs a tenth of a second
	setUp func(st *stage)
	begin func(st *stage) Credentials
	human func(st *stage, step *Step) Answer // no kind: wait for what follows
}

const (
	stagePassword = "correct horse"
	stageMail     = "somebody@example.org"
)

func byNumber(st *stage) Credentials { return Phone("+" + st.user.Phone) }
func byScan(*stage) Credentials      { return QR() }
func byKey(*stage) Credentials       { return Passkey() }

func withPassword(st *stage) { st.must(st.b.SetPassword(st.user.ID, stagePassword)) }

func (st *stage) must(err error) {
	st.t.Helper()
	if err != nil {
		st.t.Fatal(err)
	}
}

// signInFlows are all of them. What a flow needs to know its human knows.
var signInFlows = []signInFlow{
	{name: "phone", begin: byNumber, human: answers},
	{name: "phone from another DC", home: 1, begin: byNumber, human: answers},
	{name: "phone and password", slow: true, setUp: withPassword, begin: byNumber, human: answers},
	{name: "phone and recovery", slow: true, begin: byNumber, human: forgetful, setUp: func(st *stage) {
		st.must(st.b.SetTwoStep(st.user.ID, api.TwoStep{Password: "forgotten", Email: stageMail}))
	}},
	{name: "code by e-mail", begin: byNumber, human: answers, setUp: func(st *stage) {
		st.must(st.b.SetLoginEmail(st.user.ID, stageMail))
	}},
	{name: "login e-mail to set up", begin: byNumber, human: answers, setUp: func(st *stage) {
		st.must(st.b.SetCodes(st.user.Phone, api.CodeSetUpEmail, api.CodeSMS))
	}},
	{name: "sign-up", fresh: true, begin: byNumber, human: answers},
	{name: "QR", begin: byScan, human: answers},
	{name: "QR and password", slow: true, setUp: withPassword, begin: byScan, human: answers},
	{name: "QR on another DC", home: 1, begin: byScan, human: answers},
	{name: "QR on another DC and password", home: 1, slow: true, setUp: withPassword, begin: byScan, human: answers},
	{name: "bot", bot: true, begin: func(st *stage) Credentials { return BotToken(st.user.BotToken) }, human: answers},
	{name: "web token", home: 1, begin: func(st *stage) Credentials { return WebToken(st.webLink()) }, human: answers},
	{name: "passkey", setUp: withPasskey, begin: byKey, human: answers},
	{name: "passkey on another DC", home: 1, setUp: withPasskey, begin: byKey, human: answers},
	{name: "PNV", begin: func(st *stage) Credentials { return PNV(st.user.Phone) }, human: answers},
	{name: "PNV and sign-up", fresh: true, begin: func(st *stage) Credentials { return PNV("") }, human: answers},
}

// answers is a human who has all that is asked for.
func answers(st *stage, step *Step) Answer {
	switch step.Kind {
	case StepCode:
		return Answer{Kind: AnswerCode, Code: st.b.Code(st.user.Phone)}
	case StepNewCode:
		return Answer{Kind: AnswerResend}
	case StepEmail:
		return Answer{Kind: AnswerEmail, Email: stageMail}
	case StepEmailSetup, StepRecovery:
		if st.b.Mail(stageMail) == "" { // the process died before it was asked for
			return Answer{Kind: AnswerBack}
		}
		return Answer{Kind: AnswerCode, Code: st.b.Mail(stageMail)}
	case StepPassword:
		return Answer{Kind: AnswerPassword, Password: stagePassword}
	case StepSignUp:
		return Answer{Kind: AnswerSignUp, FirstName: "Ada"}
	case StepQR:
		st.scan(step)
	case StepToken:
		return Answer{Kind: AnswerToken, Token: st.user.BotToken}
	case StepWebToken:
		return Answer{Kind: AnswerToken, Token: st.webLink()}
	case StepPasskey:
		return Answer{Kind: AnswerPasskey, Credential: st.assertion(step)}
	case StepPNV:
		return Answer{Kind: AnswerPNV, Token: st.b.PNVToken(st.user.Phone)}
	}
	return Answer{}
}

// forgetful has a new password set by the code from an e-mail.
func forgetful(st *stage, step *Step) Answer {
	const fresh = "battery staple"
	switch step.Kind {
	case StepPassword:
		if st.person().PasswordText == "forgotten" {
			return Answer{Kind: AnswerForgot}
		}
		return Answer{Kind: AnswerPassword, Password: fresh}
	case StepNewPassword:
		return Answer{Kind: AnswerNewPassword, Password: fresh}
	}
	return answers(st, step)
}

// scan accepts a QR code as an app of the person does. One that is accepted
// already, or that expired while the process was dead, is followed by another.
func (st *stage) scan(step *Step) {
	link, err := url.Parse(step.URL)
	st.must(err)
	token, err := base64.RawURLEncoding.DecodeString(link.Query().Get("token"))
	st.must(err)
	if err := st.b.Scan(st.sim.Now(), token, st.user.ID); err != nil && !strings.Contains(err.Error(), "AUTH_TOKEN_") {
		st.t.Fatal(err)
	}
	st.net.core.Advance(st.sim.Now()) // routes what it pushes
	st.net.drain()
}

func (st *stage) webLink() string {
	st.t.Helper()
	token, at, err := st.b.WebToken(st.sim.Now(), st.user.ID)
	st.must(err)
	return fmt.Sprintf("https://web.example.org/#tgWebAuthToken=%s&tgWebAuthUserId=%d&tgWebAuthDcId=%d", token, st.user.ID, at)
}

// withPasskey registers a passkey by a session that ends again.
func withPasskey(st *stage) {
	app := st.b.Apps()[0]
	sent, ok := raw(st, &tg.AuthSendCodeRequest{PhoneNumber: st.user.Phone, APIID: int32(app.ID), APIHash: app.Hash}).(*tg.AuthSentCode)
	if !ok {
		st.t.Fatal("no code was sent")
	}
	raw(st, &tg.AuthSignInRequest{PhoneNumber: st.user.Phone, PhoneCodeHash: sent.PhoneCodeHash, PhoneCode: tl.Some(st.b.Code(st.user.Phone))})
	raw(st, &tg.AccountInitPasskeyRegistrationRequest{})
	raw(st, &tg.AccountRegisterPasskeyRequest{Credential: &tg.InputPasskeyCredentialPublicKey{
		ID: "a2V5", RawID: "a2V5", Response: &tg.InputPasskeyResponseRegister{ClientData: tg.DataJSON{Data: "{}"}, AttestationData: []byte("x")},
	}})
	raw(st, &tg.AuthLogOutRequest{})
}

// assertion is what an authenticator makes of the challenge.
func (st *stage) assertion(step *Step) JSONText {
	st.t.Helper()
	var options struct{ PublicKey struct{ Challenge string } }
	st.must(json.Unmarshal([]byte(step.Options), &options))
	b64 := base64.RawURLEncoding.EncodeToString
	text, err := json.Marshal(map[string]any{"id": "a2V5", "rawId": "a2V5", "type": "public-key", "response": map[string]string{
		"clientDataJSON":    b64([]byte(`{"challenge":"` + options.PublicKey.Challenge + `"}`)),
		"authenticatorData": b64([]byte("data")), "signature": b64([]byte("signature")),
		"userHandle": b64(fmt.Appendf(nil, "%d:%d", st.user.HomeDC, st.user.ID)),
	}})
	st.must(err)
	return JSONText(text)
}

// once plays a sign-in at which one thing goes wrong.
func (f signInFlow) once(t *testing.T, on conditions, h harm, at int) *stage {
	t.Helper()
	st := newStage(t, f, on, h, at)
	st.play()
	st.judge()
	st.close()
	if t.Failed() {
		t.Fatalf("%s, %v, %v %d", f.name, on, h, at)
	}
	return st
}

// TestEveryFlowEndsWellWhateverHappens: every way to sign in, with the process
// killed, every connection cut, or the sign-in sent to another DC, at each query
// that a DC executes and at each step that is shown; or cancelled at a step and
// begun anew at once.
func TestEveryFlowEndsWellWhateverHappens(t *testing.T) {
	brief := testing.Short() || raceDetector
	for _, f := range signInFlows {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			f.everywhere(t, conditions{strict: true}, !brief)
			if brief {
				return
			}
			f.everywhere(t, conditions{noPFS: true}, !f.slow)
			if !f.slow { // passwords know nothing of keys
				f.everywhere(t, conditions{}, false)
				f.everywhere(t, conditions{noPFS: true, strict: true}, false)
			}
		})
	}
}

// everywhere plays a sign-in well, then harms it in each place: at each step that
// is shown, at each query that may be answered with a migration, and in full at
// each query that a DC executes up to the one that ends a sign-in.
func (f signInFlow) everywhere(t *testing.T, on conditions, full bool) {
	t.Helper()
	well := f.once(t, on, nothing, 0)
	for i := range well.steps {
		f.once(t, on, killedAsked, i+1)
		f.once(t, on, cutAsked, i+1)
		f.once(t, on, canceled, i+1)
	}
	for i, method := range well.queries[:slices.Index(well.queries, "updates.getState")+1] {
		if full {
			f.once(t, on, killed, i+1)
			f.once(t, on, cut, i+1)
		}
		if full && !f.slow && !on.noPFS {
			f.once(t, on, killedBefore, i+1)
		}
		if migrations[method] != "" {
			f.once(t, on, moved, i+1)
		}
	}
}
