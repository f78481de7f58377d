package security

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

var group = sync.OnceValue(crypt.WellKnownGroup)

const secret = " open sesame "

// server is an account with a password, and what the server keeps of it.
type server struct {
	algo     crypt.SRPAlgo
	verifier []byte
	b        []byte
}

func newServer(t *testing.T, password string) *server {
	t.Helper()
	s := &server{algo: crypt.SRPAlgo{Salt1: []byte("salt one"), Salt2: []byte("salt two"), G: group().G(), P: group().Prime()}, b: bytes.Repeat([]byte{7}, crypt.KeySize)}
	var err error
	if s.verifier, err = s.algo.Verifier(group(), []byte(password)); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *server) ask(t *testing.T) *tg.AccountPassword {
	t.Helper()
	challenge, err := s.algo.Challenge(group(), s.verifier, s.b)
	if err != nil {
		t.Fatal(err)
	}
	return &tg.AccountPassword{
		HasPassword: true, CurrentAlgo: tl.Some(algoIn(s.algo)), SRPB: tl.Some(challenge), SRPID: tl.Some(int64(42)), NewAlgo: algoIn(s.algo),
		Hint: tl.Some("a hint"),
	}
}

func (s *server) proves(t *testing.T, proof tg.AnyInputCheckPasswordSRP) error {
	t.Helper()
	p, ok := proof.(*tg.InputCheckPasswordSRP)
	if !ok || p.SRPID != 42 {
		t.Fatalf("the proof is %#v", proof)
	}
	return s.algo.Check(group(), s.verifier, s.b, p.A, p.M1)
}

func refusal(t *testing.T, err error, want Reason) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Reason != want {
		t.Errorf("the error is %v, want %s", err, want)
	}
	if e != nil && strings.Contains(e.Error(), "sesame") {
		t.Errorf("a password is in %q", e)
	}
}

func TestAPasswordIsProvedWithItsSpaces(t *testing.T) {
	s := newServer(t, secret)
	proof, err := Proof(s.ask(t), group(), rand.Reader, secret)
	if err != nil || s.proves(t, proof) != nil {
		t.Errorf("the proof: %v, %v", err, s.proves(t, proof))
	}
	proof, err = Proof(s.ask(t), group(), rand.Reader, strings.TrimSpace(secret))
	if err != nil || !errors.Is(s.proves(t, proof), crypt.ErrSRPProof) {
		t.Errorf("without its spaces: %v, %v", err, s.proves(t, proof))
	}
}

func TestAChangeProvesTheOldPasswordAndMakesTheNewOne(t *testing.T) {
	s := newServer(t, secret)
	email := "a@example.org"
	q, err := Settings(s.ask(t), group(), rand.Reader, Change{Current: secret, New: "new", Hint: "h", Email: &email})
	if err != nil || s.proves(t, q.Password) != nil {
		t.Fatalf("%v, %v", err, q)
	}
	algo, ok := algoOf(q.NewSettings.NewAlgo.Value)
	if !ok || !bytes.HasPrefix(algo.Salt1, s.algo.Salt1) || len(algo.Salt1) != len(s.algo.Salt1)+32 || !bytes.Equal(algo.Salt2, s.algo.Salt2) {
		t.Errorf("the new algorithm is %+v", q.NewSettings.NewAlgo)
	}
	if v, err := algo.Verifier(group(), []byte("new")); err != nil || !bytes.Equal(v, q.NewSettings.NewPasswordHash.Value) {
		t.Error("the new verifier is not the new password's")
	}
	if q.NewSettings.Hint.Value != "h" || q.NewSettings.Email.Value != email {
		t.Errorf("the settings are %+v", q.NewSettings)
	}
	onlyEmail, err := Settings(s.ask(t), group(), rand.Reader, Change{Current: secret, Email: &email})
	if err != nil || onlyEmail.NewSettings.NewAlgo.Set || !onlyEmail.NewSettings.Email.Set {
		t.Errorf("for an e-mail alone: %+v, %v", onlyEmail, err)
	}
	removed, err := Settings(s.ask(t), group(), rand.Reader, Change{Current: secret, Remove: true})
	if _, unknown := removed.NewSettings.NewAlgo.Value.(*tg.PasswordKdfAlgoUnknown); err != nil || !unknown || len(removed.NewSettings.NewPasswordHash.Value) != 0 {
		t.Errorf("a removal: %+v, %v", removed, err)
	}
	first, err := Settings(&tg.AccountPassword{NewAlgo: algoIn(s.algo)}, group(), rand.Reader, Change{New: "new"})
	if _, empty := first.Password.(*tg.InputCheckPasswordEmpty); err != nil || !empty || !first.NewSettings.NewAlgo.Set {
		t.Errorf("the first password: %+v, %v", first, err)
	}
}

func TestWhatMakesNoSenseIsNotSent(t *testing.T) {
	s := newServer(t, secret)
	email := "a@example.org"
	none := &tg.AccountPassword{NewAlgo: algoIn(s.algo)}
	passport := s.ask(t)
	passport.HasSecureValues = true
	unknown := s.ask(t)
	unknown.CurrentAlgo = tl.Some[tg.AnyPasswordKdfAlgo](&tg.PasswordKdfAlgoUnknown{})
	newer := s.ask(t)
	newer.NewAlgo = &tg.PasswordKdfAlgoUnknown{}
	cases := []struct {
		name string
		p    *tg.AccountPassword
		c    Change
		want Reason
	}{
		{"nothing", s.ask(t), Change{Current: secret}, ReasonInput},
		{"both", s.ask(t), Change{Current: secret, New: "x", Remove: true}, ReasonInput},
		{"the present one is missing", s.ask(t), Change{New: "x"}, ReasonPassword},
		{"a present one, and none is set", none, Change{Current: secret, New: "x"}, ReasonNone},
		{"to remove what is not there", none, Change{Remove: true}, ReasonNone},
		{"a new one that is too long", s.ask(t), Change{Current: secret, New: strings.Repeat("x", passwordMost+1)}, ReasonInput},
		{"an old one that is too long", s.ask(t), Change{Current: strings.Repeat("x", passwordMost+1), New: "x"}, ReasonInput},
		{"documents would be lost", passport, Change{Current: secret, New: "x"}, ReasonPassport},
		{"an unknown algorithm", unknown, Change{Current: secret, Email: &email}, ReasonUnsupported},
		{"an unknown new algorithm", newer, Change{Current: secret, New: "x"}, ReasonUnsupported},
	}
	for _, x := range cases {
		t.Run(x.name, func(t *testing.T) {
			q, err := Settings(x.p, group(), rand.Reader, x.c)
			if refusal(t, err, x.want); q != nil {
				t.Errorf("there is a query: %v", q)
			}
		})
	}
	if _, err := Settings(passport, group(), rand.Reader, Change{Current: secret, New: "x", LosePassport: true}); err != nil {
		t.Errorf("documents that may be lost: %v", err)
	}
	if _, err := Settings(passport, group(), rand.Reader, Change{Current: secret, Email: &email}); err != nil {
		t.Errorf("an e-mail loses no documents: %v", err)
	}
}

// TestAHostileServerLearnsNothing: of what it proposes, for the present password
// and for the new one.
func TestAHostileServerLearnsNothing(t *testing.T) {
	s := newServer(t, secret)
	p := new(big.Int).SetBytes(s.algo.P)
	bad := func(change func(*crypt.SRPAlgo)) tg.AnyPasswordKdfAlgo {
		a := s.algo
		change(&a)
		return algoIn(a)
	}
	algos := map[string]tg.AnyPasswordKdfAlgo{
		"a generator of nine":       bad(func(a *crypt.SRPAlgo) { a.G = 9 }),
		"a generator that does not": bad(func(a *crypt.SRPAlgo) { a.G = 2 }),
		"no prime":                  bad(func(a *crypt.SRPAlgo) { a.P = new(big.Int).Sub(p, big.NewInt(2)).Bytes() }),
		"a short prime":             bad(func(a *crypt.SRPAlgo) { a.P = a.P[:128] }),
		"no prime at all":           bad(func(a *crypt.SRPAlgo) { a.P = nil }),
	}
	for name, algo := range algos {
		for _, change := range []Change{{Current: secret, New: "x"}, {New: "x"}} {
			t.Run(fmt.Sprint(name, ", first ", change.Current == ""), func(t *testing.T) {
				asked := s.ask(t)
				if asked.NewAlgo = algo; change.Current == "" {
					asked = &tg.AccountPassword{NewAlgo: algo}
				}
				q, err := Settings(asked, group(), rand.Reader, change)
				if refusal(t, err, ReasonHostile); q != nil {
					t.Error("there is a query")
				}
			})
		}
		asked := s.ask(t)
		asked.CurrentAlgo = tl.Some(algo)
		_, err := Proof(asked, group(), rand.Reader, secret)
		refusal(t, err, ReasonHostile)
	}
	for name, b := range map[string][]byte{
		"zero": make([]byte, crypt.KeySize), "nothing": nil, "one": {1}, "the prime": s.algo.P, "too long": make([]byte, crypt.KeySize+1),
		"near the prime": new(big.Int).Sub(p, big.NewInt(1)).Bytes(),
	} {
		asked := s.ask(t)
		asked.SRPB = tl.Some(b)
		if _, err := Proof(asked, group(), rand.Reader, secret); err == nil {
			t.Errorf("B of %s is taken", name)
		} else {
			refusal(t, err, ReasonHostile)
		}
	}
}

func TestAChangePrintsNothingOfItself(t *testing.T) {
	c := Change{Current: secret, New: secret, Hint: secret}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if s := fmt.Sprintf(format, c); strings.Contains(s, "sesame") {
			t.Errorf("%s prints %s", format, s)
		}
	}
}

func TestTheStateOfTheTwoStepVerificationIsReadWhole(t *testing.T) {
	got := TwoStepOf(&tg.AccountPassword{
		HasPassword: true, HasRecovery: true, HasSecureValues: true, Hint: tl.Some("h"), EmailUnconfirmedPattern: tl.Some("a***b@c.d"),
		LoginEmailPattern: tl.Some("x***y@c.d"), PendingResetDate: tl.Some(int32(noon.Unix())), CurrentAlgo: tl.Some[tg.AnyPasswordKdfAlgo](&tg.PasswordKdfAlgoUnknown{}),
	})
	want := TwoStep{Password: true, Hint: "h", Recovery: true, Unconfirmed: "a***b@c.d", LoginEmail: "x***y@c.d", Passport: true, Unsupported: true}
	if !got.ResetAt.Equal(noon) {
		t.Errorf("the reset is at %v", got.ResetAt)
	}
	if got.ResetAt = want.ResetAt; got != want {
		t.Errorf("it is %+v, want %+v", got, want)
	}
	if got := TwoStepOf(&tg.AccountPassword{}); got != (TwoStep{}) {
		t.Errorf("of nothing it is %+v", got)
	}
}
