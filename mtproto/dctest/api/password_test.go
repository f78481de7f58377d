package api

import (
	"bytes"
	"testing"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// known is the group of the tests: making one takes 10 ms.
var known = crypt.WellKnownGroup()

func algoOf(t testing.TB, in tg.AnyPasswordKdfAlgo) crypt.SRPAlgo {
	t.Helper()
	a, ok := in.(*tg.PasswordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow)
	if !ok {
		t.Fatalf("the algorithm is %T", in)
	}
	return crypt.SRPAlgo{Salt1: a.Salt1, Salt2: a.Salt2, G: int(a.G), P: a.P}
}

// srp proves a password as a client does, from a fresh account.getPassword.
func (w *world) srp(dc int, perm int64, text string) *tg.InputCheckPasswordSRP {
	w.t.Helper()
	p := must(w, dc, perm, &tg.AccountGetPasswordRequest{})
	if !p.HasPassword {
		w.t.Fatal("no password is set")
	}
	a, m1, err := algoOf(w.t, p.CurrentAlgo.Value).Prove(known, newStream(uint64(w.now.UnixNano()), "client"), []byte(text), p.SRPB.Value)
	if err != nil {
		w.t.Fatal(err)
	}
	return &tg.InputCheckPasswordSRP{SRPID: p.SRPID.Value, A: a, M1: m1}
}

func (w *world) proof(dc int, perm int64, text string) *tg.AuthCheckPasswordRequest {
	w.t.Helper()
	return &tg.AuthCheckPasswordRequest{Password: w.srp(dc, perm, text)}
}

// newPassword is the settings of a new password, as a client makes them.
func (w *world) newPassword(dc int, perm int64, text, hint string) tg.AccountPasswordInputSettings {
	w.t.Helper()
	p := must(w, dc, perm, &tg.AccountGetPasswordRequest{})
	algo, verifier, err := algoOf(w.t, p.NewAlgo).NewPassword(known, newStream(7, "client"), []byte(text))
	if err != nil {
		w.t.Fatal(err)
	}
	return tg.AccountPasswordInputSettings{
		NewAlgo: tl.Some(algoToTL(algo)), NewPasswordHash: tl.Some(verifier), Hint: tl.Some(hint),
	}
}

func update(proof tg.AnyInputCheckPasswordSRP, s tg.AccountPasswordInputSettings) *tg.AccountUpdatePasswordSettingsRequest {
	return &tg.AccountUpdatePasswordSettingsRequest{Password: proof, NewSettings: s}
}

var noProof = &tg.InputCheckPasswordEmpty{}

// half signs a person in up to the password.
func (w *world) half(u User, perm int64) {
	w.t.Helper()
	refused(w, "the right code", u.HomeDC, perm, signIn(u.Phone, w.hash(u.HomeDC, perm, u.Phone), w.b.Code(u.Phone)), 401, "SESSION_PASSWORD_NEEDED")
}

// guarded is a world of one DC's person with a password, half signed in on key 1.
func guarded(t *testing.T, cfg Config, s TwoStep) (*world, User) {
	t.Helper()
	w := newWorld(t, cfg)
	u := w.person(1)
	if s.Password == "" {
		s.Password = "correct horse"
	}
	if err := w.b.SetTwoStep(u.ID, s); err != nil {
		t.Fatal(err)
	}
	w.half(u, 1)
	return w, u
}

func TestTheRightPasswordEndsTheLogin(t *testing.T) {
	w, u := guarded(t, Config{}, TwoStep{Hint: "what carries you"})
	refused(w, "before the password", 1, 1, self(), 401, "SESSION_PASSWORD_NEEDED")
	if p := must(w, 1, 1, &tg.AccountGetPasswordRequest{}); p.Hint.Value != "what carries you" || p.HasRecovery || len(p.SRPB.Value) != 256 {
		t.Errorf("account.password is %+v", p)
	}
	auth := must(w, 1, 1, w.proof(1, 1, "correct horse")).(*tg.AuthAuthorization)
	if auth.User.(*tg.User).ID != u.ID || len(auth.FutureAuthToken.Value) == 0 {
		t.Errorf("the authorization is %+v", auth)
	}
	must(w, 1, 1, self())
	if l := w.b.Logins(); len(l) != 1 || l[0].Method != "auth.checkPassword" {
		t.Errorf("Logins = %+v", l)
	}
}

func TestAWrongPasswordSpendsItsChance(t *testing.T) {
	w, _ := guarded(t, Config{}, TwoStep{})
	wrong := w.proof(1, 1, "correct horse ")
	refused(w, "a blank too many", 1, 1, wrong, 400, "PASSWORD_HASH_INVALID")
	refused(w, "the same srp_id", 1, 1, wrong, 400, "SRP_ID_INVALID")
	right := w.proof(1, 1, "correct horse")
	right.Password.(*tg.InputCheckPasswordSRP).M1 = right.Password.(*tg.InputCheckPasswordSRP).M1[:31]
	refused(w, "a short M1", 1, 1, right, 400, "PASSWORD_HASH_INVALID")
	refused(w, "no proof at all", 1, 1, &tg.AuthCheckPasswordRequest{Password: noProof}, 400, "PASSWORD_HASH_INVALID")
	for name, a := range map[string][]byte{"A of 0": {0}, "A of p": known.Prime(), "no A": nil} {
		q := w.srp(1, 1, "correct horse")
		q.A = a
		w.sleep(10 * time.Minute)
		refused(w, name, 1, 1, &tg.AuthCheckPasswordRequest{Password: q}, 400, "SRP_A_INVALID")
	}
}

func TestAnSRPIDIsGoodForHalfAnHourAndForItsAccountOnly(t *testing.T) {
	w, _ := guarded(t, Config{}, TwoStep{})
	late := w.proof(1, 1, "correct horse")
	w.sleep(30*time.Minute - time.Second)
	soon := w.proof(1, 1, "correct horse")
	w.sleep(time.Second)
	refused(w, "after half an hour", 1, 1, late, 400, "SRP_ID_INVALID")
	other, err := w.b.AddPerson(Person{HomeDC: 1, Password: "correct horse"})
	if err != nil {
		t.Fatal(err)
	}
	w.half(User{HomeDC: 1, Phone: w.b.dir.byID[other].phone}, 2)
	refused(w, "another account's", 1, 2, soon, 400, "SRP_ID_INVALID")
	must(w, 1, 1, soon)
}

func TestAPasswordChangedInBetweenIsSaid(t *testing.T) {
	w, u := guarded(t, Config{}, TwoStep{})
	q := w.proof(1, 1, "correct horse")
	if err := w.b.SetPassword(u.ID, "battery staple"); err != nil {
		t.Fatal(err)
	}
	refused(w, "the old password", 1, 1, q, 400, "SRP_PASSWORD_CHANGED")
	gone := w.proof(1, 1, "battery staple")
	if err := w.b.SetPassword(u.ID, ""); err != nil {
		t.Fatal(err)
	}
	refused(w, "a password that was removed", 1, 1, gone, 400, "PASSWORD_EMPTY")
	if p := must(w, 1, 1, &tg.AccountGetPasswordRequest{}); p.HasPassword || p.CurrentAlgo.Set {
		t.Errorf("account.password is %+v", p)
	}
	w.login(u, 1) // the code alone is enough now
}

func TestGuessingAPasswordHasToWait(t *testing.T) {
	w, _ := guarded(t, Config{Limits: Limits{CheckPassword: RateLimit{Calls: 2, Per: 10 * time.Minute}}}, TwoStep{})
	for range 2 {
		refused(w, "a guess", 1, 1, w.proof(1, 1, "guess"), 400, "PASSWORD_HASH_INVALID")
	}
	right := w.proof(1, 1, "correct horse")
	refused(w, "one too many", 1, 1, right, 420, "FLOOD_WAIT_600")
	w.sleep(10 * time.Minute)
	must(w, 1, 1, right) // the refused call was no attempt
}

func TestAKeyWithoutAHalfLoginHasNoPassword(t *testing.T) {
	w := newWorld(t, Config{})
	p := must(w, 1, 1, &tg.AccountGetPasswordRequest{})
	if p.HasPassword || len(algoOf(t, p.NewAlgo).Salt1) != 8 {
		t.Errorf("account.password is %+v", p)
	}
	refused(w, "a proof", 1, 1, &tg.AuthCheckPasswordRequest{Password: noProof}, 400, "PASSWORD_EMPTY")
}

func TestAPasswordIsSetChangedAndRemoved(t *testing.T) {
	w := newWorld(t, Config{LoginsPerDay: -1, Limits: Limits{CheckPassword: RateLimit{Calls: -1}}})
	u := w.person(1)
	token := w.login(u, 1).FutureAuthToken.Value
	must(w, 1, 1, update(noProof, w.newPassword(1, 1, "first", "a hint")))
	if v := w.person(1); !v.Password || v.PasswordText != "" {
		t.Errorf("the directory shows %+v", v)
	}
	if _, ok := must(w, 1, 3, sendCode(u.Phone, token)).(*tg.AuthSentCode); !ok {
		t.Error("a token from before the password is good")
	}
	w.half(u, 2)
	must(w, 1, 2, w.proof(1, 2, "first"))

	next := w.newPassword(1, 1, "second", "")
	refused(w, "no proof", 1, 1, update(noProof, next), 400, "PASSWORD_HASH_INVALID")
	refused(w, "a wrong proof", 1, 1, update(w.srp(1, 1, "second"), next), 400, "PASSWORD_HASH_INVALID")
	old := w.srp(1, 1, "first")
	must(w, 1, 1, update(w.srp(1, 1, "first"), next))
	refused(w, "a proof from before the change", 1, 1, update(old, next), 400, "SRP_PASSWORD_CHANGED")

	must(w, 1, 1, update(w.srp(1, 1, "second"), tg.AccountPasswordInputSettings{
		NewAlgo: tl.Some[tg.AnyPasswordKdfAlgo](&tg.PasswordKdfAlgoUnknown{}), NewPasswordHash: tl.Some([]byte(nil)), Hint: tl.Some(""),
	}))
	w.login(u, 4)
}

func TestPasswordSettingsAreJudged(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	w.login(u, 1)
	fine := func() (tg.AccountPasswordInputSettings, *tg.PasswordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow) {
		s := w.newPassword(1, 1, "first", "")
		return s, s.NewAlgo.Value.(*tg.PasswordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow)
	}
	for name, c := range map[string]struct {
		spoil func(s *tg.AccountPasswordInputSettings, a *tg.PasswordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow)
		want  string
	}{
		"nothing set": {func(s *tg.AccountPasswordInputSettings, _ *tg.PasswordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow) {
			*s = tg.AccountPasswordInputSettings{}
		}, "NEW_SETTINGS_EMPTY"},
		"a salt without the client's part": {func(_ *tg.AccountPasswordInputSettings, a *tg.PasswordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow) {
			a.Salt1 = a.Salt1[:8]
		}, "NEW_SALT_INVALID"},
		"another first salt": {func(_ *tg.AccountPasswordInputSettings, a *tg.PasswordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow) {
			a.Salt1[0] ^= 1
		}, "NEW_SALT_INVALID"},
		"another second salt": {func(_ *tg.AccountPasswordInputSettings, a *tg.PasswordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow) {
			a.Salt2[0] ^= 1
		}, "NEW_SALT_INVALID"},
		"a short hash": {func(s *tg.AccountPasswordInputSettings, _ *tg.PasswordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow) {
			s.NewPasswordHash.Value = s.NewPasswordHash.Value[:255]
		}, "NEW_SETTINGS_INVALID"},
		"a hash outside the group": {func(s *tg.AccountPasswordInputSettings, _ *tg.PasswordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow) {
			s.NewPasswordHash.Value = bytes.Repeat([]byte{255}, 256)
		}, "NEW_SETTINGS_INVALID"},
		"no address": {func(s *tg.AccountPasswordInputSettings, _ *tg.PasswordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow) {
			s.Email = tl.Some("nobody")
		}, "EMAIL_INVALID"},
		"an address without a password": {func(s *tg.AccountPasswordInputSettings, _ *tg.PasswordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow) {
			*s = tg.AccountPasswordInputSettings{Email: tl.Some("ada@example.org")}
		}, "NEW_SETTINGS_INVALID"},
	} {
		s, a := fine()
		c.spoil(&s, a)
		refused(w, name, 1, 1, update(noProof, s), 400, c.want)
	}
	if w.person(1).Password {
		t.Error("a refused setting was applied")
	}
}

func TestAPasswordWithAnEmailWaitsForTheMailedCode(t *testing.T) {
	w := newWorld(t, Config{LoginsPerDay: -1})
	u := w.person(1)
	w.login(u, 1)
	settings := w.newPassword(1, 1, "first", "")
	settings.Email = tl.Some("ada@example.org")
	refused(w, "confirmation of nothing", 1, 1, &tg.AccountConfirmPasswordEmailRequest{Code: "1"}, 400, "EMAIL_HASH_EXPIRED")
	refused(w, "it worked, and", 1, 1, update(noProof, settings), 400, "EMAIL_UNCONFIRMED_6")
	p := must(w, 1, 1, &tg.AccountGetPasswordRequest{})
	if p.HasPassword || p.EmailUnconfirmedPattern.Value != "a***a@example.org" {
		t.Errorf("while it waits account.password is %+v", p)
	}
	refused(w, "a wrong code", 1, 1, &tg.AccountConfirmPasswordEmailRequest{Code: "x"}, 400, "CODE_INVALID")
	first := w.b.Mail("ada@example.org")
	must(w, 1, 1, &tg.AccountResendPasswordEmailRequest{})
	second := w.b.Mail("ada@example.org")
	if first == second || len(second) != 6 {
		t.Errorf("mailed %q, then %q", first, second)
	}
	refused(w, "the code of the first mail", 1, 1, &tg.AccountConfirmPasswordEmailRequest{Code: first}, 400, "CODE_INVALID")
	must(w, 1, 1, &tg.AccountConfirmPasswordEmailRequest{Code: second})
	if p := must(w, 1, 1, &tg.AccountGetPasswordRequest{}); !p.HasPassword || !p.HasRecovery || p.EmailUnconfirmedPattern.Set {
		t.Errorf("confirmed, account.password is %+v", p)
	}
	if s := must(w, 1, 1, &tg.AccountGetPasswordSettingsRequest{Password: w.srp(1, 1, "first")}); s.Email.Value != "ada@example.org" {
		t.Errorf("the settings are %+v", s)
	}
}

func TestAWaitingEmailIsCancelledOrRunsOut(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	w.login(u, 1)
	settings := w.newPassword(1, 1, "first", "")
	settings.Email = tl.Some("ada@example.org")
	refused(w, "it worked, and", 1, 1, update(noProof, settings), 400, "EMAIL_UNCONFIRMED_6")
	code := w.b.Mail("ada@example.org")
	w.sleep(15 * time.Minute)
	refused(w, "a quarter of an hour later", 1, 1, &tg.AccountConfirmPasswordEmailRequest{Code: code}, 400, "EMAIL_HASH_EXPIRED")
	must(w, 1, 1, &tg.AccountResendPasswordEmailRequest{})
	must(w, 1, 1, &tg.AccountCancelPasswordEmailRequest{})
	for range 2 {
		refused(w, "after that", 1, 1, &tg.AccountCancelPasswordEmailRequest{}, 400, "EMAIL_HASH_EXPIRED")
	}
	refused(w, "after that", 1, 1, &tg.AccountResendPasswordEmailRequest{}, 400, "EMAIL_HASH_EXPIRED")
	if p := must(w, 1, 1, &tg.AccountGetPasswordRequest{}); p.HasPassword || p.EmailUnconfirmedPattern.Set {
		t.Errorf("account.password is %+v", p)
	}
}

func TestAPasswordResetTakesAWeekAndCanBeDeclined(t *testing.T) {
	w := newWorld(t, Config{})
	u := w.person(1)
	w.login(u, 1)
	refused(w, "without a password", 1, 1, &tg.AccountResetPasswordRequest{}, 400, "PASSWORD_EMPTY")
	if err := w.b.SetPassword(u.ID, "forgotten"); err != nil {
		t.Fatal(err)
	}
	refused(w, "nothing to decline", 1, 1, &tg.AccountDeclinePasswordResetRequest{}, 400, "RESET_REQUEST_MISSING")
	reset := func() tg.AnyAccountResetPasswordResult { return must(w, 1, 1, &tg.AccountResetPasswordRequest{}) }
	due := int32(w.now.Add(7 * 24 * time.Hour).Unix())
	if r, ok := reset().(*tg.AccountResetPasswordRequestedWait); !ok || r.UntilDate != due {
		t.Errorf("answered %+v", r)
	}
	w.sleep(time.Hour)
	if r, ok := reset().(*tg.AccountResetPasswordRequestedWait); !ok || r.UntilDate != due {
		t.Errorf("asked again: %+v", r)
	}
	if p := must(w, 1, 1, &tg.AccountGetPasswordRequest{}); p.PendingResetDate.Value != due {
		t.Errorf("account.password says %d", p.PendingResetDate.Value)
	}
	must(w, 1, 1, &tg.AccountDeclinePasswordResetRequest{})
	if r, ok := reset().(*tg.AccountResetPasswordFailedWait); !ok || r.RetryDate != int32(w.now.Add(24*time.Hour).Unix()) {
		t.Errorf("after it was declined: %+v", r)
	}
	w.sleep(24 * time.Hour)
	reset()
	w.sleep(7 * 24 * time.Hour)
	if r, ok := reset().(*tg.AccountResetPasswordOk); !ok {
		t.Errorf("a week later: %+v", r)
	}
	if w.person(1).Password {
		t.Error("the password is still there")
	}
}
