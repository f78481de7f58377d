package actors

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
)

// DeadLetter is what a consumer could not deliver and has put aside.
type DeadLetter struct {
	Consumer string
	ID       string
	At       time.Time
	Account  string
	Why      string
	Attempts int
	Body     persistence.Secret // what was to be delivered; empty if it was too large to keep
}

// Bounds of the dead letters of one consumer: 100, of which a body of more than 64
// KiB is not kept, so 6.4 MiB. At the bound the oldest goes.
const (
	deadLettersMost    = 100
	deadLetterBodyMost = 64 << 10
)

// PutAside keeps what the consumer could not deliver, so that it can acknowledge it
// and go on. It blocks until that is on disk. The letter's id has up to 18
// characters of [a-z0-9-]; one of the same id is replaced. The error is the store's,
// or ErrConsumerRemoved.
func (c *Consumer) PutAside(ctx context.Context, letter DeadLetter) error {
	letter.Consumer = c.name
	if len(letter.Body) > deadLetterBodyMost {
		letter.Body = nil
	}
	c.m.registering.Lock()
	defer c.m.registering.Unlock()
	if c.gone() {
		return ErrConsumerRemoved
	}
	old, err := c.m.DeadLetters(c.name)
	if err != nil {
		return err
	}
	commit := persistence.Commit{Put: []persistence.Record{persistence.DeadLetter(letter).Record()}}
	for len(old) >= deadLettersMost {
		if old[0].ID != letter.ID {
			commit.Delete = append(commit.Delete, persistence.DeadLetterKey(c.name, old[0].ID))
		}
		old = old[1:]
	}
	return c.m.commit(ctx, commit)
}

// DeadLetters returns what a consumer has put aside, oldest first. It reads the
// store.
func (m *Manager) DeadLetters(consumer string) ([]DeadLetter, error) {
	records, err := m.opts.Store.Load(persistence.FleetID)
	if err != nil && len(persistence.BadKeys(err)) == 0 {
		return nil, fmt.Errorf("reading the store: %w", err)
	}
	var all []DeadLetter
	for _, rec := range records {
		if !persistence.IsDeadLetter(rec, consumer) {
			continue
		}
		letter, err := persistence.DecodeDeadLetter(rec)
		if err != nil {
			return nil, err
		}
		all = append(all, DeadLetter(letter))
	}
	slices.SortFunc(all, func(a, b DeadLetter) int { return cmp.Or(a.At.Compare(b.At), strings.Compare(a.ID, b.ID)) })
	return all, nil
}

// DeleteDeadLetter deletes what a consumer has put aside. It blocks until that is
// on disk.
func (m *Manager) DeleteDeadLetter(ctx context.Context, consumer, id string) error {
	return m.commit(ctx, persistence.Commit{Delete: []persistence.Key{persistence.DeadLetterKey(consumer, id)}})
}
