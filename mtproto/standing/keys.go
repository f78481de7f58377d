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

// KeyWaits are the waits that a binding obeys which starts on a DC.
type KeyWaits struct {
	// Bind and Drop are when it may bind a temp key, and drop those it replaced;
	// zero for at once.
	Bind, Drop time.Time
	// Doubt is a wait on binds that is over by a clock nothing has verified yet,
	// with no length for none: Ends is its end in the time of Wait.Start.
	Doubt Doubt
}

// A Doubt is a wait that may be over.
type Doubt struct {
	Ends   time.Time
	Length time.Duration
}

// KeyWaits returns what a binding obeys that starts on a DC. Old keys end by
// themselves: a doubtful wait on dropping them counts from now.
func (m *Machine) KeyWaits(now time.Time, at dc.ID) (k KeyWaits) {
	b, d := keyQuery("auth.bindTempAuthKey", at), keyQuery((*tg.AuthDropTempAuthKeysRequest)(nil).TypeName(), at)
	k.Bind, k.Doubt = m.waits.doubtful(now, &b)
	var doubt Doubt
	if k.Drop, doubt = m.waits.doubtful(now, &d); doubt.Length > 0 {
		k.Drop = now.Add(doubt.Length)
	}
	return k
}

// doubtful is holds for who cannot be parked: in place of that it gets the wait
// that may be over.
func (w *waits) doubtful(now time.Time, c *Call) (until time.Time, d Doubt) {
	until, parked := w.holds(now, c)
	if !parked {
		return until, Doubt{}
	}
	for i := range w.list {
		held := &w.list[i]
		if end := held.Start.Add(held.Length); held.restored && held.concerns(c) && end.After(d.Ends) {
			d = Doubt{Ends: end, Length: held.Length}
			if d.Length == 0 { // only the end was recorded
				d.Length = lengthMost
			}
		}
	}
	return until, d
}
