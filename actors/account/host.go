package account

import (
	"github.com/mtfleet/mtfleet/actors/binding"
	"github.com/mtfleet/mtfleet/actors/bindings"
	"github.com/mtfleet/mtfleet/actors/journal"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/persistence"
)

const adviceFault = "this is a fault of the program; report it with the log, then resume the account"

// host is the account as its bindings see it.
type host struct {
	*account
	c *ctx
}

// Config is what a binding begins with. The first home begins with the records
// that the account began with.
func (h host) Config(at dc.ID, home bool) binding.Config {
	waits := h.stand.KeyWaits(h.c.Now(), at)
	cfg := binding.Config{PFS: h.rec.PFS, Way: binding.Way(h.way), Active: h.login.UnderWay(), BindAfter: waits.Bind, BindDoubt: binding.Doubt(waits.Doubt), DropAfter: waits.Drop}
	cfg.Timeline = h.env.line(h.id)
	cfg.Trial = home && h.login.Keeps()
	if home && h.left != nil {
		keys := binding.RecordsOf(h.left, at)
		cfg.Keys, h.left = &keys, nil
	}
	return cfg
}

func (h host) MediaRoad(at dc.ID) binding.MediaRoad {
	return h.env.binding.MediaRoad(h.c.Now(), at, h.rec.PFS)
}

func (h host) Spawn(cfg binding.Config) binding.Handle {
	return binding.Spawn(h.c, h.env.binding, cfg)
}

func (h host) Heard(p *bindings.Binding, from *journal.Fence, ev binding.Event) {
	h.self.Send(bindingEvent{p, from, ev})
}

func (h host) Store(from *journal.Fence, w journal.Work, done func([]persistence.Record, error)) {
	h.self.Send(bindingWork{from, w, done})
}

// ChildStopped hears of a binding that is completely gone.
func (a *account) ChildStopped(c *ctx, child runtime.ActorID, reason error) {
	if c.Stopping() {
		return
	}
	switch p, tooOften := a.bindings.Stopped(child, c.Now(), c.Rand()); {
	case p == nil:
	case tooOften:
		a.stand.Quarantine(c.Now(), "a connection failed too often: "+reason.Error(), adviceFault)
	case p.IsHome():
		a.stand.RouteLost(c.Now(), "it failed and will be started again: "+reason.Error())
	}
	a.tellHushed()
	a.pump(c)
}
