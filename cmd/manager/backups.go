package main

import (
	"context"
	"log/slog"
	"sync"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/config"
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
// ctx ends. Each backup is asked for as any caller would, and so is in the audit log.
func runBackups(ctx context.Context, c config.Backup, local *control.Local, log *slog.Logger) (wait func()) {
	if c.Dir == "" {
		return func() {}
	}
	s := backup.Schedule{
		Dir: absolute(c.Dir), Every: c.Every, Keep: c.Keep, Log: log,
		Make: func(ctx context.Context, path string) (bool, error) {
			r, err := control.Backup.Call(ctx, local, control.BackupRequest{Path: path, Recipients: c.Recipients})
			return r.Whole(), err
		},
	}
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	return running.Wait
}
