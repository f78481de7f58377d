package actors

import (
	"context"
	"time"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/actors/placement"
)

// This file is how a node knows whether it reaches the DCs; what follows from that,
// package placement decides.

// census is what the governor knows of the DCs, nil where it does not answer.
func (n *node) census(ctx context.Context) []governor.DCStatus {
	list, err := n.m.Governor(ctx)
	if err == nil && list == nil {
		list = []governor.DCStatus{}
	}
	return list
}

// reaches is whether this node reaches the DCs, as of its last look.
func (n *node) reaches() placement.ReachState { return placement.ReachState(n.stand.Load()) }

// cutOff is 1 while this node says that it reaches no DC.
func (m *Manager) cutOff() float64 {
	if m.node != nil && m.node.reaches().Says() {
		return 1
	}
	return 0
}

// sense takes in what a look has shown of the DCs and of the other nodes. It reports
// whether the store is to be told whether this node is cut off.
func (n *nodeActor) sense(c *nodeCtx, now time.Time, l surveyed) (say bool) {
	if l.dcs != nil {
		s, was := n.signs(l), n.reach.State()
		n.reach.Look(now, s)
		n.tellReach(was)
		if n.reach.Asks(now, s) {
			n.askDCs(c)
		}
	}
	for _, o := range l.nodes {
		if o.Owner() == n.owner {
			return o.CutOff != n.reaches().Says()
		}
	}
	return false
}

func (n *nodeActor) signs(l surveyed) (s placement.Signs) {
	for _, at := range l.dcs {
		if at.Heard.After(s.Heard) {
			s.Heard = at.Heard
		}
		if at.Route != n.way.Route || at.DC < 0 || at.Granted[governor.Connect] == 0 {
			continue // it says nothing of this node, or nobody has tried
		}
		s.Tried = true
		away := at.Mute
		if !at.Up && !at.Flood {
			away = at.Since
		}
		if away.After(s.Away) {
			s.Away = away
		}
	}
	dark := map[string]uint64{}
	for _, o := range l.nodes {
		if o.CutOff && o.Live() && o.Owner() != n.owner {
			dark[o.Name] = o.Epoch
			s.Others = s.Others || n.dark[o.Name] != o.Epoch
		}
	}
	n.dark = dark
	return s
}

// tellReach notes and tells what has changed.
func (n *nodeActor) tellReach(was placement.ReachState) {
	is := n.reach.State()
	n.stand.Store(uint32(is))
	switch {
	case is == was:
	case is == placement.CutOff && was == placement.Doubted:
		n.m.log.Error("this node reaches no DC: it takes no accounts, and gives those that it has to nodes that reach them, if there are any",
			"advice", "look at the network of this machine, and the proxy of the configuration")
	case is == placement.CutOff:
		n.m.log.Error("this node reaches no DC again")
	case is == placement.Returning:
		n.m.log.Info("a DC answers this node again: it takes its share when that goes well for a while", "while", n.reach.Wait())
	case was == placement.Returning:
		n.m.log.Info("this node reaches the DCs again, and takes its share")
	}
}

// askDCs asks every DC whether it is there that is not being asked.
func (n *nodeActor) askDCs(c *nodeCtx) {
	for _, id := range n.m.opts.DCs.DCs() {
		if _, under := n.asked[id]; under {
			continue
		}
		n.asked[id] = struct{}{}
		c.GoIO(func() nodeMsg {
			return dcAsked{id, n.m.env.AskDC(id, n.way, n.m.sys.Clock().Now, func(most time.Duration, ready func() bool) { n.m.waitFor(n.alive, most, ready) })}
		})
	}
}

func (n *nodeActor) onAsked(c *nodeCtx, m dcAsked) {
	delete(n.asked, m.at)
	if m.answered {
		c.After(timerPlace, max(0, placeLeast-c.Now().Sub(n.looked)), placeDue{})
	}
}
