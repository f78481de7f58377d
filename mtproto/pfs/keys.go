package pfs

import (
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
)

// A KeyKind tells perm keys from temp keys.
type KeyKind uint8

const (
	// Perm is the permanent key, which the authorization belongs to.
	Perm KeyKind = iota
	// Temp is a key with an end, to be bound to the perm key.
	Temp
)

// String is "perm" or "temp".
func (k KeyKind) String() string {
	if k == Perm {
		return "perm"
	}
	return "temp"
}

// A PermKey is a perm key and what is known about it. All times are the
// server's.
type PermKey struct {
	// Key is the secret.
	Key *crypt.AuthKey
	// Created is when the handshake ended; zero when it was not ours.
	Created time.Time
	// Imported says that it came with somebody's session.
	Imported bool
	// Fingerprint is that of the RSA key the handshake used, or of another of the
	// same servers. Zero: not known, and any servers will do.
	Fingerprint int64
	// LastBound is when a temp key was last bound to it, zero for never.
	LastBound time.Time
	// Salt is the first server salt, from the handshake; 0 when unknown.
	Salt int64
}

// ID is the key's id.
func (p *PermKey) ID() crypt.KeyID { return p.Key.ID() }

// A TempKey is a temp key and what is known about it. All times are the
// server's.
type TempKey struct {
	// Key is the secret.
	Key *crypt.AuthKey
	// PermID names the perm key it is bound, or meant to be bound, to.
	PermID crypt.KeyID
	// Made is when its handshake ended. Of two keys the one made later takes the
	// other's place, though it may end earlier: lives are asked for with jitter.
	Made time.Time
	// ExpiresAt is when the server forgets it at the latest.
	ExpiresAt time.Time
	// Bound is set once the server confirmed the binding.
	Bound bool
	// Salt is the first server salt, from the handshake; 0 when unknown.
	Salt int64
}

// ID is the key's id.
func (t *TempKey) ID() crypt.KeyID { return t.Key.ID() }

// follows reports whether a key takes the place of another. Of keys that were made
// in one instant it is the one that ends later.
func (t *TempKey) follows(other *TempKey) bool {
	if !t.Made.Equal(other.Made) {
		return t.Made.After(other.Made)
	}
	return t.ExpiresAt.After(other.ExpiresAt)
}

// A Snapshot is all that a machine needs to go on after a restart: the sum of
// what its OutSave outputs put and deleted.
type Snapshot struct {
	// Perm is the perm key, nil when there is none yet.
	Perm *PermKey
	// Temps are the temp keys, in no particular order.
	Temps []TempKey
	// TimeOffset is server time minus local time, as last learnt.
	TimeOffset time.Duration
}

// Changes are what an OutSave wants on disk, in one commit.
type Changes struct {
	// PutPerm is to be written in place of the DC's perm key, unless nil.
	PutPerm *PermKey
	// DeletePerm removes the DC's perm key.
	DeletePerm bool
	// PutTemps are to be written, by key id.
	PutTemps []TempKey
	// DeleteTemps are to be removed, by key id. Some may not exist.
	DeleteTemps []crypt.KeyID
}

// A NewKey is the outcome of a handshake.
type NewKey struct {
	// Key is the secret.
	Key *crypt.AuthKey
	// Salt is the first server salt under it.
	Salt int64
	// TimeOffset is server time minus local time, as the handshake found it.
	TimeOffset time.Duration
	// ExpiresAt is the end of a temp key in server time; unused for perm keys.
	ExpiresAt time.Time
	// Fingerprint is that of the RSA key that was used.
	Fingerprint int64
}

func (c Changes) empty() bool {
	return c.PutPerm == nil && !c.DeletePerm && len(c.PutTemps) == 0 && len(c.DeleteTemps) == 0
}

// String tells what changes without any secret.
func (c Changes) String() string {
	s := ""
	add := func(format string, args ...any) {
		if s != "" {
			s += ", "
		}
		s += fmt.Sprintf(format, args...)
	}
	if c.PutPerm != nil {
		add("perm %v", c.PutPerm.ID())
	}
	for i := range c.PutTemps {
		state := "unbound"
		if c.PutTemps[i].Bound {
			state = "bound"
		}
		add("temp %v %s", c.PutTemps[i].ID(), state)
	}
	if c.DeletePerm {
		add("delete perm")
	}
	for _, id := range c.DeleteTemps {
		add("delete temp %v", id)
	}
	return s
}

// clone copies the record; the immutable key is shared.
func (p *PermKey) clone() *PermKey {
	if p == nil {
		return nil
	}
	c := *p
	return &c
}

func (t *TempKey) clone() *TempKey {
	if t == nil {
		return nil
	}
	c := *t
	return &c
}
