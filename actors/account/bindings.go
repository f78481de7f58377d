package account

import (
	"time"

	"github.com/mtfleet/mtfleet/actors/binding"
	"github.com/mtfleet/mtfleet/mtproto/crypt"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/standing"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// This file hears what bindings say, and answers them.

// onBindingWrite writes what a binding knows, in its turn.
func (a *account) onBindingWrite(c *ctx, m bindingWrite) {
	if !a.store(c, job{commit: m.commit, from: m.fence, reply: m.done}) {
		m.done(ErrStopped)
	}
}

// onBinding hears of a binding. The cases stand in the order of its events.
func (a *account) onBinding(c *ctx, m bindingEvent) {
	p, now := m.peer, c.Now()
	if p.fence != m.fence || p.fence.closed {
		return
	}
	if t := a.env.Trace; t != nil {
		t.Heard(a.id, p.id.DC, m.event)
	}
	switch ev := m.event.(type) {
	case binding.EventRoute:
		a.onRoute(c, p, ev)
	case binding.EventHeld:
		p.route = binding.Route{}
		a.askAhead(c, p)
	case binding.EventLost:
		p.route, p.temp = binding.Route{}, false
		if p.home {
			a.stand.RouteLost(now, ev.Why)
			a.askAhead(c, p)
		}
	case binding.EventUnreachable:
		if p.home {
			a.stand.Unreachable(now, ev.Why)
		}
	case binding.EventUpdates:
		if a.updates != nil && len(ev.Raw) >= 4 {
			a.updates.Push(now, ev.Raw)
		} else if a.login != nil && p.home {
			a.login.machine.Pushed(now, ev.Raw)
		}
	case binding.EventGap:
		if a.updates != nil {
			a.updates.Gap(now)
		}
	case binding.EventClock:
		a.stand.Clock(now, ev.Offset)
		if a.login != nil {
			a.login.machine.Clock(ev.Offset)
		}
	case binding.EventSession:
		a.journal.soon(now, ev.Session.Record(a.id))
		a.runJournal(c)
	case binding.EventCall:
		a.onErrand(c, p, ev)
	case binding.EventRefused:
		a.stand.Ended(now, &standing.Call{
			ID: standing.CallID(lastQuery.Add(1)), Purpose: purposeOf(ev.Method), Method: ev.Method, DC: p.id.DC,
		}, standing.Where{DC: p.id.DC, Home: p.home}, ev.Err)
	case binding.EventKeyGone:
		a.stand.KeyGone(now, p.id.DC, p.home, ev.Err)
	case binding.EventForeign:
		a.stand.Foreign(now, ev.Err)
	case binding.EventIdle:
		if p.pending.Load() == 0 {
			a.close(p)
		}
	case binding.EventFailed:
		a.close(p)
	case binding.EventBroken:
		a.stand.Quarantine(now, "a connection failed too often: "+ev.Err.Error(), adviceFault)
	case binding.EventStoreFailed:
		a.env.StoreFailed(a.id, ev.Err)
	}
}

func (a *account) onRoute(c *ctx, p *peer, ev binding.EventRoute) {
	p.route, p.temp = ev.Route, ev.Route.Where().Temp
	if p.home && !ev.Again {
		a.stand.Routed(c.Now())
		a.askAhead(c, p) // unless it was asked when the last route was lost
		a.publish(c)
	}
}

// What a binding asks by itself about its keys.
const (
	bindMethod = "auth.bindTempAuthKey"
	dropMethod = "auth.dropTempAuthKeys"
)

func purposeOf(method string) standing.Purpose {
	if method == dropMethod {
		return standing.ForDrop
	}
	return standing.ForBind
}

// held is the end of a wait that holds such a query, zero for none.
func (a *account) held(c *ctx, at dc.ID, method string) time.Time {
	return a.stand.Until(c.Now(), &standing.Call{Purpose: purposeOf(method), Method: method, DC: at})
}

// onErrand runs a query for a binding.
func (a *account) onErrand(c *ctx, p *peer, ev binding.EventCall) {
	own := ownCall{peer: p, errand: ev.ID}
	switch ev.For {
	case binding.Export:
		a.ask(c, standing.ForExport, ev.Query, Repeatable, 0, "", own)
	case binding.Import: // it uses its bytes up
		a.ask(c, standing.ForImport, ev.Query, Once, p.id.DC, "", own)
	case binding.GuestLogOut:
		a.ask(c, standing.ForGuestLogOut, ev.Query, Repeatable, p.id.DC, "", own)
	}
}

// unbound tells a binding that the server refused the key of a call.
func (a *account) unbound(on standing.Where) {
	if p := a.peerOf(on.DC); p != nil {
		p.route = binding.Route{}
		a.tell(p, binding.Unbound{Key: crypt.KeyID(on.Key)})
	}
}

// unauthorized tells a guest's binding of a 401.
func (a *account) unauthorized(at dc.ID, err error) {
	if p := a.peerOf(at); p != nil && !p.home {
		p.route = binding.Route{}
		a.tell(p, binding.Unauthorized{Err: err})
	}
}

// move carries the authorization to another DC, as to a guest, and asks there
// what only a user's home answers: it may have been a mistake that sent us.
func (a *account) move(c *ctx, to dc.ID) {
	a.ask(c, standing.ForMove, &tg.UpdatesGetStateRequest{}, Repeatable, to, "", ownCall{})
}

func (a *account) onMoved(c *ctx, to dc.ID, err error) {
	if err != nil {
		a.stand.MoveFailed(c.Now(), err)
		return
	}
	a.stand.Moved(c.Now(), to)
}
