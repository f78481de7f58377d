package dcconn

import (
	"errors"
	"slices"
	"sync"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/mtproto/dc"
)

// addresses is what the connections of a process find out about the addresses
// of the DCs. It is safe for concurrent use.
type addresses struct {
	mu    sync.Mutex // guards known
	known map[addressesOf]*tried
}

// addressesOf names a set of addresses: at most two for each DC and route.
type addressesOf struct {
	dc    dc.ID
	media bool
	route governor.Route
}

// tried is how the last tries went.
type tried struct {
	worked dc.Target // the DC has proved there that it is one; the zero one: nowhere yet
	failed uint32    // dials that came to nothing since
}

func (a *addresses) of(at addressesOf) *tried {
	if a.known == nil {
		a.known = map[addressesOf]*tried{}
	}
	t := a.known[at]
	if t == nil {
		t = &tried{}
		a.known[at] = t
	}
	return t
}

// order returns the targets in the order in which to try them: the one that
// worked last before all others, IPv4 and IPv6 in turns, and beginning farther
// on for each dial that failed since and each of skip. The one that worked is
// among them whatever the table has become.
func (a *addresses) order(at addressesOf, targets []dc.Target, skip uint32) []dc.Target {
	a.mu.Lock()
	t := *a.of(at)
	a.mu.Unlock()
	if t.worked.Addr.IsValid() {
		first := t.worked
		rest := slices.Clone(targets)
		if i := slices.IndexFunc(rest, func(t dc.Target) bool { return t.Addr == first.Addr }); i >= 0 {
			first = rest[i] // as it is to be spoken to now
			rest = slices.Delete(rest, i, i+1)
		}
		targets = append([]dc.Target{first}, rest...)
	}
	targets = dc.Alternate(targets)
	if k := uint32(len(targets)); k > 1 {
		i := (t.failed%k + skip%k) % k
		targets = append(targets[i:k:k], targets[:i]...)
	}
	return targets
}

// proved notes that the DC answered at an address with a key of its own, or of
// ours.
func (a *addresses) proved(at addressesOf, target dc.Target) {
	a.mu.Lock()
	defer a.mu.Unlock()
	*a.of(at) = tried{worked: target}
}

// fail notes that none of the first few addresses answered.
func (a *addresses) fail(at addressesOf) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.of(at).failed++
}

// addresses names those of a connection.
func (n *conn) addresses() addressesOf { return addressesOf{n.cfg.DC, n.cfg.Media, n.cfg.Way.Route} }

// targets returns what to dial.
func (n *conn) targets(table dc.Table) []dc.Target {
	all := table.Select(dc.Want{DC: n.cfg.DC, Media: n.cfg.Media, IPv6: true, Proxied: n.cfg.Way.Server != nil})
	return n.env.addresses.order(n.addresses(), all, n.tries)
}

// proved notes which address leads to the DC, if the network tells.
func (n *conn) proved() {
	if s, tells := n.socket.(interface{ Dialed() dc.Target }); tells && !n.proof {
		n.proof = true
		n.env.addresses.proved(n.addresses(), s.Dialed())
	}
}

// triedBy returns what a dial says of families of addresses, if the network tells:
// Reached are those of a socket, on which the DC has not said anything yet.
func triedBy(s Socket, err error) (t governor.Tried) {
	if dialled, tells := s.(interface{ Dialed() dc.Target }); tells {
		t.Reached = governor.Families(dc.Family(dialled.Dialed().Addr.Addr()))
	}
	missed, tells := s.(interface{ Missed() dc.Families })
	if tells || errors.As(err, &missed) {
		t.Missed = governor.Families(missed.Missed())
	}
	return t
}

// families returns what the outcome of a dial or of its socket says of them.
func (n *conn) families(o governor.Outcome) governor.Tried {
	t := n.tried
	switch o {
	case governor.Worked, governor.Answered, governor.Flooded:
	case governor.Failed:
		t = governor.Tried{Missed: t.Reached | t.Missed}
	case governor.Unknown:
		t.Reached = 0
	}
	return t
}
