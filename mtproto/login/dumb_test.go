package login

import (
	"fmt"
	"strconv"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// A dumb server: it knows who is signed in on which DC, and answers in its own
// way what it is asked. The worlds hold the machine against what it knows.
type dumb struct {
	home     dc.ID
	password bool // there is a two-step password
	stranger bool // there is no account
	user     int64
	codes    []string // how the codes travel, one after the other
	scans    int      // exports before somebody has scanned

	auth map[dc.ID]authorized
	now  time.Time
}

// authorized is what a key may do.
type authorized uint8

const (
	nobody authorized = iota
	half
	whole
)

func (a authorized) String() string { return [...]string{"nobody", "half", "whole"}[a] }

// live reports whether any DC has somebody signed in, by half or wholly.
func (d *dumb) live() bool {
	for _, a := range d.auth {
		if a != nobody {
			return true
		}
	}
	return false
}

func refusal(code int, name string) error { return tgerr.New(code, name) }

// reply executes a query at a DC.
func (d *dumb) reply(at dc.ID, q tl.Object) ([]byte, error) {
	switch q := q.(type) {
	case *tg.AuthSendCodeRequest:
		if at != d.home {
			return nil, refusal(303, fmt.Sprintf("PHONE_MIGRATE_%d", d.home))
		}
		d.auth[at] = nobody
		return d.sendCode().Append(nil), nil
	case *tg.AuthResendCodeRequest, *tg.AuthResetLoginEmailRequest, *tg.AuthCheckPaidAuthRequest:
		return d.sendCode().Append(nil), nil
	case *tg.AuthSignInRequest:
		if q.PhoneCode.Set && q.PhoneCode.Value != "12345" {
			return nil, refusal(400, "PHONE_CODE_INVALID")
		}
		return d.signIn(at, true)
	case *tg.AuthFinishFirebasePnvLoginRequest:
		return d.signIn(at, true)
	case *tg.AuthSignUpRequest, *tg.AuthFirebasePnvSignUpRequest:
		d.auth[at] = whole
		return d.person(false), nil
	case *tg.AuthImportBotAuthorizationRequest:
		if at != d.home {
			return nil, refusal(303, fmt.Sprintf("USER_MIGRATE_%d", d.home))
		}
		d.auth[at] = whole
		return d.person(true), nil
	case *tg.AuthImportWebTokenAuthorizationRequest, *tg.AuthFinishPasskeyLoginRequest:
		return d.signIn(at, false)
	case *tg.AuthExportLoginTokenRequest:
		return d.export(at)
	case *tg.AuthImportLoginTokenRequest:
		return d.login(at)
	case *tg.AuthCheckPasswordRequest, *tg.AuthRecoverPasswordRequest:
		if d.auth[at] == nobody {
			return nil, refusal(401, "AUTH_KEY_UNREGISTERED")
		}
		d.auth[at] = whole
		return d.person(false), nil
	case *tg.UsersGetUsersRequest:
		switch d.auth[at] {
		case nobody:
			return nil, refusal(401, "AUTH_KEY_UNREGISTERED")
		case half:
			return nil, refusal(401, "SESSION_PASSWORD_NEEDED")
		}
		return (*tg.UsersGetUsersRequest)(nil).AppendResult(nil, []tg.AnyUser{user(d.user, d.bot())}), nil
	case *tg.AuthLogOutRequest:
		if d.auth[at] == nobody {
			return nil, refusal(401, "AUTH_KEY_UNREGISTERED")
		}
		d.auth[at] = nobody
		return answer([]string{"logged-out"}), nil
	}
	return d.simple(q), nil
}

// simple answers what changes nobody's authorization.
func (d *dumb) simple(q tl.Object) []byte {
	switch q.(type) {
	case *tg.AccountGetPasswordRequest:
		words := []string{"recovery"}
		if !d.password {
			words = []string{"none"}
		}
		return accountPassword(1, words)
	case *tg.AuthRequestPasswordRecoveryRequest:
		return answer([]string{"pattern", "a*@b.c"})
	case *tg.AccountSendVerifyEmailCodeRequest:
		return answer([]string{"mailed", "a*@b.c", "5"})
	case *tg.AccountVerifyEmailRequest:
		return answer([]string{"verified", "sms"})
	case *tg.AuthInitPasskeyLoginRequest:
		return answer([]string{"options", `{"publicKey":{}}`})
	case *tg.AuthInitFirebasePnvLoginRequest:
		return answer([]string{"intent"})
	}
	return tl.AppendBool(nil, true) // cancelCode, reportMissingCode, requestFirebaseSms, checkRecoveryPassword
}

func (d *dumb) bot() bool { return d.user == botUser }

const botUser = 123456

func (d *dumb) sendCode() tl.Object {
	how := "sms"
	if len(d.codes) > 0 {
		how, d.codes = d.codes[0], d.codes[1:]
	}
	if how == "payment" {
		return &tg.AuthSentCodePaymentRequired{PhoneCodeHash: "h1", Currency: "EUR"}
	}
	return sentCode([]string{how, "next=sms", "google", "reset=0"})
}

func (d *dumb) person(bot bool) []byte {
	kind := "user"
	if bot {
		kind = "bot"
	}
	return answer([]string{kind, strconv.FormatInt(d.user, 10)})
}

// signIn is what the first factor leads to.
func (d *dumb) signIn(at dc.ID, mayBeNew bool) ([]byte, error) {
	switch {
	case d.stranger && mayBeNew:
		return answer([]string{"sign-up"}), nil
	case at != d.home && !mayBeNew:
		return nil, refusal(303, fmt.Sprintf("USER_MIGRATE_%d", d.home))
	case d.password:
		d.auth[at] = half
		return nil, refusal(401, "SESSION_PASSWORD_NEEDED")
	}
	d.auth[at] = whole
	return d.person(false), nil
}

func (d *dumb) export(at dc.ID) ([]byte, error) {
	switch {
	case d.auth[at] == whole:
		return d.login(at)
	case d.scans > 0:
		d.scans--
		d.auth[at] = nobody
		return (&tg.AuthLoginToken{Token: []byte("SECRET-QR"), Expires: int32(d.now.Unix() + 30)}).Append(nil), nil
	case at != d.home:
		return (&tg.AuthLoginTokenMigrateTo{DCID: int32(d.home), Token: []byte("SECRET-IMPORT")}).Append(nil), nil
	}
	return d.login(at)
}

// login is what a scanned code leads to.
func (d *dumb) login(at dc.ID) ([]byte, error) {
	if d.password && d.auth[at] != whole {
		d.auth[at] = half
		return nil, refusal(401, "SESSION_PASSWORD_NEEDED")
	}
	d.auth[at] = whole
	return answer([]string{"login-token-user", strconv.FormatInt(d.user, 10)}), nil
}

// told takes the server's word for what became of a key: a refusal that another
// than the dumb server gave.
func (d *dumb) told(at dc.ID, e *tgerr.Error) {
	switch {
	case e.IsUnauthorized():
		d.auth[at] = nobody
	case e.Class() == tgerr.ClassPassword:
		d.auth[at] = half
	}
}

// helpful is the answer of somebody who knows everything.
func helpful(s Step, home dc.ID) (Answer, bool) {
	a := Answer{Step: s.ID}
	switch s.Kind {
	case StepPhone:
		a.Kind, a.Phone = AnswerPhone, "491701234567"
	case StepCode:
		a.Kind, a.Code = AnswerCode, "12345"
		if s.How == HowFlashCall {
			a.Code = "12345"
		}
	case StepNewCode:
		a.Kind = AnswerResend
	case StepFirebase:
		a.Kind, a.PlayIntegrity = AnswerFirebase, "SECRET-PROOF"
	case StepPayment:
		a.Kind, a.FormID = AnswerPaid, 7
	case StepSignUp:
		a.Kind, a.FirstName = AnswerSignUp, "Ada"
	case StepEmail:
		a.Kind, a.Email = AnswerEmail, "ada@example.org"
	case StepEmailSetup, StepRecovery:
		a.Kind, a.Code = AnswerCode, "12345"
	case StepPassword:
		a.Kind, a.Password = AnswerPassword, "SECRET-PASSWORD"
	case StepNewPassword:
		a.Kind = AnswerNoPassword
	case StepToken:
		a.Kind, a.Token = AnswerToken, "123456:SECRET"
	case StepWebToken:
		a.Kind, a.Token = AnswerToken, fmt.Sprintf("#tgWebAuthToken=SECRET&tgWebAuthUserId=42&tgWebAuthDcId=%d", home)
	case StepPasskey:
		a.Kind, a.Credential = AnswerPasskey, JSONText(assertion(fmt.Sprintf("%d:42", home)))
	case StepPNV:
		a.Kind, a.Token = AnswerPNV, "SECRET-GOOGLE"
	default:
		return a, false
	}
	return a, true
}

// worked is what a work computes, without its tens of milliseconds.
func worked(w wish) WorkResult {
	if w == wishNew {
		return WorkResult{hash: []byte("SECRET-HASH"), made: crypt.SRPAlgo{G: 3}}
	}
	return WorkResult{proof: &tg.InputCheckPasswordSRP{SRPID: 1}}
}

// begin makes the machine of a flow.
func begin(cfg Config, f Flow, home dc.ID) (*Machine, error) {
	switch f {
	case FlowPhone:
		return NewPhone(cfg, "491701234567")
	case FlowBot:
		return NewBot(cfg, "123456:SECRET")
	case FlowQR:
		return NewQR(cfg)
	case FlowPasskey:
		return NewPasskey(cfg)
	case FlowWeb:
		return NewWebToken(cfg, fmt.Sprintf("#tgWebAuthToken=SECRET&tgWebAuthUserId=42&tgWebAuthDcId=%d", home))
	}
	return NewPNV(cfg, "")
}

var allFlows = []Flow{FlowPhone, FlowBot, FlowQR, FlowPasskey, FlowWeb, FlowPNV}
