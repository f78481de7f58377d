package standing

import (
	"time"

	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// keyQuery is a query that a binding asks by itself about its keys.
func keyQuery(method string, at dc.ID) Call {
	c := Call{Purpose: ForBind, Method: method, DC: at}
	if method == (*tg.AuthDropTempAuthKeysRequest)(nil).TypeName() {
		c.Purpose = ForDrop
	}
	return c
}

// KeyRefused says that the server refused what a binding asked about its keys.
// The binding repeats it by itself; a wait may be in it.
func (m *Machine) KeyRefused(now time.Time, method string, at Where, err error) {
	c := keyQuery(method, at.DC)
	m.Ended(now, &c, at, err)
}

// KeyWaits returns when a binding that starts on a DC may bind a temp key, and
// when it may drop those it replaced; zero for at once.
func (m *Machine) KeyWaits(now time.Time, at dc.ID) (bind, drop time.Time) {
	b, d := keyQuery("auth.bindTempAuthKey", at), keyQuery((*tg.AuthDropTempAuthKeysRequest)(nil).TypeName(), at)
	return m.Until(now, &b), m.Until(now, &d)
}
