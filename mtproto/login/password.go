package login

import (
	"bytes"
	"errors"
	"io"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// The two-step password, a tail of every flow but the bot's: the first factor
// was right, and the key waits for the second. Each try has parameters of its
// own, which the server gives out once. https://core.telegram.org/api/srp

const (
	callGetPassword   call = "getPassword"
	callCheckPassword call = "checkPassword"
)

// PasswordPart is what is stored of a two-step password: what its step shows.
type PasswordPart struct {
	Hint     string `json:"hint,omitempty"`
	Recovery bool   `json:"recovery,omitempty"` // there is a recovery e-mail
	Pattern  string `json:"pattern,omitempty"`  // of that address
	// Refused: the server would not say how the password is checked.
	Refused bool `json:"refused,omitempty"`
	// Stale counts the tries that failed for their parameters.
	Stale int `json:"stale,omitempty"`
}

// passwordSecrets is what one try needs.
type passwordSecrets struct {
	want   wish
	text   string // what was typed
	hint   string // of a new one
	params srpParams
	proof  tg.AnyInputCheckPasswordSRP
	hash   tl.Opt[tg.AccountPasswordInputSettings]
}

// wish is why account.getPassword is asked.
type wish uint8

const (
	wishStep  wish = iota // to show the step
	wishProve             // to try what was typed
	wishNew               // to make a new one
)

// srpParams are good for one try.
type srpParams struct {
	algo crypt.SRPAlgo
	id   int64
	b    []byte
	at   time.Time
	set  bool
}

// srpLife is how long parameters are thought to be good: half of the half hour
// that a server has been seen to keep them.
const srpLife = 15 * time.Minute

func (m *Machine) passwordMethod(c call) (method, bool) {
	switch c {
	case callGetPassword:
		return method{
			state: StateGettingPassword, repeatable: true, patient: true,
			query:  func(*Machine) tl.Object { return &tg.AccountGetPasswordRequest{} },
			answer: reads((*tg.AccountGetPasswordRequest)(nil).ParseResult, (*Machine).onPassword),
			refused: func(m *Machine, _ time.Time, e *tgerr.Error) bool {
				switch e.Class() {
				case tgerr.ClassBadRequest, tgerr.ClassForbidden:
					m.s.Password.Refused, m.secret.password = true, passwordSecrets{}
					m.s.LastError = e.Type
					m.wait(StateWaitPassword)
					return true
				}
				return false
			},
			lost: func(m *Machine, now time.Time) { m.again(now) },
		}, true
	case callCheckPassword:
		return method{
			state: StateCheckingPassword, signsIn: true,
			query: func(m *Machine) tl.Object {
				if m.secret.password.proof == nil {
					return nil
				}
				return &tg.AuthCheckPasswordRequest{Password: m.secret.password.proof}
			},
			answer:    reads(tg.ParseAnyAuthAuthorization, (*Machine).onAuthorization),
			refused:   (*Machine).onPasswordError,
			lost:      func(m *Machine, _ time.Time) { m.askPassword(answerLost) },
			forgotten: func(m *Machine) { m.askPassword(restarted) },
			late:      (*Machine).laterPassword,
			tired:     func(m *Machine, e *tgerr.Error) { m.askPassword(e.Type) },
		}, true
	}
	return m.recoveryMethod(c)
}

// passwordNeeded: the first factor was right, a password is owed.
func (m *Machine) passwordNeeded(e *tgerr.Error) {
	if spec, _ := m.s.Flow.spec(); !spec.password {
		m.undo(&Error{Reason: ReasonServer, Err: e, Message: "the server wants a two-step password, which a bot has not"})
		return
	}
	why := ""
	if m.s.Half { // what was tried with the password is not known
		why = answerLost
	}
	code, provider := m.secret.code, m.secret.provider
	asked := m.s.Pending
	if asked == string(callProbe) {
		asked = m.s.Probed
	}
	if !m.s.Half && asked != string(callSignIn) {
		code, provider = "", "" // of an e-mail that was being set up
	}
	m.s.Half, m.s.Probed = true, ""
	m.forgetSecrets()
	m.secret.code, m.secret.provider = code, provider // for onPasswordGone
	m.s.LastError, m.s.Tries, m.s.Repeats, m.s.Password = why, 0, 0, PasswordPart{}
	m.call(callGetPassword)
}

// askPassword asks for the password once more, with parameters of its own.
func (m *Machine) askPassword(why string) {
	m.secret.password = passwordSecrets{}
	m.s.LastError = why
	m.call(callGetPassword)
}

// laterPassword is askPassword after a wait.
func (m *Machine) laterPassword(until time.Time) {
	m.secret.password = passwordSecrets{}
	m.s.Until = until
	m.wait(StateWaitPassword)
}

// onPassword takes what the server tells about the password.
func (m *Machine) onPassword(now time.Time, v *tg.AccountPassword) {
	if !v.HasPassword {
		m.onPasswordGone()
		return
	}
	algo, ok := readAlgo(v.CurrentAlgo.Value)
	if !ok {
		m.fail(&Error{Reason: ReasonConfig, Message: "this account's password is kept in a way this version does not know; a newer version may"})
		return
	}
	m.s.Password.Hint, m.s.Password.Recovery, m.s.Password.Refused = v.Hint.Or(""), v.HasRecovery, false
	p := &m.secret.password
	p.params = srpParams{algo: algo, id: v.SRPID.Or(0), b: v.SRPB.Value, at: now, set: true}
	switch p.want {
	case wishProve:
		m.prove()
	case wishNew:
		m.makePassword(v.NewAlgo)
	default:
		m.wait(StateWaitPassword)
	}
}

// onPasswordGone: the account has no password any more, so that the first
// factor would do. It is given once more where it is still known.
func (m *Machine) onPasswordGone() {
	m.secret.password = passwordSecrets{}
	if m.s.Flow == FlowPhone && m.secret.code != "" && m.s.Phone.Hash != "" && m.s.Repeats == 0 {
		m.s.Repeats++
		m.call(callSignIn)
		return
	}
	spec, _ := m.s.Flow.spec()
	spec.again(m, passwordGone) // still half signed in, for all we know
}

// readAlgo reads the one way of keeping passwords there is.
func readAlgo(v tg.AnyPasswordKdfAlgo) (crypt.SRPAlgo, bool) {
	a, ok := v.(*tg.PasswordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow)
	if !ok {
		return crypt.SRPAlgo{}, false
	}
	return crypt.SRPAlgo{Salt1: a.Salt1, Salt2: a.Salt2, G: int(a.G), P: a.P}, true
}

// passwordMost bounds a password, in bytes. It is a bound of ours, against what
// was pasted by mistake.
const passwordMost = 4096

func (m *Machine) inputPassword(now time.Time, a Answer) error {
	switch {
	case m.s.State != StateWaitPassword:
		return m.misfit(a)
	case m.s.Password.Refused:
		return &Error{Reason: ReasonUnsupported, Message: "the server does not say how this two-step password is checked; cancel this sign-in"}
	case a.Password == "" || len(a.Password) > passwordMost:
		return &Error{Reason: ReasonAnswer, Message: "the password is missing, or far too long"}
	}
	if err := m.early(now); err != nil {
		return err
	}
	m.s.LastError, m.s.Password.Stale = "", 0
	p := &m.secret.password
	p.want, p.text = wishProve, a.Password
	if p.params.set && now.Sub(p.params.at) < srpLife && !now.Before(p.params.at) {
		m.prove()
	} else {
		m.s.LastError = restarted // stored with the call; forgotten by its answer
		m.call(callGetPassword)
	}
	return nil
}

// prove computes the proof of what was typed. Its parameters are spent by it.
func (m *Machine) prove() {
	p := &m.secret.password
	params, group, text := p.params, m.cfg.Group, []byte(p.text)
	p.params, m.s.LastError = srpParams{}, ""
	random, ok := m.random(4 * crypt.KeySize)
	if !ok {
		return
	}
	m.work(StateProving, func() WorkResult {
		a, m1, err := params.algo.Prove(group, random, text, params.b)
		clear(text)
		return WorkResult{err: err, proof: &tg.InputCheckPasswordSRP{SRPID: params.id, A: a, M1: m1}}
	})
}

// random reads randomness for a work, which must not read it itself.
func (m *Machine) random(n int) (io.Reader, bool) {
	b := make([]byte, n)
	if _, err := io.ReadFull(m.cfg.Rand, b); err != nil {
		m.fail(&Error{Reason: ReasonConfig, Message: "there is no randomness to be had"})
		return nil, false
	}
	return bytes.NewReader(b), true
}

// onProved sends the proof, unless the server's parameters are not to be
// trusted: then nothing is sent that was computed from the password.
func (m *Machine) onProved(r WorkResult) {
	if m.distrusts(r.err) {
		return
	}
	m.secret.password.proof = r.proof
	m.call(callCheckPassword)
}

// distrusts ends the sign-in if a work failed.
func (m *Machine) distrusts(err error) bool {
	if err == nil {
		return false
	}
	for _, bad := range []error{
		crypt.ErrPrimeSize, crypt.ErrNotSafePrime, crypt.ErrGenerator, crypt.ErrSRPPublic, crypt.ErrSRPScramble,
	} {
		if errors.Is(err, bad) {
			m.fail(&Error{Reason: ReasonHostile, Err: bad, Message: "the server's parameters for the password would give it away, so nothing was sent; this may not be Telegram"})
			return true
		}
	}
	m.fail(&Error{Reason: ReasonServer, Retry: true, Message: "the proof of the password could not be computed"})
	return true
}

// onPasswordError sorts the refusals of a proof, which spend its parameters. What
// says nothing of them has not: the same proof is tried again.
func (m *Machine) onPasswordError(_ time.Time, e *tgerr.Error) bool {
	p := &m.secret.password
	switch e.Type {
	case "PASSWORD_HASH_INVALID":
		m.s.Tries++
		m.askPassword(e.Type)
	case "SRP_ID_INVALID":
		if m.s.Password.Stale == 0 && p.text != "" {
			m.s.Password.Stale++
			p.proof = nil
			m.s.LastError = restarted
			m.call(callGetPassword) // once more with the same password
			return true
		}
		m.askPassword(e.Type)
	case "SRP_PASSWORD_CHANGED":
		m.askPassword(e.Type)
	case "PASSWORD_EMPTY":
		m.onPasswordGone()
	case "SRP_A_INVALID":
		m.askPassword(e.Type)
	default:
		return false
	}
	return true
}
