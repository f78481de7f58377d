package account

import (
	"github.com/mtfleet/mtfleet/actors/binding"
	"github.com/mtfleet/mtfleet/actors/journal"
	"github.com/mtfleet/mtfleet/actors/peers"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/persistence"
)

const adviceFault = "this is a fault of the program; report it with the log, then resume the account"

// host is the account as its peers see it.
type host struct {
	*account
	c *ctx
}

func (h host) Config(at dc.ID) binding.Config {
	bind, drop := h.stand.KeyWaits(h.c.Now(), at)
	return binding.Config{PFS: h.rec.PFS, Active: h.login != nil, BindAfter: bind, DropAfter: drop}
}

func (h host) Spawn(cfg binding.Config) (binding.Handle, error) {
	return binding.Spawn(h.c, h.env.binding, cfg)
}

// Read has the records read for a binding. The first home begins with those that
// the account began with.
func (h host) Read(p *peers.Peer, from *journal.Fence) {
	if left := h.left; left != nil && p.IsHome() {
		h.left = nil
		h.startPeer(h.c, p, from, left, nil)
		return
	}
	h.journal.Add(job{Work: journal.Work{Kind: journal.Load, Account: h.id}, From: from, For: waiter{waits: bindingWaits, peer: p}})
	h.runJournal(h.c)
}

func (h host) Heard(p *peers.Peer, from *journal.Fence, ev binding.Event) {
	h.self.Send(bindingEvent{p, from, ev})
}

func (h host) Write(from *journal.Fence, w journal.Work, done func(error)) {
	h.self.Send(bindingWrite{from, w, done})
}

// startPeer starts the binding whose account was read.
func (a *account) startPeer(c *ctx, p *peers.Peer, from *journal.Fence, state *persistence.State, err error) {
	if persistence.Vital(err) {
		err = a.peers.Unusable(p, from, err)
	} else {
		err = a.peers.Start(p, from, state, c.Now())
	}
	if err != nil {
		a.stand.Unreadable(c.Now(), err)
	}
}

// ChildStopped hears of a binding that is completely gone. One that failed is
// started again after a while.
func (a *account) ChildStopped(c *ctx, child runtime.ActorID, reason error) {
	if c.Stopping() {
		return
	}
	a.peers.Stopped(child)
	p, delay, tooOften := a.peers.Failed(child, c.Now(), c.Rand())
	switch {
	case p == nil:
	case tooOften:
		a.stand.Quarantine(c.Now(), "a connection failed too often: "+reason.Error(), adviceFault)
	default:
		c.After(timerRespawn+int(p.DC()), delay, respawnDue{p})
		if p.IsHome() {
			a.stand.RouteLost(c.Now(), "it failed and will be started again: "+reason.Error())
		}
	}
	a.pump(c)
}
