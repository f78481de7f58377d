package dctest

import (
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
)

// A Seed stands for the keys of users who are signed in without a handshake and without a sign-in: both sides have them
// from it, the cluster by [Cluster.Seed] and a client by [Seed.Of]. A key costs some hashes and no exponentiation, so that
// a hundred thousand accounts are there in seconds. Whoever knows the seed knows the keys: they are for test clusters.
//
// Of a number, a DC, a user and a use (0: perm key, 1: temp key, 2: salts, 3: the life of the temp key), bytes are the
// SHA-512 of "mtfleet seed", the number, the DC, the user and the use, each as a little-endian long, and the number of the
// block of 64 bytes, from 0, as another. A key is 256 bytes; salts are longs, one after the other.
type Seed struct {
	// Number makes the keys: another number, other keys.
	Number uint64 `json:"seed,string"`
	// At is when the keys were made, by the cluster's clock, in whole seconds.
	At time.Time `json:"at"`
	// TempLife is how long temp keys are known at most; each lives up to a 24th shorter, as clients ask for it. 0: there
	// are none, and salts are of the perm key.
	TempLife Duration `json:"temp_life"`
	// SaltPeriod is the cluster's: how long a salt is the current one.
	SaltPeriod Duration `json:"salt_period"`
}

// Seeded is what a user has at home by a seed. What is said of its temp key is zero where it has none.
type Seeded struct {
	Perm    *crypt.AuthKey
	Temp    *crypt.AuthKey // bound to Perm
	Expires time.Time      // of Temp, by the cluster's clock
	// Salts are of Temp, or of Perm where there is none: the first is the current one as they are made, each of the others
	// follows the one before. They are as many as a client asks for.
	Salts []SeededSalt
}

// SeededSalt is a server salt and when it is the current one.
type SeededSalt struct {
	Value        int64
	Since, Until time.Time
}

// seededSalts is how many salts there are: four hours of them.
const seededSalts = 8

// tempLifePart is the part of a temp key's life that is left to chance, as pfs does.
const tempLifePart = 24

// What bytes of a seed are for.
const (
	seedPerm uint64 = iota
	seedTemp
	seedSalts
	seedLife
)

// Of returns what a user has at a DC. It is the same whenever it is asked.
func (s Seed) Of(dc int, user int64) Seeded {
	k := Seeded{Perm: s.key(dc, user, seedPerm)}
	if s.TempLife > 0 {
		k.Temp = s.key(dc, user, seedTemp)
		part := uint64(time.Duration(s.TempLife) / tempLifePart / time.Second)
		shorter := binary.LittleEndian.Uint64(s.bytes(dc, user, seedLife, 8)) % (part + 1)
		k.Expires = s.At.Add(time.Duration(s.TempLife) - time.Duration(shorter)*time.Second)
	}
	values, since := s.bytes(dc, user, seedSalts, 8*seededSalts), s.At
	k.Salts = make([]SeededSalt, seededSalts)
	for i := range k.Salts {
		until := since.Add(time.Duration(s.SaltPeriod))
		k.Salts[i] = SeededSalt{int64(binary.LittleEndian.Uint64(values[8*i:])), since, until}
		since = until
	}
	return k
}

func (s Seed) key(dc int, user int64, use uint64) *crypt.AuthKey {
	key, _ := crypt.NewAuthKey(s.bytes(dc, user, use, crypt.KeySize)) // it fails for another size alone
	return key
}

// bytes are the first n for a use.
func (s Seed) bytes(dc int, user int64, use uint64, n int) []byte {
	in := []byte("mtfleet seed")
	for _, v := range []uint64{s.Number, uint64(dc), uint64(user), use} {
		in = binary.LittleEndian.AppendUint64(in, v)
	}
	out := make([]byte, 0, n+sha512.Size)
	for block := uint64(0); len(out) < n; block++ {
		sum := sha512.Sum512(binary.LittleEndian.AppendUint64(in[:len(in):len(in)], block))
		out = append(out, sum[:]...)
	}
	return out[:n]
}

// A SeedError says why a user was not signed in by a seed; nothing was changed then.
type SeedError struct {
	DC   int
	User int64
	Err  error // one of those below, or the API half's
}

// What is wrong with a seed, or with whom it is for.
var (
	// ErrSeed: the seed is not one of NewSeed of this cluster.
	ErrSeed = errors.New("the seed was not made for this cluster")
	// ErrSeedTwice: the keys are there already.
	ErrSeedTwice = errors.New("this seed has signed the user in already")
)

// Error implements error.
func (e *SeedError) Error() string {
	return fmt.Sprintf("dctest: seeding user %d on DC %d: %v", e.User, e.DC, e.Err)
}

// Unwrap returns the reason.
func (e *SeedError) Unwrap() error { return e.Err }

// NewSeed makes a seed for this cluster of a number, with temp keys that live as long as the cluster permits, or without.
func (c *Cluster) NewSeed(now time.Time, number uint64, temp bool) Seed {
	s := Seed{Number: number, At: now.UTC().Truncate(time.Second), SaltPeriod: Duration(c.cfg.SaltPeriod)}
	if temp {
		s.TempLife = Duration(c.cfg.TempKeyMax)
	}
	return s
}

// Seed signs a user in at home by the keys of a seed: the perm key, the temp key that is bound to it, and the authorization
// are there as if the user had signed in. The ledger has the keys as seeded and counts no key made, no bind and no login.
// The error is a *SeedError.
func (c *Cluster) Seed(now time.Time, s Seed, dc int, user int64) error {
	d := c.dc(dc)
	refuse := func(err error) error { return &SeedError{dc, user, err} }
	switch {
	case d == nil:
		return refuse(errNoSuchDC)
	case s.At.IsZero() || s.SaltPeriod != Duration(c.cfg.SaltPeriod) || s.TempLife < 0 || s.TempLife > Duration(c.cfg.TempKeyMax):
		return refuse(ErrSeed)
	}
	k := s.Of(dc, user)
	if d.keys[k.Perm.ID()] != nil || k.Temp != nil && d.keys[k.Temp.ID()] != nil {
		return refuse(ErrSeedTwice)
	}
	if err := c.api.SeedAuthorization(now, dc, int64(k.Perm.ID()), user); err != nil {
		return refuse(err)
	}
	perm := &authKey{key: k.Perm, dc: d, created: s.At, salts: []salt{{k.Salts[0].Value, s.At}}}
	holder := perm
	c.seedKey(now, perm)
	if k.Temp != nil {
		holder = &authKey{key: k.Temp, dc: d, created: s.At, temp: true, expires: k.Expires}
		c.bind(holder, perm, k.Expires)
		c.seedKey(now, holder)
		c.timers.add(now.Add(k.Expires.Sub(d.clock(now))), func(now time.Time) { c.expire(now, holder) })
	}
	holder.salts = make([]salt, len(k.Salts))
	for i, v := range k.Salts {
		holder.salts[i] = salt{v.Value, v.Since}
	}
	return nil
}

var errNoSuchDC = errors.New("there is no such DC")

func (c *Cluster) seedKey(now time.Time, k *authKey) {
	k.dc.keys[k.id()] = k
	c.ledger.keySeeded(now, k)
}
