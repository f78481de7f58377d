package api

import (
	"time"

	"github.com/mtfleet/mtfleet/tl/tg"
)

// export is one answer of auth.exportAuthorization: bytes that make a key of the target DC a guest, once.
type export struct {
	parent  *authorization // the home row that exported
	target  int            // DC
	expires time.Time
	used    bool
	usedBy  keyRef
}

// maxExports bounds the live export bytes of the whole cluster: about 250 bytes each, for ExportTTL.
const (
	maxExports = 1 << 20
	exportLen  = 64
)

// exportAuthorization answers auth.exportAuthorization on the home DC.
func (c *call) exportAuthorization(q *tg.AuthExportAuthorizationRequest) (*tg.AuthExportedAuthorization, *Error) {
	dc := int(q.DCID)
	if dc < 1 || dc > c.b.cfg.DCs || dc == c.ref.dc {
		return nil, errDCIDInvalid
	}
	if len(c.b.exports) >= maxExports {
		if c.b.sweepExports(c.req.Now); len(c.b.exports) >= maxExports {
			return nil, errWait(c.b.cfg.ExportTTL)
		}
	}
	bytes := c.b.random(exportLen)
	c.b.exports[string(bytes)] = &export{parent: c.key.row, target: dc, expires: c.req.Now.Add(c.b.cfg.ExportTTL)}
	return &tg.AuthExportedAuthorization{ID: c.user.id, Bytes: bytes}, nil
}

// sweepExports removes what has expired.
func (b *Backend) sweepExports(now time.Time) {
	for bytes, e := range b.exports {
		if !now.Before(e.expires) {
			delete(b.exports, bytes)
		}
	}
}

// importAuthorization answers auth.importAuthorization on the target DC. The same key may repeat the same bytes while
// they live, as it must after a lost answer; nobody else may.
func (c *call) importAuthorization(q *tg.AuthImportAuthorizationRequest) (tg.AnyAuthAuthorization, *Error) {
	e := c.b.exports[string(q.Bytes)]
	if e == nil || e.target != c.ref.dc || !c.req.Now.Before(e.expires) || !e.parent.ended.IsZero() {
		return nil, errAuthBytesInvalid
	}
	u := e.parent.user
	if q.ID != u.id {
		return nil, errUserIDInvalid
	}
	holder := c.key != nil && c.key.row != nil && c.key.user == u
	if e.used {
		if e.usedBy == c.ref && holder {
			return c.importedAs(u), nil
		}
		return nil, errAuthBytesInvalid
	}
	if s := c.state(); (s == keyGuest || s == keyHome) && !holder {
		return nil, errAuthBytesInvalid
	}
	home := e.parent
	if home.kind == kindGuest { // the account moved after the export: its home row is now elsewhere
		home = home.parent
	}
	moves := u.home == c.ref.dc && home.key.ref.dc != u.home
	if u.home == c.ref.dc && !moves { // nobody is a guest at home
		return nil, errAuthBytesInvalid
	}
	e.used, e.usedBy = true, c.ref
	if moves {
		c.moveHome(home)
	} else {
		c.authorize(u, kindGuest, home)
	}
	return c.importedAs(u), nil
}

// moveHome makes the current key the home key of an account that was moved here, and the old one its guest.
func (c *call) moveHome(old *authorization) {
	row := c.authorize(old.user, kindHome, nil)
	old.kind, old.parent = kindGuest, row
	old.key.state = keyGuest
	row.guests = append(append(row.guests, old), old.guests...)
	for _, g := range old.guests {
		g.parent = row
	}
	old.guests = nil
}

// importedAs is the answer to an import: like a sign-in's, without a token.
func (c *call) importedAs(u *user) *tg.AuthAuthorization {
	return &tg.AuthAuthorization{User: u.self()}
}
