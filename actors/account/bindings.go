package account

import (
	"github.com/mtfleet/mtfleet/actors/binding"
	"github.com/mtfleet/mtfleet/actors/bindings"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/mtproto/standing"
	"github.com/mtfleet/mtfleet/tl/tg"
)

// This file hears what bindings say, and answers them.

// onBindingWork reads or writes for a binding, in its turn.
func (a *account) onBindingWork(c *ctx, m bindingWork) {
	q := job{Work: m.work, From: m.from, For: waiter{reply: m.done}}
	if !a.journal.Add(q) {
		m.done(nil, ErrStopped)
	}
	a.runJournal(c)
}

// onBinding hears of a binding. The cases stand in the order of its events.
func (a *account) onBinding(c *ctx, m bindingEvent) {
	p, now := m.binding, c.Now()
	if ev, ok := m.event.(binding.EventUpdates); ok {
		ev.Pushes.Taken(len(ev.Raw))
	}
	if !a.bindings.Hear(p, m.from, m.event) {
		return
	}
	switch ev := m.event.(type) {
	case binding.EventRoute:
		a.stand.Routed(now)
		a.askAhead(c)
		a.publish(c)
	case binding.EventHeld:
		a.askAhead(c)
	case binding.EventLost:
		a.stand.RouteLost(now, ev.Why)
		a.askAhead(c)
	case binding.EventUnreachable:
		a.stand.Unreachable(now, ev.Why)
	case binding.EventUpdates:
		if !a.feed.Push(now, ev.Raw) && p.IsHome() {
			a.login.Pushed(now, ev.Raw)
		}
	case binding.EventGap:
		a.feed.Gap(now)
	case binding.EventClock:
		a.stand.Clock(now, ev.Offset)
		a.login.Clock(ev.Offset)
	case binding.EventSession:
		a.journal.Soon(now, ev.Session.Record(a.id))
		a.runJournal(c)
	case binding.EventCall:
		a.onErrand(c, p, ev)
	case binding.EventRefused:
		a.stand.KeyRefused(now, ev.Method, standing.Where{DC: p.DC(), Home: p.AtHome()}, ev.Err)
	case binding.EventKeyGone:
		if p.IsHome() && a.login.KeyGone(now) {
			return
		}
		a.stand.KeyGone(now, p.DC(), p.IsHome(), ev.Err)
	case binding.EventUnusable:
		a.stand.Unreadable(now, ev.Err)
	case binding.EventForeign:
		a.stand.Foreign(now, ev.Err)
	case binding.EventBroken:
		a.stand.Quarantine(now, "a connection failed too often: "+ev.Err.Error(), adviceFault)
	case binding.EventStoreFailed:
		a.env.StoreFailed(a.id, ev.Err)
	}
}

// onErrand runs a query for a binding.
func (a *account) onErrand(c *ctx, p *bindings.Binding, ev binding.EventCall) {
	q := standing.Call{DC: p.DC(), Repeatable: true}
	switch ev.For {
	case binding.Export: // at home
		q.Purpose, q.DC = standing.ForExport, 0
	case binding.Import: // it uses its bytes up
		q.Purpose, q.Repeatable = standing.ForImport, false
	case binding.GuestLogOut:
		q.Purpose = standing.ForGuestLogOut
	}
	a.ask(c, q, ev.Query, ownCall{binding: p, errand: ev.ID})
}

// move carries the authorization to another DC, as to a guest, and asks there
// what only a user's home answers: it may have been a mistake that sent us.
func (a *account) move(c *ctx, to dc.ID) {
	a.ask(c, standing.Call{Purpose: standing.ForMove, DC: to, Repeatable: true}, &tg.UpdatesGetStateRequest{}, ownCall{})
}
