package api

import (
	"errors"
	"time"
)

// Errors of SeedAuthorization, besides ErrUserUnknown.
var (
	ErrNotHome  = errors.New("api: this DC is not the user's home")
	ErrKeyTaken = errors.New("api: this key is somebody's already")
	ErrNoEntry  = errors.New("api: this user cannot sign in")
)

// SeedAuthorization puts a user on a perm key of its home DC, as a sign-in would, without one: there is an authorization,
// and no login. The protocol half has the key.
func (b *Backend) SeedAuthorization(now time.Time, dc int, perm, userID int64) error {
	u, err := b.user(userID)
	switch {
	case err != nil:
		return err
	case u.banned || u.deactivated:
		return ErrNoEntry
	case u.home != dc:
		return ErrNotHome
	case b.keyOf(keyRef{dc, perm}) != nil:
		return ErrKeyTaken
	}
	k := b.record(keyRef{dc, perm})
	row := &authorization{key: k, user: u, kind: kindHome, hash: b.randomHash(), created: now, active: now}
	k.state, k.row, k.user = keyHome, row, u
	u.rows = append(u.rows, row)
	b.history = append(b.history, row)
	return nil
}
