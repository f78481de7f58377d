package api

import (
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

const mailAddress = "ada@example.org"

// sent asks for a code.
func (w *world) sent(dc int, perm int64, phone string) *tg.AuthSentCode {
	w.t.Helper()
	s, ok := must(w, dc, perm, sendCode(phone)).(*tg.AuthSentCode)
	if !ok {
		w.t.Fatal("auth.sendCode answered no auth.sentCode")
	}
	return s
}

func signInMailed(phone, hash, code string) *tg.AuthSignInRequest {
	return &tg.AuthSignInRequest{PhoneNumber: phone, PhoneCodeHash: hash,
		EmailVerification: tl.Some[tg.AnyEmailVerification](&tg.EmailVerificationCode{Code: code})}
}

func setUp(phone, hash string) *tg.EmailVerifyPurposeLoginSetup {
	return &tg.EmailVerifyPurposeLoginSetup{PhoneNumber: phone, PhoneCodeHash: hash}
}

func sendMail(p tg.AnyEmailVerifyPurpose, email string) *tg.AccountSendVerifyEmailCodeRequest {
	return &tg.AccountSendVerifyEmailCodeRequest{Purpose: p, Email: email}
}

func verify(p tg.AnyEmailVerifyPurpose, code string) *tg.AccountVerifyEmailRequest {
	return &tg.AccountVerifyEmailRequest{Purpose: p, Verification: &tg.EmailVerificationCode{Code: code}}
}

func TestALoginEmailIsSetUpBeforeTheCodeComes(t *testing.T) {
	for _, known := range []bool{true, false} {
		w := newWorld(t, Config{})
		phone := w.person(1).Phone
		if !known {
			phone = "9996617777"
		}
		if err := w.b.SetCodes(phone, CodeSetUpEmail, CodeSMS, CodeCall); err != nil {
			t.Fatal(err)
		}
		s := w.sent(1, 1, phone)
		if _, ok := s.Type.(*tg.AuthSentCodeTypeSetUpEmailRequired); !ok || s.NextType.Set {
			t.Fatalf("the first answer is %+v", s)
		}
		p := setUp(phone, s.PhoneCodeHash)
		refused(w, "a guess at a code", 1, 1, signIn(phone, s.PhoneCodeHash, ""), 400, "PHONE_CODE_EMPTY")
		refused(w, "a code nobody sent", 1, 1, signIn(phone, s.PhoneCodeHash, "11111"), 400, "PHONE_CODE_INVALID")
		refused(w, "resending what was not sent", 1, 1, &tg.AuthResendCodeRequest{PhoneNumber: phone, PhoneCodeHash: s.PhoneCodeHash}, 406, "SEND_CODE_UNAVAILABLE")
		refused(w, "no address", 1, 1, sendMail(p, "ada"), 400, "EMAIL_INVALID")
		refused(w, "another hash", 1, 1, sendMail(setUp(phone, "00"), mailAddress), 400, "PHONE_HASH_EXPIRED")
		refused(w, "another DC", 2, 1, sendMail(p, mailAddress), 303, map[bool]string{true: "PHONE_MIGRATE_1", false: "NETWORK_MIGRATE_1"}[known])
		refused(w, "before a mail", 1, 1, verify(p, "1"), 400, "EMAIL_VERIFY_EXPIRED")
		if r := must(w, 1, 1, sendMail(p, mailAddress)); r.EmailPattern != "a***a@example.org" || r.Length != 6 {
			t.Errorf("mailed %+v", r)
		}
		refused(w, "a wrong code", 1, 1, verify(p, "1"), 400, "CODE_INVALID")
		refused(w, "a token nobody offered to take", 1, 1, &tg.AccountVerifyEmailRequest{Purpose: p, Verification: &tg.EmailVerificationApple{Token: "x"}},
			400, "EMAIL_TOKEN_INVALID")
		v, ok := must(w, 1, 1, verify(p, w.b.Mail(mailAddress))).(*tg.AccountEmailVerifiedLogin)
		if !ok || v.Email != mailAddress {
			t.Fatalf("verified: %+v", v)
		}
		next := v.SentCode.(*tg.AuthSentCode)
		if _, ok := next.Type.(*tg.AuthSentCodeTypeSMS); !ok {
			t.Fatalf("the code comes by %T", next.Type)
		}
		refused(w, "the hash of the set-up", 1, 1, signIn(phone, s.PhoneCodeHash, w.b.Code(phone)), 400, "PHONE_CODE_EXPIRED")
		must(w, 1, 1, signIn(phone, next.PhoneCodeHash, w.b.Code(phone)))
		if !known {
			must(w, 1, 1, &tg.AuthSignUpRequest{PhoneNumber: phone, PhoneCodeHash: next.PhoneCodeHash, FirstName: "Ada"})
		}
		if _, ok := w.sent(1, 2, phone).Type.(*tg.AuthSentCodeTypeEmailCode); !ok {
			t.Error("the next code does not go to the e-mail")
		}
	}
}

func TestALoginCodeByMailIsAnEmailVerification(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	if err := w.b.SetLoginEmail(u.ID, mailAddress); err != nil {
		t.Fatal(err)
	}
	s := w.sent(1, 1, u.Phone)
	e, ok := s.Type.(*tg.AuthSentCodeTypeEmailCode)
	if !ok || e.EmailPattern != "a***a@example.org" || e.Length != 6 || e.ResetAvailablePeriod.Value != 7*24*3600 || e.ResetPendingDate.Set {
		t.Fatalf("sent by %+v", s.Type)
	}
	code := w.b.Mail(mailAddress)
	if code != w.b.Code(u.Phone) {
		t.Errorf("mailed %q, Code says %q", code, w.b.Code(u.Phone))
	}
	refused(w, "as the code of a phone", 1, 1, signIn(u.Phone, s.PhoneCodeHash, code), 400, "PHONE_CODE_EMPTY")
	refused(w, "a wrong code", 1, 1, signInMailed(u.Phone, s.PhoneCodeHash, "x"), 400, "PHONE_CODE_INVALID")
	must(w, 1, 1, signInMailed(u.Phone, s.PhoneCodeHash, code))
	if p := must(w, 1, 1, &tg.AccountGetPasswordRequest{}); p.LoginEmailPattern.Value != "a***a@example.org" {
		t.Errorf("account.password says %q", p.LoginEmailPattern.Value)
	}
}

func TestALostLoginEmailIsResetAfterAWait(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	reset := func(hash string) *tg.AuthResetLoginEmailRequest {
		return &tg.AuthResetLoginEmailRequest{PhoneNumber: u.Phone, PhoneCodeHash: hash}
	}
	refused(w, "without a login e-mail", 1, 1, reset(w.hash(1, 1, u.Phone)), 400, "EMAIL_INSTALL_MISSING")
	_ = w.b.SetLoginEmail(u.ID, mailAddress)
	refused(w, "an unknown hash", 1, 1, reset("00"), 400, "PHONE_CODE_EXPIRED")
	hash := w.hash(1, 1, u.Phone)
	due := int32(w.now.Add(7 * 24 * time.Hour).Unix())
	s := must(w, 1, 1, reset(hash)).(*tg.AuthSentCode)
	if e := s.Type.(*tg.AuthSentCodeTypeEmailCode); e.ResetPendingDate.Value != due || e.ResetAvailablePeriod.Set || s.PhoneCodeHash != hash {
		t.Errorf("answered %+v with %+v", s, e)
	}
	refused(w, "asked again", 1, 1, reset(hash), 400, "TASK_ALREADY_EXISTS")
	w.sleep(7 * 24 * time.Hour)
	hash = w.hash(1, 1, u.Phone)
	s = must(w, 1, 1, reset(hash)).(*tg.AuthSentCode)
	if _, ok := s.Type.(*tg.AuthSentCodeTypeSMS); !ok {
		t.Fatalf("a week later the code comes by %T", s.Type)
	}
	must(w, 1, 1, signIn(u.Phone, s.PhoneCodeHash, w.b.Code(u.Phone)))
}

func TestALoginEmailWithoutAWaitIsResetAtOnce(t *testing.T) {
	w := newWorld(t, Config{LoginEmailWait: -1})
	u := w.person(1)
	_ = w.b.SetLoginEmail(u.ID, mailAddress)
	s := w.sent(1, 1, u.Phone)
	if p := s.Type.(*tg.AuthSentCodeTypeEmailCode).ResetAvailablePeriod; !p.Set || p.Value != 0 {
		t.Errorf("the wait is %+v", p)
	}
	s = must(w, 1, 1, &tg.AuthResetLoginEmailRequest{PhoneNumber: u.Phone, PhoneCodeHash: s.PhoneCodeHash}).(*tg.AuthSentCode)
	must(w, 1, 1, signIn(u.Phone, s.PhoneCodeHash, w.b.Code(u.Phone)))
}

func TestALoginEmailIsChangedFromASession(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	change := &tg.EmailVerifyPurposeLoginChange{}
	refused(w, "nobody", 1, 1, sendMail(change, mailAddress), 401, "AUTH_KEY_UNREGISTERED")
	w.login(u, 1)
	refused(w, "without one", 1, 1, sendMail(change, mailAddress), 400, "EMAIL_NOT_SETUP")
	_ = w.b.SetLoginEmail(u.ID, "old@example.org")
	must(w, 1, 1, sendMail(change, mailAddress))
	must(w, 1, 1, verify(change, w.b.Mail(mailAddress)))
	if w.sent(1, 2, u.Phone); w.b.Codes()[len(w.b.Codes())-1].Email != mailAddress {
		t.Error("the next code went elsewhere")
	}
	passport := &tg.EmailVerifyPurposePassport{}
	must(w, 1, 1, sendMail(passport, "other@example.org"))
	w.sleep(15 * time.Minute)
	refused(w, "a quarter of an hour later", 1, 1, verify(passport, w.b.Mail("other@example.org")), 400, "EMAIL_VERIFY_EXPIRED")
	w.guest(u, 1, 2, 3)
	refused(w, "a guest", 2, 3, sendMail(change, mailAddress), 303, "USER_MIGRATE_1")
}
