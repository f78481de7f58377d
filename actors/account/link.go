package account

import (
	"maps"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/actors/binding"
	"github.com/mtfleet/mtfleet/actors/dcconn"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/pfs"
	"github.com/mtfleet/mtfleet/persistence"
)

// maxHeld bounds the calls one DC's link holds while it cannot send: as many
// as one session has in flight. At the bound a call ends with *BusyError.
const maxHeld = 1024

const (
	// drainLimit is how long calls under a key may finish before its successor
	// is bound; then they end as unknown.
	drainLimit = 10 * time.Second
	// listenLimit is how long a replaced connection still listens.
	listenLimit = 60 * time.Second
)

// link is one DC of the account: the binding that keeps its keys, the
// connection that carries its calls, and, while a key is replaced, the
// connection that will.
type link struct {
	dc      dc.ID
	home    bool
	guest   *guestState                  // nil at home
	binding runtime.Ref[binding.Message] // nobody until the keys were read
	store   *fencedStore                 // what the binding writes through
	keeper  runtime.Keeper               // of binding and connections together

	conn *conn // carries the calls
	next *conn // makes a key, or binds it
	old  *conn // replaced: it only listens

	ready   bool // calls may go to conn
	asked   bool // the binding waits for Connected
	holding bool // the binding waits for Held
	held    []*Call

	using   *crypt.AuthKey // the key of OutUse, nil while there is none
	stopped bool           // its actors failed and start again after a delay

	perm        crypt.KeyID // id of the perm key, 0 when there is none
	fingerprint int64       // RSA key under which it was made
}

// conn is one DC connection and what the account knows of it.
type conn struct {
	ref  runtime.Ref[dcconn.Message]
	link *link
	role role
	key  crypt.KeyID // 0 until it runs under one
	up   bool
	asks *question // for roleProver and roleConfirmer
}

// role says what a connection is for.
type role uint8

const (
	// roleMain carries calls and, at home, updates.
	roleMain role = iota
	// roleProver asks one question under the perm key itself.
	roleProver
	// roleConfirmer asks on a second connection whether the login is alive.
	roleConfirmer
)

// openLink makes a link. Its binding begins when its keys were read from the
// store; calls are held until then.
func (a *account) openLink(c *ctx, id dc.ID, home bool) *link {
	l := &link{dc: id, home: home}
	a.links = append(a.links, l)
	a.startBinding(c, l)
	return l
}

// startBinding reads the link's keys and spawns its binding with them. The
// read waits for commits of a binding that was there before.
func (a *account) startBinding(c *ctx, l *link) {
	store, id, number := a.store, a.id, int(l.dc)
	l.store = store.fence()
	c.GoIO(func() Message {
		state, err := store.loadKeys(id, number)
		return keysLoaded{l, state, err}
	})
}

// keysLoaded is what the store has of a link's keys.
type keysLoaded struct {
	link  *link
	state persistence.State
	err   error
}

func (keysLoaded) accountMessage() {}

func (a *account) onKeysLoaded(c *ctx, m keysLoaded) {
	l := m.link
	if a.linkOf(l.dc) != l {
		return // closed since
	}
	err := m.err
	if err == nil {
		self := c.Self()
		l.binding, err = binding.Spawn(c, binding.Config{
			Account: a.id, DC: int(l.dc), State: m.state,
			PFS:   pfs.Config{PFS: a.rec.PFS, Rand: c.Rand(), TempLife: a.env.TempKeyLife, TempInMemory: a.env.TempInMemory},
			Store: l.store, Owner: a.env.Owner, Governor: a.env.Governor,
			Notify: func(ev binding.Event) { self.Send(bindingEvent{l, ev}) },
		})
	}
	switch {
	case err == nil:
	case l.guest != nil:
		a.closeGuest(l, err)
	default:
		a.end(c, Quarantined, err.Error(), adviceRestore)
	}
}

const adviceRestore = "restore the store from a backup, or remove the account and add it again"

// linkOf returns the link of a DC, nil when there is none.
func (a *account) linkOf(id dc.ID) *link {
	for _, l := range a.links {
		if l.dc == id {
			return l
		}
	}
	return nil
}

// closeLink stops everything of a link. Calls it holds are returned to the
// caller of closeLink, who decides their fate; calls under way come back by
// themselves.
func (a *account) closeLink(l *link) []*Call {
	for _, id := range slices.Sorted(maps.Keys(a.conns)) { // the order of a map would not replay
		if cn := a.conns[id]; cn.link == l {
			a.stopConn(cn)
		}
	}
	l.binding.Stop()
	l.store.closed.Store(true)
	for i, other := range a.links {
		if other == l {
			a.links = append(a.links[:i], a.links[i+1:]...)
			break
		}
	}
	held := l.held
	l.held, l.conn, l.next, l.old, l.using, l.ready = nil, nil, nil, nil, nil, false
	return held
}

func (a *account) stopConn(cn *conn) {
	if cn != nil {
		cn.ref.Stop()
	}
}

// onBinding does what a binding decided. The cases stand in the order of a
// key's life.
func (a *account) onBinding(c *ctx, l *link, ev binding.Event) {
	if a.linkOf(l.dc) != l {
		return // of a link that was closed since
	}
	if ev.StoreErr != nil {
		a.storeFailed(ev.StoreErr)
		return
	}
	l.perm, l.fingerprint = ev.Perm, ev.Fingerprint
	out := ev.Output
	switch out.Kind {
	case pfs.OutPermit:
		a.onWantConnection(c, l)
	case pfs.OutMake:
		a.keyless(c, l).ref.Send(dcconn.MakeKey{Temp: out.Key == pfs.Temp, ExpiresIn: out.ExpiresIn})
	case pfs.OutHold:
		a.onHold(c, l)
	case pfs.OutBind:
		a.onBind(c, l, out)
	case pfs.OutUse:
		a.onUse(c, l, out)
	case pfs.OutStop:
		a.onStopKey(c, l, out.ID)
	case pfs.OutDrop:
		a.dropTempKeys(c, l, out.Except)
	case pfs.OutProve:
		a.prove(c, l, out.Perm)
	case pfs.OutGone:
		a.onPermKeyGone(c, l, out.Err)
	}
}

// keyless returns the link's connection that has no key yet, opening one if
// there is none.
func (a *account) keyless(c *ctx, l *link) *conn {
	if l.next != nil && l.next.key != 0 {
		a.stopConn(l.next)
		l.next = nil
	}
	if l.next == nil {
		l.next = a.spawnConn(c, l, roleMain)
	}
	return l.next
}

// onWantConnection answers a wish for a permit once there is a connection: a
// permit is not to be held while a DC is down.
func (a *account) onWantConnection(c *ctx, l *link) {
	l.asked = true
	if a.keyless(c, l).up {
		l.asked = false
		l.binding.Send(binding.Connected{})
	}
}

// onHold lets the calls under the old key finish before the new one is bound.
func (a *account) onHold(c *ctx, l *link) {
	l.ready = false
	if l.conn == nil {
		l.binding.Send(binding.Held{})
		return
	}
	l.holding = true
	l.conn.ref.Send(dcconn.Drain{Limit: drainLimit})
}

// onBind binds a temp key on a connection that runs under it.
func (a *account) onBind(c *ctx, l *link, out pfs.Output) {
	cn := a.keyless(c, l)
	cn.key = out.Temp.ID()
	a.run(c, cn, out.Temp.Key, out.Temp.Salt, &dcconn.Bind{Perm: out.Perm.Key, ExpiresAt: out.Temp.ExpiresAt})
}

// onUse routes the link's calls under a key: on the connection that bound it,
// on the one that served before, or on a new one after a restart.
func (a *account) onUse(c *ctx, l *link, out pfs.Output) {
	key, salt := permOrTemp(out)
	switch {
	case l.conn != nil && l.conn.key == key.ID():
		l.conn.ref.Send(dcconn.Resume{})
	case l.next != nil && l.next.key == key.ID():
		a.promote(c, l)
	default:
		cn := a.keyless(c, l)
		cn.key = key.ID()
		a.run(c, cn, key, salt, nil)
		a.promote(c, l)
	}
	l.using, l.ready, l.holding = key, true, false
	a.onLinkReady(c, l)
}

func permOrTemp(out pfs.Output) (*crypt.AuthKey, int64) {
	if out.Temp != nil {
		return out.Temp.Key, out.Temp.Salt
	}
	return out.Perm.Key, out.Perm.Salt
}

// promote makes the next connection the one that carries calls. The old one
// listens until nothing is pending on it, then goes.
func (a *account) promote(_ *ctx, l *link) {
	if l.old != nil {
		a.stopConn(l.old)
	}
	l.old, l.conn, l.next = l.conn, l.next, nil
	if l.old != nil {
		l.old.ref.Send(dcconn.Drain{Limit: listenLimit})
	}
}

// onStopKey ends the use of a key that nothing has replaced yet.
func (a *account) onStopKey(c *ctx, l *link, id crypt.KeyID) {
	if l.conn == nil || l.conn.key != id {
		return
	}
	a.stopConn(l.conn)
	l.conn, l.using, l.ready = nil, nil, false
	a.onLinkLost(c, l, "the temp key was lost; a new one is being made")
}
