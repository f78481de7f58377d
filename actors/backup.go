package actors

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
)

// This file is about the store as a whole, for who backs it up.

var _ persistence.Snapshotter = (*Manager)(nil)

// errNoSnapshot is of a store of somebody else's make.
var errNoSnapshot = errors.New("this store cannot be shown as of one commit, and so not be backed up or verified while it is used")

// Snapshot implements persistence.Snapshotter with the Manager's store. Accounts work
// on meanwhile.
func (m *Manager) Snapshot(ctx context.Context, begin func(persistence.Moment) error, each func(persistence.Record, error) error) error {
	s, ok := m.opts.Store.(persistence.Snapshotter)
	if !ok {
		return errNoSnapshot
	}
	return s.Snapshot(ctx, begin, each)
}

// Space is what the store takes of its disk, and has.
type Space struct {
	Used    int64 // bytes; -1 when it is not known
	Room    persistence.Room
	Refuses error // what a commit would be refused with; nil: it would be taken
}

// Space asks the store. It blocks while the disk answers.
func (m *Manager) Space() Space { return SpaceOf(m.opts.Store) }

// SpaceOf is Manager.Space for a store that no Manager has.
func SpaceOf(store persistence.Store) Space {
	s := Space{Used: -1, Room: persistence.Room{Free: -1}}
	if p, ok := store.(persistence.Prober); ok {
		s.Room, s.Refuses = p.Probe()
	}
	if z, ok := store.(persistence.Sizer); ok {
		if n, err := z.DiskUse(); err == nil {
			s.Used = n
		} else if s.Refuses == nil {
			s.Refuses = err
		}
	}
	return s
}

// BackupMade notes in the store that a good backup of it was made, for LastBackup, and
// for the metrics as BackedUp does, also where the store takes nothing. It blocks until
// that is on disk. The error is the store's; the backup is as good.
func (m *Manager) BackupMade(b persistence.LastBackup) error {
	m.BackedUp(b.At)
	return m.noteBackup(b.Record())
}

// ScheduledBackupMade is BackupMade for ScheduledBackup: the schedules of other nodes
// look at it, and no metrics.
func (m *Manager) ScheduledBackupMade(b persistence.LastBackup) error {
	return m.noteBackup(b.ScheduledRecord())
}

func (m *Manager) noteBackup(rec persistence.Record) error {
	err := m.opts.Store.Commit(persistence.Commit{Owner: m.env.Owner, Put: []persistence.Record{rec}})
	if err != nil {
		m.storeFailed(persistence.FleetID, err)
	}
	return err
}

// LastBackup reads what the store knows of the last good backup; it is zero where there
// was none.
func (m *Manager) LastBackup() (persistence.LastBackup, error) {
	b, err := persistence.ReadLastBackup(m.opts.Store)
	if err != nil {
		err = fmt.Errorf("reading when the store was last backed up: %w", err)
	}
	return b, err
}

// ScheduledBackup reads what the store knows of the last good backup that the schedule
// of any node made.
func (m *Manager) ScheduledBackup() (persistence.LastBackup, error) {
	b, err := persistence.ReadScheduledBackup(m.opts.Store)
	if err != nil {
		err = fmt.Errorf("reading when the schedule last backed the store up: %w", err)
	}
	return b, err
}

// BackedUp notes when the last good backup of the store was made, for the metrics.
// The zero time means that there is none, which is what a Manager begins with.
func (m *Manager) BackedUp(at time.Time) { m.backup.Store(&at) }

// BackedUpAt is what BackedUp noted last; the zero time where no backup is known.
func (m *Manager) BackedUpAt() time.Time {
	if at := m.backup.Load(); at != nil {
		return *at
	}
	return time.Time{}
}

// backedUp is when, in seconds since 1970; 0 without a backup.
func (m *Manager) backedUp() float64 {
	at := m.BackedUpAt()
	if at.IsZero() {
		return 0
	}
	return float64(at.Unix())
}
