package governor

import "cmp"

// A Route is one way out of this machine: directly, or through one proxy. What is
// known of a DC, that it is down, say, is known of it by one route: a proxy that
// fails tells nothing about the others.
type Route uint16

// Direct is the way without a proxy.
const Direct Route = 0

// MaxRoutes bounds the routes, Direct among them. Each costs one record and one
// set of budgets for each DC that somebody goes to by it, below 1 KiB: 1.3 MiB
// with 256 routes and five DCs. A message looks at each of them, some 30 us with
// all (BenchmarkRoutes). Who has more proxies gives several of them one number: they are paced and found down together.
const MaxRoutes = 256

// place is one DC by one route.
type place struct {
	route Route
	dc    int
}

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.route, q.route), cmp.Compare(p.dc, q.dc))
}

func (t *Ticket) place() place  { return place{t.Route, t.DC} }
func (w *Witness) place() place { return place{w.Route, w.DC} }

// renew forgets what is known of a route, which is another proxy's from now on.
// Tickets and budgets stay: somebody may still leave.
func (g *Governor) renew(r Route) {
	for _, d := range g.dcs {
		if d.route == r {
			d.down, d.flood, d.delay, d.floodDelay = false, false, 0, 0
			d.unknown, d.answered, d.silent = witnesses{}, witnesses{}, witnesses{}
			d.tried = Tried{}
			d.pulse.forget()
		}
	}
}
