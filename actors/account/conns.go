package account

import (
	"errors"
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/actors/binding"
	"github.com/mtfleet/mtfleet/actors/dcconn"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/pfs"
	"github.com/mtfleet/mtfleet/mtproto/tgerr"
	"github.com/mtfleet/mtfleet/tl"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// withoutUpdates goes before every query of a role that must not get updates.
var withoutUpdates = tl.AppendUint32(nil, tg.InvokeWithoutUpdatesRequestID)

// spawnConn opens a connection to the link's DC that has no key yet.
func (a *account) spawnConn(c *ctx, l *link, r role) *conn {
	cn := &conn{link: l, role: r}
	self := c.Self()
	cn.ref = dcconn.Spawn(c, a.env.conn, dcconn.Config{
		DC:     l.dc,
		Active: a.status.State != Connecting || len(l.held) > 0,
		Notify: func(ev dcconn.Event) { self.Send(connEvent{cn, ev}) },
	})
	a.conns[cn.ref.ID()] = cn
	return cn
}

// run puts a connection under a key, for the rest of its life.
func (a *account) run(c *ctx, cn *conn, key *crypt.AuthKey, salt int64, bind *dcconn.Bind) {
	cfg := mtproto.Config{Rand: c.Rand(), Header: a.header, Perm: key.ID() == cn.link.perm}
	if !cn.link.home || cn.role != roleMain {
		cfg.Prefix = withoutUpdates
	}
	sessionConfig(&cfg, a.sessions[cn.link.dc], key.ID())
	if len(cfg.Salts) == 0 && salt != 0 {
		cfg.Salts = []mtproto.Salt{{Value: salt}}
	}
	cn.key = key.ID()
	cn.ref.Send(dcconn.Run{Key: key, Session: cfg, Bind: bind})
}

// onConn hears of a connection.
func (a *account) onConn(c *ctx, cn *conn, ev dcconn.Event) {
	l := cn.link
	if a.conns[cn.ref.ID()] != cn || a.linkOf(l.dc) != l {
		return // it stopped, or its link was closed
	}
	switch ev.Kind {
	case dcconn.EventUp:
		a.onUp(c, cn)
	case dcconn.EventDown:
		a.onDown(c, cn, ev.Err)
	case dcconn.EventKeyMade:
		a.onKeyMade(cn, ev)
	case dcconn.EventKeyFailed:
		l.binding.Send(binding.MakeFailed{Kind: kindOf(ev.Temp), Err: ev.Err})
	case dcconn.EventBound:
		a.env.Observe.Bound(l.dc)
		l.binding.Send(binding.Bound{ID: cn.key})
	case dcconn.EventBindFailed:
		if cn == l.next {
			a.stopConn(cn) // another try has a connection of its own
			l.next = nil
		}
		l.binding.Send(binding.BindFailed{ID: cn.key, Err: ev.Err})
	case dcconn.EventKeyUnknown:
		a.onKeyUnknown(cn)
	case dcconn.EventDrained:
		a.onDrained(l, cn)
	case dcconn.EventUpdates:
		a.onUpdates(c, cn, ev.Updates)
	case dcconn.EventGap:
		a.onGap(c, cn)
	case dcconn.EventSave:
		a.onSnapshot(c, cn, ev.Snapshot)
	}
}

func kindOf(temp bool) pfs.KeyKind {
	if temp {
		return pfs.Temp
	}
	return pfs.Perm
}

func (a *account) onUp(c *ctx, cn *conn) {
	cn.up = true
	l := cn.link
	switch {
	case cn == l.next && l.asked:
		l.asked = false
		l.binding.Send(binding.Connected{})
	case cn == l.conn && l.ready:
		// The same session on a new socket: updates may have been missed.
		a.onLinkBack(c, l)
	}
}

func (a *account) onDown(c *ctx, cn *conn, err error) {
	wasUp := cn.up
	cn.up = false
	if wasUp {
		a.env.Observe.ConnectionLost(cn.link.dc)
	}
	l := cn.link
	switch {
	case cn == l.conn && wasUp:
		a.onLinkLost(c, l, because("the connection was lost", err))
	case cn == l.conn || cn == l.next && l.conn == nil:
		a.onUnreachable(c, l, because(fmt.Sprintf("%v cannot be reached", l.dc), err))
	}
}

func because(what string, err error) string {
	if err == nil {
		return what
	}
	return what + ": " + err.Error()
}

// onUnreachable tells why an account does not get anywhere. The same words are
// told once: a DC may be down for hours, and each account tries it.
func (a *account) onUnreachable(c *ctx, l *link, why string) {
	if !l.home || a.status.Why == why {
		return
	}
	switch a.status.State {
	case Connecting:
		a.become(c, Connecting, why, "")
	case SigningIn:
		if a.status.Step == nil {
			a.become(c, SigningIn, why, "")
		}
	}
}

func (a *account) onKeyMade(cn *conn, ev dcconn.Event) {
	a.env.Observe.KeyMade(cn.link.dc, ev.Temp)
	made := ev.Made
	a.env.primes.Remember(made.Proven)
	cn.link.binding.Send(binding.Made{Kind: kindOf(ev.Temp), Key: pfs.NewKey{
		Key: made.Key, Salt: made.ServerSalt, TimeOffset: made.TimeOffset,
		ExpiresAt: made.ExpiresAt, Fingerprint: made.Fingerprint,
	}})
}

// onKeyUnknown hears of a -404 under a key.
func (a *account) onKeyUnknown(cn *conn) {
	switch cn.role {
	case roleProver:
		cn.asks.answer(answerUnknown, nil)
	case roleConfirmer:
		cn.asks.answer(answerNone, errKeyUnknown)
	default:
		cn.link.binding.Send(binding.Unknown{ID: cn.key})
	}
}

// onDrained hears that nothing is pending on a connection that was told to
// send nothing new.
func (a *account) onDrained(l *link, cn *conn) {
	switch {
	case cn == l.conn && l.holding:
		l.holding = false
		l.binding.Send(binding.Held{})
	case cn == l.old:
		a.stopConn(cn)
	}
}

func (a *account) onSnapshot(c *ctx, cn *conn, s mtproto.Snapshot) {
	l := cn.link
	if s.OffsetKnown {
		l.binding.Send(binding.Clock{Offset: s.TimeOffset, Synced: true})
	}
	if cn != l.conn {
		return
	}
	rec := sessionRecord(int(l.dc), cn.key, s)
	a.sessions[l.dc] = &rec
	a.saveSession(c, rec)
}

// ChildStopped hears of a binding or a connection that is completely gone.
func (a *account) ChildStopped(c *ctx, child runtime.ActorID, reason error) {
	if c.Stopping() {
		return
	}
	cn := a.conns[child]
	if cn == nil {
		a.onBindingStopped(c, child, reason)
		return
	}
	delete(a.conns, child)
	l := cn.link
	if cn.asks != nil {
		cn.asks.answer(answerNone, errors.Join(ErrStopped, reason))
	}
	if a.linkOf(l.dc) != l {
		return
	}
	if cn == l.old {
		l.old = nil
		l.binding.Send(binding.Retired{ID: cn.key})
		return
	}
	if reason != nil && (cn == l.conn || cn == l.next) {
		a.restartLink(c, l, reason)
	}
}

// onBindingStopped starts a link again whose binding failed.
func (a *account) onBindingStopped(c *ctx, child runtime.ActorID, reason error) {
	for _, l := range a.links {
		if l.binding.ID() == child && reason != nil {
			a.restartLink(c, l, reason)
			return
		}
	}
}

// restartLink gives up the actors of a link after one of them failed, and
// starts it again from what is on disk. Calls it held are kept.
func (a *account) restartLink(c *ctx, l *link, reason error) {
	delay, tooOften := l.keeper.Failed(c.Now(), c.Rand())
	if tooOften {
		a.end(c, Quarantined, "a connection failed too often: "+reason.Error(),
			"this is a fault of the program; report it with the log, then resume the account")
		return
	}
	keep := l.held
	a.closeLink(l)
	fresh := &link{dc: l.dc, home: l.home, guest: l.guest, keeper: l.keeper, held: keep, stopped: true}
	a.links = append(a.links, fresh)
	if a.home == l {
		a.home = fresh
	}
	a.onLinkLost(c, fresh, "it failed and will be started again: "+reason.Error())
	c.After(timerRespawn+int(l.dc), delay, linkRespawn{fresh})
}

func (a *account) onLinkRespawn(c *ctx, l *link) {
	if a.linkOf(l.dc) != l || !l.stopped {
		return
	}
	l.stopped = false
	l.keeper.Started(c.Now())
	a.startBinding(c, l)
}

// question is one query asked on a connection of its own.
type question struct {
	answered bool
	then     func(how answerKind, err error)
}

// answerKind is how a question ended.
type answerKind uint8

const (
	answerOK      answerKind = iota // a result
	answerRefused                   // the server's error, given
	answerUnknown                   // -404
	answerNone                      // nothing came back
)

var errKeyUnknown = errors.New("account: the server does not know the key")

// askOver ends a question that got no answer in time.
type askOver struct{ conn *conn }

func (askOver) accountMessage() {}

// askLimit bounds how long a question waits for its answer, reconnects
// included.
const askLimit = 30 * time.Second

func (q *question) answer(how answerKind, err error) {
	if !q.answered {
		q.answered = true
		q.then(how, err)
	}
}

// ask opens a connection under a key, asks query there once, and stops it when
// then was called.
func (a *account) ask(c *ctx, l *link, r role, key *crypt.AuthKey, salt int64, query tl.Object, then func(how answerKind, err error)) {
	cn := a.spawnConn(c, l, r)
	cn.asks = &question{then: func(how answerKind, err error) {
		a.stopConn(cn)
		then(how, err)
	}}
	a.run(c, cn, key, salt, nil)
	call := NewCall(query.TypeName(), query.Append(nil), Repeatable, l.dc)
	call.then = func(_ []byte, err error) {
		switch _, refused := tgerr.As(err); {
		case err == nil:
			cn.asks.answer(answerOK, nil)
		case refused:
			cn.asks.answer(answerRefused, err)
		default:
			cn.asks.answer(answerNone, err)
		}
	}
	a.send(cn, call)
	c.After(timerAsk<<r+int(l.dc), askLimit, askOver{cn})
}

// prove asks under the perm key itself whether the server knows it. Any
// answer, a refusal too, says yes.
func (a *account) prove(c *ctx, l *link, perm *pfs.PermKey) {
	a.ask(c, l, roleProver, perm.Key, perm.Salt, &tg.HelpGetNearestDCRequest{}, func(how answerKind, err error) {
		l.binding.Send(binding.Proof{
			Answered: how == answerOK || how == answerRefused,
			Unknown:  how == answerUnknown,
			Err:      err,
		})
	})
}
