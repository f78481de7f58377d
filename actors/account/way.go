package account

import (
	"github.com/mtfleet/mtfleet/actors/binding"
	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/journal"
	"github.com/mtfleet/mtfleet/actors/ways"
	"github.com/mtfleet/mtfleet/persistence"
)

// This file is about the proxy of an account. One that has a proxy connects through
// it or not at all.

// takeWay sets how the account connects. With an error it leads nowhere.
func (a *account) takeWay() error {
	way, err := a.env.ways.Take(a.rec.Proxy)
	a.env.ways.Leave(a.way)
	a.way = way
	return err
}

// onSetProxy changes how the account connects, first on disk: a restart must not
// go back to another way.
func (a *account) onSetProxy(c *ctx, m SetProxy) {
	if a.rec.Created.IsZero() { // it could not be read, and is not written over
		m.Reply.Send(struct{}{}, &StateError{State: a.status.State, Why: a.status.Why})
		return
	}
	if err := a.stand.Removing(); err != nil {
		m.Reply.Send(struct{}{}, err)
		return
	}
	was := a.rec.Proxy
	a.rec.Proxy = m.Proxy // what else is written meanwhile has it too
	a.journal.Add(job{
		Work: journal.Work{Commit: persistence.Commit{Put: []persistence.Record{a.rec.Record()}}, Urgency: journal.Once},
		For: waiter{reply: func(_ []persistence.Record, err error) {
			if err == nil {
				err = a.takeWay()
				a.bindings.TellAll(binding.Through{Way: binding.Way(a.way)})
				a.publish(c)
			} else if a.rec.Proxy == m.Proxy {
				a.rec.Proxy = was
			}
			m.Reply.Send(struct{}{}, err)
		}},
	})
	a.runJournal(c)
}

// RouteName names a route for an operator: the proxy that it leads through.
func (e *Env) RouteName(r governor.Route) string { return e.ways.Name(r) }

// newWays are those of all accounts.
func newWays(cfg EnvConfig) *ways.Ways {
	return ways.New(cfg.Proxy, func(r governor.Route) { cfg.Governor.Send(governor.Renew{Route: r}) })
}
