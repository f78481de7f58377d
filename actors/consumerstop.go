package actors

import (
	"context"
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
)

// ConsumerStop says that whoever a consumer delivers to wants nothing more.
type ConsumerStop struct {
	At  time.Time `json:"at"`
	Why string    `json:"why"`
	// Target names who said so, so that another is known as another. It is no secret.
	Target string `json:"-"`
}

// StopConsumer keeps, durably, that a consumer's target wants nothing more. It changes
// nothing else: the consumer is still registered, its accounts' updates wait for it, and
// whoever reads it looks at Stopped. It blocks until that is on disk. The error is a
// *NoConsumerError, or the store's.
func (m *Manager) StopConsumer(ctx context.Context, name string, s ConsumerStop) error {
	rec := persistence.ConsumerStop{Consumer: name, At: s.At, Why: s.Why, Target: s.Target}
	return m.setStopped(ctx, name, persistence.Commit{Put: []persistence.Record{rec.Record()}}, &s)
}

// ResumeConsumer forgets, durably, that a consumer was stopped. It blocks until that is
// on disk. The error is a *NoConsumerError, or the store's.
func (m *Manager) ResumeConsumer(ctx context.Context, name string) error {
	return m.setStopped(ctx, name, persistence.Commit{Delete: []persistence.Key{persistence.ConsumerStopKey(name)}}, nil)
}

func (m *Manager) setStopped(ctx context.Context, name string, commit persistence.Commit, s *ConsumerStop) error {
	m.registering.Lock()
	defer m.registering.Unlock()
	c := m.hub.consumer(name)
	if c == nil {
		return &NoConsumerError{name}
	}
	if err := m.commit(ctx, commit); err != nil {
		return fmt.Errorf("consumer %q: %w", name, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = s
	return nil
}

// Stopped returns why and since when the consumer's target wants nothing more, and
// whether that is so: in an earlier run of the manager, too.
func (c *Consumer) Stopped() (s ConsumerStop, is bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped == nil {
		return ConsumerStop{}, false
	}
	return *c.stopped, true
}

// readStops takes in which consumers of the store are stopped. One whose stop cannot be
// read goes on: its target says again that it wants nothing.
func (m *Manager) readStops(records []persistence.Record, bad []persistence.Key) {
	lost := func(name string, why string) {
		m.log.Warn("whether a consumer was stopped by its target cannot be read, and it is told on", "consumer", name, "why", why)
	}
	for _, key := range bad {
		if name, is := persistence.StoppedConsumer(key); is {
			lost(name, "the record is damaged")
		}
	}
	for _, rec := range records {
		name, is := persistence.StoppedConsumer(rec.Key)
		if !is {
			continue
		}
		stored, err := persistence.DecodeConsumerStop(rec)
		if err != nil {
			lost(name, Words(err))
			continue
		}
		if c := m.hub.consumer(name); c != nil {
			c.mu.Lock()
			c.stopped = &ConsumerStop{At: stored.At, Why: stored.Why, Target: stored.Target}
			c.mu.Unlock()
		}
	}
}
