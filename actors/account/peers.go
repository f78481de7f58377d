package account

import (
	"sync/atomic"

	"github.com/mtfleet/mtfleet/actors/binding"
	"github.com/mtfleet/mtfleet/actors/journal"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/mtproto/dc"
	"github.com/mtfleet/mtfleet/persistence"
)

// peer is one DC of the account as the account sees it: a binding, and where
// calls for it go.
type peer struct {
	id      binding.ID
	home    bool
	handle  binding.Handle // zero until its keys were read, and until it starts again
	route   binding.Route  // zero while calls go to the binding
	temp    bool           // the last route was under a bound temp key
	fence   *journal.Fence // of this start; what an earlier one said is void
	keeper  runtime.Keeper
	early   []binding.Message // what is to be told it when it has started
	pending atomic.Int64      // calls that were sent there and have not ended
}

const (
	adviceRestore = "restore the store from a backup, or remove the account and add it again"
	adviceFault   = "this is a fault of the program; report it with the log, then resume the account"
)

// tell sends a binding a message, as soon as there is one.
func (a *account) tell(p *peer, m binding.Message) {
	if t := a.env.Trace; t != nil {
		t.Told(a.id, p.id.DC, m, 0)
	}
	if p.handle.IsZero() {
		p.early = append(p.early, m)
		return
	}
	p.handle.Send(m)
}

// tellGuests tells all but home.
func (a *account) tellGuests(m binding.Message) {
	for _, p := range a.peers {
		if !p.home {
			a.tell(p, m)
		}
	}
}

// release answers the calls that wait for a binding that will not be.
func (p *peer) release() {
	for _, m := range p.early {
		switch m := m.(type) {
		case binding.Call:
			binding.Route{}.Send(m) // which gives it back
		case binding.Confirm:
			binding.Route{}.Send(m.Call)
		}
	}
	p.early = nil
}

// peerAt returns the peer of a DC, opening a guest's; zero is home. It is nil
// for a home that is not open.
func (a *account) peerAt(c *ctx, at dc.ID) *peer {
	if at == 0 || a.home != nil && a.home.id.DC == at {
		return a.home
	}
	if p := a.peerOf(at); p != nil {
		return p
	}
	return a.open(c, at, false)
}

func (a *account) peerOf(at dc.ID) *peer {
	for _, p := range a.peers {
		if p.id.DC == at {
			return p
		}
	}
	return nil
}

// open makes the peer of a DC. Its binding starts when its keys were read.
func (a *account) open(c *ctx, at dc.ID, home bool) *peer {
	p := &peer{id: binding.ID{DC: at}, home: home}
	a.peers = append(a.peers, p)
	if home {
		a.home = p
	}
	if t := a.env.Trace; t != nil {
		t.Opened(a.id, at, home)
	}
	a.start(c, p)
	return p
}

// start begins, or begins anew, with a binding: from what is on disk.
func (a *account) start(c *ctx, p *peer) {
	p.fence = &journal.Fence{}
	if left := a.left; left != nil && p.home {
		a.left = nil
		a.spawn(c, p, left)
		return
	}
	a.journal.Add(job{Work: journal.Work{Kind: journal.Load, Account: a.id}, From: p.fence, For: waiter{waits: bindingWaits, peer: p}})
	a.runJournal(c)
}

// onKeys starts the binding whose keys were read.
func (a *account) onKeys(c *ctx, q job, records []persistence.Record, err error) {
	p := q.For.peer
	if p.fence != q.From || p.fence.Closed {
		return // closed since
	}
	state, decodeErr := persistence.DecodeState(records)
	if err = persistence.JoinRecords(err, decodeErr); fatal(err) {
		a.unusable(c, p, err)
		return
	}
	a.spawn(c, p, &state)
}

func (a *account) spawn(c *ctx, p *peer, state *persistence.State) {
	self, fence := c.Self(), p.fence
	handle, err := binding.Spawn(c, a.env.binding, binding.Config{
		Account: a.id, ID: p.id, Home: p.home, PFS: a.rec.PFS, Keys: binding.RecordsOf(state, p.id.DC),
		Commit: func(commit persistence.Commit, owed bool, done func(error)) {
			w := journal.Work{Commit: commit, Urgency: journal.Once}
			if owed {
				w.Urgency = journal.Should
			}
			self.Send(bindingWrite{fence: fence, work: w, done: done})
		},
		BindAfter: a.held(c, p.id.DC, bindMethod), DropAfter: a.held(c, p.id.DC, dropMethod),
		Active: len(p.early) > 0 || a.login != nil,
		Notify: func(ev binding.Event) { self.Send(bindingEvent{peer: p, fence: fence, event: ev}) },
	})
	if err != nil {
		a.unusable(c, p, err)
		return
	}
	p.handle = handle
	p.keeper.Started(c.Now())
	early := p.early
	p.early = nil
	for _, m := range early {
		p.handle.Send(m)
	}
}

// unusable gives up a peer whose records cannot be used.
func (a *account) unusable(c *ctx, p *peer, err error) {
	if p.home {
		a.stand.Unreadable(c.Now(), err)
		return
	}
	a.close(p)
}

// close ends a peer. What waits for it comes back to be admitted again, or
// refused in words of the account's state.
func (a *account) close(p *peer) {
	for i, other := range a.peers {
		if other == p {
			a.peers = append(a.peers[:i], a.peers[i+1:]...)
			break
		}
	}
	if a.home == p {
		a.home = nil
	}
	if t := a.env.Trace; t != nil {
		t.Closed(a.id, p.id.DC)
	}
	p.fence.Closed = true
	p.route = binding.Route{}
	p.handle.Stop()
	p.release()
}

// ChildStopped hears of a binding that is completely gone. One that failed is
// started again after a while, from what is on disk.
func (a *account) ChildStopped(c *ctx, child runtime.ActorID, reason error) {
	if c.Stopping() || reason == nil {
		return
	}
	for _, p := range a.peers {
		if p.handle.ID() != child {
			continue
		}
		p.handle, p.route, p.fence = binding.Handle{}, binding.Route{}, &journal.Fence{}
		delay, tooOften := p.keeper.Failed(c.Now(), c.Rand())
		if tooOften {
			a.stand.Quarantine(c.Now(), "a connection failed too often: "+reason.Error(), adviceFault)
		} else {
			c.After(timerRespawn+int(p.id.DC), delay, respawnDue{p})
			if p.home {
				a.stand.RouteLost(c.Now(), "it failed and will be started again: "+reason.Error())
			}
		}
		a.pump(c)
		return
	}
}

func (a *account) onRespawnDue(c *ctx, p *peer) {
	if !p.fence.Closed && p.handle.IsZero() {
		a.start(c, p)
	}
}
