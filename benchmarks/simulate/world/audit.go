package world

import (
	"context"
	"time"
)

// auditBounds looks at what is left when nobody has wanted anything for long: no
// permit is waited for, no packet waits in a socket for longer than its way is, and nobody holds sockets but
// the manager that runs, one or two for each account.
func (w *world) auditBounds(ctx context.Context) {
	states, err := w.m.Governor(ctx)
	if err != nil {
		w.judge.Complain("the governor does not answer at the end: %v", err)
	}
	for _, s := range states {
		for kind, n := range s.Waiting {
			if n > 0 {
				w.judge.Complain("%d tickets of kind %d wait for DC %d at the end", n, kind, s.DC)
			}
		}
	}
	open := 0
	for _, l := range w.sky.links {
		switch {
		case l.reason != nil:
		case l.net != w.net:
			w.judge.Complain("a socket to DC %d is open whose manager is gone", l.dc)
		case l.stuck(w.sim.Now()):
			w.judge.Complain("packets wait in a socket to DC %d at the end: %d bytes to it, %d packets from it, %d that nobody takes", l.dc, l.queued, len(l.dn.list), l.held)
		default:
			open++
		}
	}
	if open > 2*len(w.users) {
		w.judge.Complain("%d sockets are open at the end, of %d accounts", open, len(w.users))
	}
}

// stuck tells whether a packet is there that should have been taken a minute ago.
func (l *link) stuck(now time.Time) bool {
	late := func(p *pipe) bool { return len(p.list) > 0 && now.Sub(p.list[0].at) > time.Minute }
	return late(&l.up) || late(&l.dn) || l.held > creditsMost/2
}
