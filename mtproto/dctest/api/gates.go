package api

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// call is one query on its way through the gates.
type call struct {
	b     *Backend
	req   *Request
	m     *method
	ref   keyRef
	key   *key      // nil for a plainly anonymous key and for an unbound one
	query tl.Object // the parsed query; nil for methods that are not served
	user  *user     // of the key, or named by a sign-in call; nil when unknown
	phone string    // digits, of calls that name a number

	rowHash int64 // of the authorization the call makes; 0 takes a random one
}

// state is the state of the key that carried the call.
func (c *call) state() keyState {
	if c.key == nil {
		return keyAnonymous
	}
	return c.key.state
}

// Method returns the name of the query that starts body, or "" when it is unknown.
func (b *Backend) Method(body []byte) string {
	if m := b.methodOf(body); m != nil {
		return m.name
	}
	return ""
}

// Handle answers one query: exactly one of body and error, whatever the bytes are.
func (b *Backend) Handle(req *Request) Reply {
	m := b.methodOf(req.Body)
	if m == nil {
		if len(req.Body) < 4 {
			return Reply{Err: errInputFetch}
		}
		return Reply{Err: errUnknownMethod(binary.LittleEndian.Uint32(req.Body))}
	}
	c := &call{b: b, req: req, m: m, ref: keyRef{req.DC, req.Perm}}
	if m.parse != nil {
		q, err := m.parse(req.Body)
		if err != nil {
			return Reply{Err: inputError(err)}
		}
		c.query = q
	}
	defer b.armSweep(req.Now)
	if err := c.gates(); err != nil {
		return Reply{Err: err}
	}
	err, delay := c.injected()
	if err == nil && m.flood != nil {
		err = m.flood(c)
	}
	if err != nil {
		return Reply{Err: err, Delay: delay}
	}
	if m.run == nil {
		return Reply{Err: errMethodInvalid, Delay: delay}
	}
	body, err := m.run(c)
	if err != nil {
		return Reply{Err: err, Delay: delay}
	}
	return Reply{Body: body, Delay: delay}
}

// Admit is the gate of a call that the protocol half answers itself (testdc.echo, auth.dropTempAuthKeys): it needs a user
// at home or as a guest, and faults can be injected under its name. nil lets it through; delay holds its answer back.
func (b *Backend) Admit(req *Request, name string) (delay time.Duration, err *Error) {
	c := &call{b: b, req: req, m: &method{name: name, needs: needsUser}, ref: keyRef{req.DC, req.Perm}}
	if err := c.gates(); err != nil {
		return 0, err
	}
	err, delay = c.injected()
	return delay, err
}

// gates lets a call through to its method, or names the first gate that is closed.
func (c *call) gates() *Error {
	if c.req.Unbound || c.req.Perm == 0 {
		// The protocol half refuses most of these; no user is attached to an unbound key in any case.
		if !c.m.unbound {
			return errAuthKeyPermEmpty
		}
		return nil
	}
	c.key = c.b.keyOf(c.ref)
	c.expire()
	if c.duplicated() {
		return errAuthKeyDuplicated
	}
	if err := c.keyGate(); err != nil {
		return err
	}
	if k := c.key; k != nil && k.row != nil {
		k.row.active = c.req.Now
		c.user = k.user
	}
	if err := c.kindGate(); err != nil {
		return err
	}
	if err := c.homeGate(); err != nil {
		return err
	}
	if c.m.route != nil {
		return c.m.route(c)
	}
	return nil
}

// keyGate asks whether a key in its state may make the call at all.
func (c *call) keyGate() *Error {
	switch c.state() {
	case keyAnonymous:
		if c.m.needs != needsNothing {
			return errAuthKeyUnregistered
		}
	case keyHalf:
		if c.m.needs == needsUser {
			return errSessionPassword
		}
	case keyRevoked:
		if c.m.needs != needsNothing {
			return c.key.why
		}
	}
	return nil
}

// kindGate keeps bots from people's methods, and frozen accounts from changing anything.
func (c *call) kindGate() *Error {
	if c.user == nil {
		return nil
	}
	if c.user.bot && c.m.who == people {
		return errBotMethodInvalid
	}
	if !c.user.bot && c.m.who == bots {
		return errUserBotRequired
	}
	if c.m.changes && c.user.frozen.holds(c.req.Now) {
		return errFrozen
	}
	return nil
}

// homeGate sends calls for what lives at home to the home DC.
func (c *call) homeGate() *Error {
	if !c.m.home || c.user == nil || (c.state() != keyHome && c.state() != keyGuest) {
		return nil
	}
	if c.user.home == c.ref.dc && c.state() == keyHome {
		return nil
	}
	if c.user.home == c.ref.dc {
		// A guest key on the home DC is left behind by Move to and fro: it has to sign in again.
		return errAuthKeyUnregistered
	}
	if c.state() == keyHome && c.m.movesOut {
		return nil
	}
	return errMigrate("USER", c.user.home)
}

// inputError is the answer to a query that cannot be read.
func inputError(err error) *Error {
	if errors.Is(err, tl.ErrConstructor) {
		return errInputConstructor
	}
	return errInputFetch
}

// Layers lists the layers served: those whose constructors can be produced from layer 229.
func (b *Backend) Layers() []int { return tg.Layers() }

// langPacks are the language packs of Telegram's own apps; others use "".
var langPacks = [...]string{"", "android", "android_x", "ios", "macos", "tdesktop", "weba", "webk", "unigram"}

// CheckInit judges an initConnection: known layer, known application, and fields that say something.
func (b *Backend) CheckInit(layer int, app *AppInfo) *Error {
	if !contains(tg.Layers(), layer) {
		return errConnLayerInvalid
	}
	switch {
	case !b.cfg.knowsApp(app.APIID):
		return errConnAPIIDInvalid
	case app.DeviceModel == "":
		return errConnDeviceModelEmpty
	case app.SystemVersion == "":
		return errConnSystemEmpty
	case app.AppVersion == "":
		return errConnAppVersionEmpty
	case app.SystemLangCode == "":
		return errConnSystemLangEmpty
	case !contains(langPacks[:], app.LangPack):
		return errConnLangPackInvalid
	case len(app.LangCode) > 32:
		return errConnLangCodeInvalid
	}
	return nil
}

func contains[T comparable](s []T, v T) bool {
	for _, x := range s {
		if x == v {
			return true
		}
	}
	return false
}
