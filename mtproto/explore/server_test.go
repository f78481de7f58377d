package explore

import (
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/mtproto/crypt"
)

// This file is the counterparty: what a DC knows of keys. It judges nobody and
// answers as reference says the real one does; dctest has the same table behind
// packets.

// A permAt is a perm key that a DC knows.
type permAt struct {
	id         crypt.KeyID
	authorized bool
}

// A tempAt is a temp key that a DC knows, and the perm key it is bound to, 0 for
// none.
type tempAt struct {
	id, perm crypt.KeyID
	ends     time.Time
	media    bool // made on an address for media, and known on those alone
	cut      bool // its successor was bound, and bind_strict is on: it is answered no more
}

// A table is what one DC knows.
type table struct {
	perms []permAt
	temps []tempAt
}

func (t *table) perm(id crypt.KeyID) *permAt {
	for i := range t.perms {
		if t.perms[i].id == id {
			return &t.perms[i]
		}
	}
	return nil
}

func (t *table) temp(id crypt.KeyID, at place, now time.Time) *tempAt {
	for i := range t.temps {
		if k := &t.temps[i]; k.id == id && k.media == (at == atMedia) && now.Before(k.ends) {
			return k
		}
	}
	return nil
}

// expire forgets what has ended.
func (t *table) expire(now time.Time) {
	t.temps = slices.DeleteFunc(t.temps, func(k tempAt) bool { return !now.Before(k.ends) })
}

// An answer is what a DC says to a packet under a key.
type answer uint8

const (
	unknownKey answer = iota // -404
	unbound                  // 401 AUTH_KEY_PERM_EMPTY
	anonymous                // 401 AUTH_KEY_UNREGISTERED, to what needs an authorization
	granted
	silence // none comes
)

// ask is what a query under a temp key gets at an address for a place, and the perm
// key that it speaks for.
func (t *table) ask(id crypt.KeyID, at place, now time.Time) (answer, *permAt) {
	k := t.temp(id, at, now)
	switch {
	case k == nil:
		return unknownKey, nil
	case k.cut:
		return silence, nil
	case k.perm == 0:
		return unbound, nil
	}
	p := t.perm(k.perm)
	switch {
	case p == nil:
		return unbound, nil
	case !p.authorized:
		return anonymous, p
	}
	return granted, p
}

// bind binds a temp key to a perm key. With strict those bound before are cut off.
func (t *table) bind(temp, perm crypt.KeyID, at place, now time.Time, strict bool) answer {
	k := t.temp(temp, at, now)
	switch {
	case k == nil:
		return unknownKey
	case t.perm(perm) == nil:
		return anonymous // 400 ENCRYPTED_MESSAGE_INVALID
	}
	if strict && (k.perm == 0 || k.cut) {
		for i := range t.temps {
			if t.temps[i].perm == perm {
				t.temps[i].cut = true
			}
		}
	}
	k.perm, k.cut = perm, false
	return granted
}

// drop forgets the temp keys of a perm key, but for some, and returns which.
func (t *table) drop(perm crypt.KeyID, except []crypt.KeyID) (dropped []crypt.KeyID) {
	t.temps = slices.DeleteFunc(t.temps, func(k tempAt) bool {
		drops := k.perm == perm && !slices.Contains(except, k.id)
		if drops {
			dropped = append(dropped, k.id)
		}
		return drops
	})
	return dropped
}

// live counts the temp keys of a slot bound to a perm key that are answered.
func (t *table) live(perm crypt.KeyID, at place, now time.Time) (n int) {
	for i := range t.temps {
		k := &t.temps[i]
		if k.perm == perm && k.media == (at == atMedia) && !k.cut && now.Before(k.ends) {
			n++
		}
	}
	return n
}
