package actors

import (
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/actors/account"
	"github.com/mtfleet/mtfleet/actors/runtime"
)

// This file is about actors, and a whole process, that did not run.

// wedged hears of an actor that does not return.
func (m *Manager) wedged(w runtime.Wedged) {
	for _, a := range m.Accounts() {
		if slices.Contains(w.Path, a.current().ID()) {
			m.fleet.Send(accountWedged{a, w})
			return
		}
	}
	m.log.Error("a central actor is wedged; restart the process", "actor", w.Actor, "for", w.For, "stack", string(w.Stack))
}

// woken hears that the process did not run for a while. Sockets may be dead, and
// nobody was told: every connection asks.
func (m *Manager) woken(slept time.Duration) {
	m.log.Info("this machine slept, or its clock was set ahead: connections are checked", "for", slept.Round(time.Second))
	for _, a := range m.Accounts() {
		a.current().Send(account.Woken{})
	}
}
