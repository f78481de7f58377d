// Package ways is how the accounts of a process connect: directly, or each through
// its proxy. It numbers the proxies for the governor. It needs no actor.
package ways

import (
	"fmt"
	"sync"

	"github.com/mtfleet/mtfleet/actors/governor"
	"github.com/mtfleet/mtfleet/mtproto/proxy"
	"github.com/mtfleet/mtfleet/persistence"
)

// Direct is what persistence.Account has of one that connects directly, whatever
// the proxy of all is.
const Direct persistence.SecretText = "none"

// ServerOf returns the proxy of an account that has its own, or else the one of
// all; nil: directly. The error is a *proxy.Error.
func ServerOf(own persistence.SecretText, all *proxy.Server) (*proxy.Server, error) {
	switch own {
	case "":
		return all, nil
	case Direct:
		return nil, nil
	}
	s, err := proxy.Parse(string(own))
	if err != nil {
		return nil, err
	}
	return &s, nil
}

// A Way is how an account connects: through a proxy, or with none directly. The
// zero Way is direct.
type Way struct {
	Server *proxy.Server
	Route  governor.Route
}

// Name names the proxy without what opens it; empty: directly.
func (w Way) Name() string {
	if w.Server == nil {
		return ""
	}
	return w.Server.String()
}

// Nowhere is the way of an account whose proxy cannot be read: no dial succeeds, or
// leaves this machine.
func Nowhere() Way { return Way{Server: &proxy.Server{}} }

// Ways are those of all accounts. There are as many entries as proxies in use, which
// are as many as accounts at most, and as many more as routes. It is safe for
// concurrent use.
type Ways struct {
	all   *proxy.Server
	renew func(governor.Route)

	mu    sync.Mutex // guards the rest
	known map[proxy.Server]*route
	on    [governor.MaxRoutes]int // proxies by route
}

type route struct {
	number   governor.Route
	accounts int // that go through it now
}

// New returns the ways of a process, where all is the proxy of accounts that have
// none of their own; nil: directly. renew is told when a route becomes another
// proxy's; it must not block.
func New(all *proxy.Server, renew func(governor.Route)) *Ways {
	return &Ways{all: all, renew: renew, known: map[proxy.Server]*route{}}
}

// Take finds the way of an account, and counts it there until Leave. With an error
// the way is Nowhere.
func (w *Ways) Take(own persistence.SecretText) (Way, error) {
	s, err := ServerOf(own, w.all)
	if err != nil {
		return Nowhere(), fmt.Errorf("its proxy cannot be used: %w", err)
	}
	if s == nil {
		return Way{}, nil
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	at := w.known[*s]
	if at == nil {
		at = &route{number: w.pick()}
		w.known[*s] = at
		w.on[at.number]++
	}
	at.accounts++
	return Way{s, at.number}, nil
}

// pick chooses a number for a proxy: one of nobody, one of a proxy that nobody goes
// through any more, or the one that the fewest proxies share.
func (w *Ways) pick() governor.Route {
	least := governor.Route(1)
	for n := least; n < governor.MaxRoutes; n++ {
		if w.on[n] < w.on[least] {
			least = n
		}
	}
	if w.on[least] == 0 {
		return least
	}
	var idle proxy.Server
	var number governor.Route
	for s, at := range w.known {
		if at.accounts == 0 && (number == 0 || at.number < number) {
			idle, number = s, at.number
		}
	}
	if number == 0 {
		return least
	}
	w.on[number]--
	delete(w.known, idle)
	w.renew(number)
	return number
}

// Leave counts one account less. A proxy that nobody goes through keeps its number,
// and what the governor knows of it, while it has that for itself.
func (w *Ways) Leave(way Way) {
	if way.Server == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	at := w.known[*way.Server]
	if at == nil {
		return
	}
	if at.accounts--; at.accounts == 0 && w.on[at.number] > 1 {
		w.on[at.number]--
		delete(w.known, *way.Server)
	}
}

// Name names the proxy of a route, the first of them if they are several; empty for
// none.
func (w *Ways) Name(n governor.Route) (name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for s, at := range w.known {
		if at.number == n && (name == "" || s.String() < name) {
			name = s.String()
		}
	}
	return name
}
