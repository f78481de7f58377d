package api

import (
	"fmt"
	"sort"
	"time"

	"github.com/mtfleet/mtfleet/tl/tg"
)

// getAuthorizations answers account.getAuthorizations: the caller's row first, then the newest.
func (c *call) getAuthorizations(*tg.AccountGetAuthorizationsRequest) (*tg.AccountAuthorizations, *Error) {
	rows := make([]*authorization, 0, len(c.user.rows))
	for _, row := range c.user.rows {
		if row.kind != kindGuest {
			rows = append(rows, row)
		}
	}
	sort.SliceStable(rows, func(i, j int) bool {
		if mine := rows[i] == c.key.row; mine || rows[j] == c.key.row {
			return mine
		}
		return rows[i].active.After(rows[j].active)
	})
	out := &tg.AccountAuthorizations{AuthorizationTTLDays: int32(c.user.ttlDays(&c.b.cfg))}
	for _, row := range rows {
		out.Authorizations = append(out.Authorizations, c.describe(row))
	}
	return out, nil
}

// describe shows a row; the caller's own has no hash, as it cannot end itself that way.
func (c *call) describe(row *authorization) tg.Authorization {
	a := tg.Authorization{
		Current:         row == c.key.row,
		PasswordPending: row.kind == kindHalf,
		Unconfirmed:     row.unconfirmed && c.req.Now.Sub(row.created) < c.b.cfg.AutoConfirm,

		EncryptedRequestsDisabled: row.noSecretChats,
		CallRequestsDisabled:      row.noCalls,

		DeviceModel:   row.app.DeviceModel,
		Platform:      row.app.LangPack,
		SystemVersion: row.app.SystemVersion,
		APIID:         int32(row.app.APIID),
		AppName:       "test application",
		AppVersion:    row.app.AppVersion,
		DateCreated:   int32(row.created.Unix()),
		DateActive:    int32(row.active.Unix()),
		IP:            row.host,
		Country:       c.b.cfg.Country,
	}
	if !a.Current {
		a.Hash = row.hash
	}
	return a
}

// fresh refuses to let a young authorization end others.
func (c *call) fresh() *Error {
	if c.req.Now.Sub(c.key.row.created) < c.b.cfg.FreshSession {
		return errFreshReset
	}
	return nil
}

// resetAuthorization answers account.resetAuthorization: one other row ends.
func (c *call) resetAuthorization(q *tg.AccountResetAuthorizationRequest) (bool, *Error) {
	for _, row := range c.user.rows {
		if q.Hash == 0 || row.hash != q.Hash || row == c.key.row || row.kind == kindGuest {
			continue
		}
		if err := c.fresh(); err != nil {
			return false, err
		}
		if row.kind == kindHome {
			c.b.push(row.key, appendTooLong(nil))
		}
		c.b.end(c.req.Now, row, whyRevoked)
		return true, nil
	}
	if q.Hash != 0 && c.b.dropAccepted(c.user, q.Hash) { // it was accepted by QR and has not come yet
		return true, nil
	}
	return false, errHashInvalid
}

// resetAuthorizations answers auth.resetAuthorizations: every other row ends, and no future auth token is good any more.
func (c *call) resetAuthorizations(*tg.AuthResetAuthorizationsRequest) (bool, *Error) {
	if err := c.fresh(); err != nil {
		return false, err
	}
	c.b.endAll(c.req.Now, c.user, c.key.row, whyRevoked)
	c.user.tokens = nil
	return true, nil
}

// Days that account.setAuthorizationTTL takes.
const (
	minTTLDays = 1
	maxTTLDays = 366
)

// ttlDays is after how many days without a query an authorization of the account ends.
func (u *user) ttlDays(cfg *Config) int {
	if u.authTTLDays > 0 {
		return u.authTTLDays
	}
	return cfg.AuthTTLDays
}

// setAuthorizationTTL answers account.setAuthorizationTTL.
func (c *call) setAuthorizationTTL(q *tg.AccountSetAuthorizationTTLRequest) (bool, *Error) {
	if q.AuthorizationTTLDays < minTTLDays || q.AuthorizationTTLDays > maxTTLDays {
		return false, errTTLDaysInvalid
	}
	if err := c.fresh(); err != nil {
		return false, err
	}
	c.user.authTTLDays = int(q.AuthorizationTTLDays)
	return true, nil
}

// changeAuthorizationSettings answers account.changeAuthorizationSettings; hash 0 is the caller's own row.
func (c *call) changeAuthorizationSettings(q *tg.AccountChangeAuthorizationSettingsRequest) (bool, *Error) {
	for _, row := range c.user.rows {
		if row.kind == kindGuest || row.hash != q.Hash && (q.Hash != 0 || row != c.key.row) {
			continue
		}
		if q.Confirmed {
			row.unconfirmed = false
		}
		row.noSecretChats = q.EncryptedRequestsDisabled.Or(row.noSecretChats)
		row.noCalls = q.CallRequestsDisabled.Or(row.noCalls)
		return true, nil
	}
	return false, errHashInvalid
}

// registerDevice answers account.registerDevice: nothing is pushed by other ways than the connection.
func (c *call) registerDevice(*tg.AccountRegisterDeviceRequest) (bool, *Error) { return true, nil }

// RevokeKey ends the authorization of one perm key as another session of the account would; its guests end with it.
func (b *Backend) RevokeKey(now time.Time, dc int, perm int64) error {
	k := b.keyOf(keyRef{dc, perm})
	if k == nil || k.row == nil {
		return fmt.Errorf("%w: nobody is signed in on key %d of DC %d", ErrUserUnknown, perm, dc)
	}
	b.push(k, appendTooLong(nil))
	b.end(now, k.row, whyRevoked)
	return nil
}

// AskForPassword makes authorizations of a user say that a two-step password should be set, or else the next sign-in by
// text message is possible only after so many days. 0 stops it.
func (b *Backend) AskForPassword(userID int64, days int) error {
	u, err := b.user(userID)
	if err != nil {
		return err
	}
	u.reloginDays = max(0, days)
	return nil
}
