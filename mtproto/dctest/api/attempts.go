package api

import "time"

// purpose is what the next step of an attempt may be.
type purpose uint8

const (
	// purposeSignIn: the code was sent; auth.signIn answers it.
	purposeSignIn purpose = iota
	// purposeSignUp: the code was right and the number has no account; auth.signUp makes one.
	purposeSignUp
	// purposePNV: a carrier has vouched for a number without an account; auth.firebasePnvSignUp makes one.
	purposePNV
)

// attempt is one login by phone, from auth.sendCode on. It is bound to the perm key that asked: another key gets
// PHONE_CODE_EXPIRED (our choice; Telegram's rule is not known). Several attempts for one number may coexist.
type attempt struct {
	phone   string
	hash    string // phone_code_hash
	serial  uint64 // which attempt of the cluster it is
	key     keyRef
	chain   []CodeType // what is left to send, current first
	code    string     // what a person types; "" while none was sent
	email   string     // a login e-mail confirmed during the sign-in of a number without an account
	created time.Time
	expires time.Time
	resend  time.Time // auth.resendCode is refused before
	tries   int       // wrong codes so far
	purpose purpose
}

func (a *attempt) codeType() CodeType { return a.chain[0] }

// attempts holds the live attempts by hash.
//
// Bound: an attempt lives for CodeTTL, about 300 bytes; at maxAttempts no more codes are made.
type attempts struct {
	byHash map[string]*attempt
	serial uint64
}

const maxAttempts = 1 << 20

// begin makes an attempt with the given chain, or nil when there is no room.
func (b *Backend) begin(now time.Time, key keyRef, phone string, chain []CodeType) *attempt {
	if len(b.attempts.byHash) >= maxAttempts {
		b.attempts.sweep(now)
		if len(b.attempts.byHash) >= maxAttempts {
			return nil
		}
	}
	b.attempts.serial++
	a := &attempt{
		serial: b.attempts.serial,
		phone:  phone, hash: b.randomHex(12), key: key, chain: chain,
		created: now, expires: now.Add(b.cfg.CodeTTL), resend: now.Add(b.cfg.ResendTimeout), purpose: purposeSignIn,
		code: b.codeFor(phone, chain[0]),
	}
	if chain[0] == CodePaid {
		a.expires = now.Add(paidTTL)
	}
	b.attempts.byHash[a.hash] = a
	return a
}

// find returns the live attempt of (phone, hash) on a key, or PHONE_CODE_EXPIRED.
func (b *Backend) find(now time.Time, key keyRef, phone, hash string) (*attempt, *Error) {
	a := b.attempts.byHash[hash]
	if a == nil || a.phone != phone || a.key != key {
		return nil, errPhoneCodeExpired
	}
	if !now.Before(a.expires) || a.tries >= b.cfg.CodeMaxTries {
		delete(b.attempts.byHash, hash)
		return nil, errPhoneCodeExpired
	}
	return a, nil
}

// newer orders attempts: those of one instant by which came first.
func (a *attempt) newer(b *attempt) bool { return a.serial > b.serial }

// done forgets an attempt; its hash is dead from now on.
func (b *Backend) done(a *attempt) { delete(b.attempts.byHash, a.hash) }

func (s *attempts) sweep(now time.Time) {
	for hash, a := range s.byHash {
		if !now.Before(a.expires) {
			delete(s.byHash, hash)
		}
	}
}
