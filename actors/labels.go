package actors

import (
	"context"

	"github.com/mtfleet/mtfleet/actors/account"
	"github.com/mtfleet/mtfleet/actors/runtime"
	"github.com/mtfleet/mtfleet/persistence"
)

// Labels returns the account's labels. It does not block.
func (a *Account) Labels() persistence.Labels { return *a.labels.Load() }

// Label puts labels on the account, in place of those of the same keys, and takes
// others away by their keys. It waits until they are on disk. The error is a
// *persistence.LabelError where they make no sense.
func (a *Account) Label(ctx context.Context, put map[string]string, remove ...string) (persistence.Labels, error) {
	if _, err := a.Labels().Change(put, remove); err != nil {
		return persistence.Labels{}, err
	}
	return ask(ctx, a, func(r runtime.Reply[persistence.Labels]) account.Message {
		return account.Label{Put: put, Remove: remove, Reply: r}
	})
}

// labelled hears of an account's labels when they are on disk, and tells them.
func (m *Manager) labelled(id persistence.AccountID, labels persistence.Labels) {
	a, err := m.Account(string(id))
	if err != nil {
		return
	}
	a.labels.Store(&labels)
	m.redecide(a)
	status := a.Status()
	a.publish(stateOf(a, m.sys.Clock().Now(), &status))
}

// durable tells an account whether a consumer acknowledges its updates, and
// whether it may take none of them for now.
func (m *Manager) durable(id persistence.AccountID) (on, held bool) {
	a, err := m.Account(string(id))
	if err != nil {
		return false, false
	}
	m.hub.mu.Lock()
	defer m.hub.mu.Unlock()
	on, _ = m.hub.decide(a)
	return on, m.hub.full.Load()
}
