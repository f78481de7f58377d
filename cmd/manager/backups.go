package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/config"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/backup"
)

// checkBackups tells whether the recipients of the schedule are real, before anything
// is opened.
func checkBackups(c config.Backup) error {
	if _, err := backup.ParseRecipients(c.Recipients); err != nil {
		return usage("store.backup.recipients: %s", plainly(err))
	}
	return nil
}

// runBackups begins to back the store up by the schedule of the configuration, until
// ctx ends. Each backup is asked for as any caller would, and so is in the audit log. Of
// the nodes of a cluster one makes it at a time.
func runBackups(ctx context.Context, c config.Backup, local *control.Local, log *slog.Logger) (wait func()) {
	var running sync.WaitGroup
	if local.Cluster != nil {
		running.Go(func() { watchBackups(ctx, local.Manager, log) })
	}
	if c.Dir == "" {
		return running.Wait
	}
	s := backup.Schedule{
		Dir: absolute(c.Dir), Every: c.Every, Keep: c.Keep, Log: log,
		Make: func(ctx context.Context, path string) (bool, error) {
			r, err := control.Backup.Call(ctx, local, control.BackupRequest{Path: path, Recipients: c.Recipients})
			if err == nil && r.Whole() && local.Cluster != nil {
				// Without the note another node makes one too, which the store's own log tells of.
				_ = local.Manager.ScheduledBackupMade(persistence.LastBackup{At: r.Created, Commit: r.Commit, File: path, Bytes: r.Bytes, Node: local.Manager.Owner().Node})
			}
			return r.Whole(), err
		},
	}
	if local.Cluster != nil {
		s.Log = log.With("node", local.Manager.Owner().Node)
		s.Others = func(ctx context.Context) (last time.Time, before int, err error) { return backupTurn(ctx, local) }
	}
	running.Go(func() { s.Run(ctx) })
	return running.Wait
}

// backupTurn says when any node last made a backup by its schedule, and how many live nodes
// make the next one rather than this: those that joined before it.
func backupTurn(ctx context.Context, local *control.Local) (last time.Time, before int, err error) {
	nodes, err := local.Cluster.Nodes(ctx, false)
	if err != nil {
		return last, 0, err
	}
	made, err := local.Manager.ScheduledBackup()
	if err != nil {
		return last, 0, err
	}
	self := local.Manager.Owner()
	for _, n := range nodes {
		if n.Live() && !n.Departs && n.Epoch < self.Epoch {
			before++
		}
	}
	return made.At, before, nil
}

// backupsLook is how often a node looks for backups that others made.
const backupsLook = time.Minute

// watchBackups has the metrics of a node know of backups that others made, until ctx
// ends.
func watchBackups(ctx context.Context, m *actors.Manager, log *slog.Logger) {
	tick := time.NewTicker(backupsLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		last, err := m.LastBackup()
		switch {
		case err != nil:
			log.Debug("when the store was last backed up cannot be read", "err", err)
		case last.At.After(m.BackedUpAt()):
			m.BackedUp(last.At)
			log.Info("another node has backed the store up", "node", last.Node, "file", last.File, "at", last.At)
		}
	}
}
