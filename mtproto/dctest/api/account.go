package api

import (
	"sort"

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
	out := &tg.AccountAuthorizations{AuthorizationTTLDays: int32(c.b.cfg.AuthTTLDays)}
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
		DeviceModel:     row.app.DeviceModel,
		Platform:        row.app.LangPack,
		SystemVersion:   row.app.SystemVersion,
		APIID:           int32(row.app.APIID),
		AppName:         "test application",
		AppVersion:      row.app.AppVersion,
		DateCreated:     int32(row.created.Unix()),
		DateActive:      int32(row.active.Unix()),
		IP:              row.host,
		Country:         c.b.cfg.Country,
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
