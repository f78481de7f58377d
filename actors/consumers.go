package actors

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/mtfleet/mtfleet/actors/account"
	"github.com/mtfleet/mtfleet/persistence"
)

// This file keeps the durable consumers of a Manager.

const (
	// consumersMost bounds the consumers of a store: each is asked about every
	// event.
	consumersMost = 64
	// owedMost bounds what all consumers have not acknowledged, in bytes: twice as
	// much as the journal of events and four slow readers have. Beyond it no
	// account takes more updates, until half of it is acknowledged: the server
	// keeps them. What is under way is still taken.
	owedMost = 256 << 20
)

// ConsumerOptions name a consumer and say what it is told.
type ConsumerOptions struct {
	// Name is 1 to 40 characters of [a-z0-9._-].
	Name string
	// Filter is which events it is told; nil is as registered before, or
	// everything. An account that it selects anew is held from now on.
	Filter *Filter
}

// ConsumerLimitError refuses one consumer too many.
type ConsumerLimitError struct{}

func (*ConsumerLimitError) Error() string {
	return fmt.Sprintf("there are %d consumers, as many as a store has: remove one", consumersMost)
}

// NoConsumerError says that there is no such consumer.
type NoConsumerError struct{ Name string }

func (e *NoConsumerError) Error() string {
	return fmt.Sprintf("there is no consumer %q", e.Name)
}

// ConsumerStatus is what is known of a consumer at one moment.
type ConsumerStatus struct {
	Name    string    `json:"name"`
	Filter  Filter    `json:"filter"`
	Created time.Time `json:"created"`
	// Accounts is how many it selects now.
	Accounts int `json:"accounts"`
	// Attached: somebody reads, since Since; otherwise nobody does.
	Attached bool      `json:"attached"`
	Since    time.Time `json:"since"`
	// Lag is how many events were not acknowledged, Bytes what they take, Oldest
	// when the first of them came. What the server still keeps is not counted.
	Lag    int       `json:"lag"`
	Bytes  int       `json:"bytes"`
	Oldest time.Time `json:"oldest,omitzero"`
	// Acked is the newest cursor that was acknowledged in this run.
	Acked Cursor `json:"acked,omitzero"`
	// Stopped: its target wants nothing more; nil unless StopConsumer said so.
	Stopped *ConsumerStop `json:"stopped,omitempty"`
}

// Consumer registers a durable consumer, durably, or returns the one of that name
// with another filter if one is given. It blocks until that is on disk. From then
// on the updates of its accounts wait for it: remove it when it will not come back.
func (m *Manager) Consumer(ctx context.Context, o ConsumerOptions) (*Consumer, error) {
	if err := persistence.CheckConsumerName(o.Name); err != nil {
		return nil, err
	}
	if o.Filter != nil {
		if err := o.Filter.Check(); err != nil {
			return nil, err
		}
	}
	if m.closed() {
		return nil, ErrClosed
	}
	m.registering.Lock()
	defer m.registering.Unlock()
	c := m.hub.consumer(o.Name)
	fresh := c == nil
	if !fresh {
		if f := c.Filter(); o.Filter == nil || f.equal(o.Filter) {
			return c, nil
		}
	} else {
		if m.hub.countConsumers() >= consumersMost {
			return nil, &ConsumerLimitError{}
		}
		c = m.newConsumer(persistence.Consumer{Name: o.Name, Created: m.sys.Clock().Now()})
	}
	f := Filter{}
	if o.Filter != nil {
		f = o.Filter.clone()
	}
	commit := persistence.Commit{Put: []persistence.Record{consumerRecord(c, f).Record()}}
	if fresh { // a stop is left where the consumer's own record could not be read
		commit.Delete = []persistence.Key{persistence.ConsumerStopKey(o.Name)}
	}
	if err := m.commit(ctx, commit); err != nil {
		return nil, fmt.Errorf("registering consumer %q: %w", o.Name, err)
	}
	m.hub.register(c, f)
	m.redecide(m.Accounts()...)
	return c, nil
}

// RemoveConsumer ends a consumer for good: what it has not acknowledged is as good
// as acknowledged, and what it has put aside is deleted. It blocks until that is on
// disk. The error is a *NoConsumerError, or the store's.
func (m *Manager) RemoveConsumer(ctx context.Context, name string) error {
	m.registering.Lock()
	defer m.registering.Unlock()
	c := m.hub.consumer(name)
	if c == nil {
		return &NoConsumerError{name}
	}
	letters, err := m.DeadLetters(name)
	if err != nil {
		return fmt.Errorf("removing consumer %q: %w", name, err)
	}
	gone := []persistence.Key{persistence.ConsumerKey(name), persistence.ConsumerStopKey(name)}
	for _, l := range letters {
		gone = append(gone, persistence.DeadLetterKey(name, l.ID))
	}
	if err := m.commit(ctx, persistence.Commit{Delete: gone}); err != nil {
		return fmt.Errorf("removing consumer %q: %w", name, err)
	}
	m.hub.unregister(c)
	c.close()
	m.redecide(m.Accounts()...)
	return nil
}

// AckConsumer is Ack of a consumer by its name. The error may be a
// *NoConsumerError too.
func (m *Manager) AckConsumer(name string, cursor Cursor) error {
	c := m.hub.consumer(name)
	if c == nil {
		return &NoConsumerError{name}
	}
	return c.Ack(cursor)
}

// Consumers returns what is known of every consumer, by name.
func (m *Manager) Consumers() []ConsumerStatus {
	accounts := m.Accounts()
	all := []ConsumerStatus{}
	for _, c := range m.hub.allConsumers() {
		all = append(all, c.status(accounts))
	}
	return all
}

func (c *Consumer) status(accounts []*Account) ConsumerStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := ConsumerStatus{
		Name: c.name, Filter: c.filter.clone(), Created: c.created, Attached: c.reader != nil, Since: c.since, Bytes: c.bytes, Acked: c.acked,
		Stopped: c.stopped,
	}
	for _, list := range [][]owed{c.handed, c.queue} {
		if s.Lag += len(list); s.Oldest.IsZero() && len(list) > 0 {
			s.Oldest = list[0].At
		}
	}
	for _, a := range accounts {
		if c.filter.Selects(a.ID(), a.Labels()) {
			s.Accounts++
		}
	}
	return s
}

// commit writes to the store for the Manager itself. It blocks.
func (m *Manager) commit(ctx context.Context, commit persistence.Commit) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	commit.Owner = m.env.Owner
	err := m.opts.Store.Commit(commit)
	if err != nil {
		m.storeFailed(persistence.FleetID, err)
	}
	return err
}

func (m *Manager) newConsumer(rec persistence.Consumer) *Consumer {
	return &Consumer{
		m: m, h: m.hub, clock: m.sys.Clock(), done: m.done, present: m.present, relieve: m.weigh, name: rec.Name, created: rec.Created, since: m.sys.Clock().Now(),
	}
}

// present is the state of each account that a filter wants told, now.
func (m *Manager) present(f *Filter) []Event {
	if !f.wants(EventState) {
		return nil
	}
	var all []Event
	for _, a := range m.Accounts() {
		if f.Selects(a.ID(), a.Labels()) {
			s := a.Status()
			all = append(all, Event{Account: a.ID(), At: s.Since, Kind: EventState, Status: &s})
		}
	}
	return all
}

func consumerRecord(c *Consumer, f Filter) persistence.Consumer {
	rec := persistence.Consumer{Name: c.name, Created: c.created, Accounts: f.Accounts, Labels: f.Labels}
	for _, kind := range f.Kinds {
		rec.Kinds = append(rec.Kinds, kind.String())
	}
	return rec
}

// readConsumers takes the consumers of the store in. One that cannot be read is
// named, and holds nothing until it is registered again.
func (m *Manager) readConsumers() error {
	records, err := m.opts.Store.Load(persistence.FleetID)
	bad := persistence.BadKeys(err)
	if err != nil && len(bad) == 0 {
		return fmt.Errorf("reading the store: %w", err)
	}
	lost := func(name string, err error) {
		m.log.Error("a durable consumer cannot be read, and updates do not wait for it", "consumer", name, "err", Words(err), "advice", "register it again")
	}
	for _, key := range bad {
		if name, is := persistence.ConsumerName(key); is {
			lost(name, err)
		}
	}
	for _, rec := range records {
		name, is := persistence.ConsumerName(rec.Key)
		if !is {
			continue
		}
		stored, err := persistence.DecodeConsumer(rec)
		f := Filter{Accounts: stored.Accounts, Labels: stored.Labels}
		for _, word := range stored.Kinds {
			var kind EventKind
			err = cmp.Or(err, kind.UnmarshalText([]byte(word)))
			f.Kinds = append(f.Kinds, kind)
		}
		if err != nil {
			lost(name, err)
			continue
		}
		m.hub.register(m.newConsumer(stored), f)
	}
	m.readStops(records, bad)
	return nil
}

// redecide looks anew whether somebody acknowledges the updates of accounts, and
// tells those that it changes for.
func (m *Manager) redecide(all ...*Account) {
	for _, a := range all {
		m.hub.redecide(a)
	}
}

// weigh looks whether accounts may take more updates: not while consumers owe too
// much, until they owe half of it.
func (m *Manager) weigh() {
	if _, turns := m.hub.turns(); !turns {
		return
	}
	m.hub.turning.Lock()
	defer m.hub.turning.Unlock()
	owed, turns := m.hub.turns()
	if !turns {
		return
	}
	full := !m.hub.full.Load()
	m.hub.full.Store(full)
	if full {
		m.log.Warn("durable consumers have not acknowledged what they were told; accounts take no more updates until they do", "bytes", owed,
			"advice", "see `manager consumers list`; remove a consumer that will not come back")
	}
	for _, a := range m.Accounts() {
		if a.durable.Load() {
			m.hub.inform(a, account.Held{On: full})
		}
	}
}

// turns reports whether what is owed changes whether accounts take more.
func (h *hub) turns() (owed int64, turns bool) {
	owed = h.owed.Load()
	if h.full.Load() {
		return owed, owed < owedMost/2
	}
	return owed, owed > owedMost
}

// Consumers in the hub: its lock orders who is registered with what is published.

func (h *hub) consumer(name string) *Consumer {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.consumers {
		if c.name == name {
			return c
		}
	}
	return nil
}

func (h *hub) countConsumers() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.consumers)
}

func (h *hub) allConsumers() []*Consumer {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.consumers)
}

// register lets a consumer take what is published from now on, by a filter.
func (h *hub) register(c *Consumer, f Filter) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c.mu.Lock()
	c.filter = f
	c.mu.Unlock()
	if !slices.Contains(h.consumers, c) {
		h.consumers = append(h.consumers, c)
		slices.SortFunc(h.consumers, func(a, b *Consumer) int { return cmp.Compare(a.name, b.name) })
	}
}

func (h *hub) unregister(c *Consumer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.consumers = slices.DeleteFunc(h.consumers, func(o *Consumer) bool { return o == c })
}

// decide notes whether any consumer acknowledges the updates of an account.
func (h *hub) decide(a *Account) (on, changed bool) {
	id, labels := a.ID(), a.Labels()
	on = slices.ContainsFunc(h.consumers, func(c *Consumer) bool { return c.holds(id, labels) })
	return on, a.durable.Swap(on) != on
}

// redecide decides and tells the account, in the order of the decisions.
func (h *hub) redecide(a *Account) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if on, changed := h.decide(a); changed {
		h.inform(a, account.Durable{On: on})
	}
}

// settle tells accounts what everybody has acknowledged.
func (h *hub) settle(over settled) {
	for _, d := range over {
		h.inform(d.account, account.Acked{Mark: d.mark})
	}
}

// hold counts what consumers have not acknowledged.
func (h *hub) hold(bytes int) { h.owed.Add(int64(bytes)) }

func (f *Filter) clone() Filter {
	return Filter{Accounts: slices.Clone(f.Accounts), Kinds: slices.Clone(f.Kinds), Labels: slices.Clone(f.Labels)}
}
