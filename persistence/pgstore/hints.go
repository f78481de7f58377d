package pgstore

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Hints implements persistence.Cluster.
func (s *Store) Hints() <-chan struct{} { return s.hints }

// listen hears of changes on a connection of its own until ctx ends. After each
// new connection something may have been missed.
func (s *Store) listen(ctx context.Context) {
	pause := pauses()
	for ctx.Err() == nil {
		if heard := s.hear(ctx); heard {
			pause.Reset()
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause.NextBackOff()):
		}
	}
}

func (s *Store) hear(ctx context.Context) (heard bool) {
	conn, err := pgx.ConnectConfig(ctx, s.cfg)
	if err != nil {
		return false
	}
	defer leave(ctx, conn)
	if _, err := conn.Exec(ctx, `listen `+pgx.Identifier{s.schema}.Sanitize()); err != nil {
		return false
	}
	for {
		select {
		case s.hints <- struct{}{}:
		default:
		}
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return true
		}
	}
}
