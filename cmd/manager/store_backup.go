package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/backup"
)

func (a *app) backupCommand() *cobra.Command {
	var recipients []string
	var asJSON, force bool
	c := &cobra.Command{
		Use: "backup FILE", Short: "Write the store into one encrypted file", Args: exactly("FILE"),
		Long: `backup writes everything that cannot be had again into FILE, encrypted with age to
one or more public keys. Whoever has an identity (secret key) of one of them can
restore it, under any master key; without one it is of no use to anybody, the master
key included. age-keygen makes an identity: keep it away from this machine, and a
copy of it elsewhere.

Temp keys, server salts and clock offsets stay out: they are made anew.

FILE has its name when it is whole and on disk, with mode 0600. - is standard output.
A manager that runs goes on meanwhile, and writes FILE itself, on its machine and as
its user. docs/backup.md has the rest: schedules, restores, a drill.`,
		RunE: func(c *cobra.Command, args []string) error {
			a.asJSON = asJSON
			if len(recipients) == 0 {
				return usage("store backup: --recipient is missing: the age public key (age1...) of whoever may restore it; `age-keygen -o backup.key` makes one, and keep that file elsewhere")
			}
			list, err := backup.ParseRecipients(recipients)
			if err != nil {
				return usage("store backup: %s", plainly(err))
			}
			path := args[0]
			if _, is := terminal(a.out); is && path == "-" {
				return usage("store backup: standard output is a terminal: name a file, or send it into a program")
			}
			s, err := a.running(c.Context())
			if err != nil {
				return err
			}
			where, r := "", control.BackupReport{}
			if s != nil {
				defer s.Close()
				r, err = a.backUpRunning(c.Context(), s, control.BackupRequest{Path: path, Recipients: recipients, Replace: force})
			} else {
				where, r, err = a.backUpStore(c.Context(), path, force, list)
			}
			var unnoted *unnotedError
			if err != nil && !errors.As(err, &unnoted) {
				return err
			}
			if err := a.printBackup(where, path == "-", r, len(list)); err != nil {
				return err
			}
			if unnoted != nil {
				return err
			}
			return a.lost(r.Unreadable, "not in the backup are %d records that cannot be read: run `manager store verify`, and `manager store salvage`")
		},
	}
	c.Flags().StringArrayVar(&recipients, "recipient", nil, "age public `KEY` of whoever may restore it (repeatable)")
	c.Flags().BoolVar(&force, "force", false, "replace FILE")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON to standard output (to standard error where that is the backup), and errors as JSON to standard error")
	return c
}

// running is the manager that runs on the store, or the one elsewhere that the
// configuration names; nil where none runs. A socket may be another store's.
func (a *app) running(ctx context.Context) (control.Service, error) {
	cfg, err := a.load(true)
	if err != nil {
		return nil, err
	}
	if cfg.Remote.URL != "" {
		return managerElsewhere(cfg.Remote)
	}
	s, err := control.Dial(ctx, cfg.Control.Socket)
	if errors.Is(err, control.ErrNobody) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	info, err := control.Info.Call(ctx, s, control.Empty{})
	if err == nil && info.Running && sameStore(info, cfg) {
		return s, nil
	}
	_ = s.Close() // of another store, or of a command, which has the lock
	return nil, err
}

// backUpRunning has a manager that runs write the file, on its own machine.
func (a *app) backUpRunning(ctx context.Context, s control.Service, r control.BackupRequest) (control.BackupReport, error) {
	if r.Path == "-" {
		return control.BackupReport{}, usage("store backup: a manager runs, and it writes files, not to standard output: name a FILE")
	}
	cfg, err := a.load(true)
	if err != nil {
		return control.BackupReport{}, err
	}
	if cfg.Remote.URL == "" { // elsewhere it starts where nobody knows
		r.Path = absolute(r.Path)
	}
	return control.Backup.Call(ctx, s, r)
}

// backUpStore writes the file from a store that no manager runs, which it names.
func (a *app) backUpStore(ctx context.Context, path string, force bool, recipients []age.Recipient) (dir string, report control.BackupReport, err error) {
	cfg, err := a.databaseOf()
	if err != nil {
		return "", report, err
	}
	if cfg != nil {
		return a.backUpDatabase(ctx, cfg, path, force, recipients)
	}
	o, err := a.ownStore()
	if err != nil {
		return "", report, err
	}
	store, err := openWhenFree(o)
	if err != nil {
		return "", report, err
	}
	report, err = a.backUpOpen(ctx, store, path, force, recipients)
	return o.Dir, report, errors.Join(err, closeStore(store))
}

// snapshots is a store that can be backed up.
type snapshots interface {
	persistence.Store
	persistence.Snapshotter
}

// backUpOpen writes the file from a store that is open, and notes that in it.
func (a *app) backUpOpen(ctx context.Context, store snapshots, path string, force bool, recipients []age.Recipient) (report control.BackupReport, err error) {
	options := backup.Options{Recipients: recipients, Program: version(), Now: time.Now()}
	var r *backup.Report
	if path == "-" {
		r, err = backup.Write(ctx, a.out, store, options)
	} else {
		r, err = backup.WriteFile(ctx, path, store, options, force)
	}
	a.auditOpen(store, "StoreService/Backup", filepath.Base(path), control.BackupError(err))
	if err == nil {
		report = control.BackupReportOf(path, *r)
		if report.Whole() {
			err = noteBackup(store, path, r)
		}
	}
	if inService(err) { // the audit log has said why
		err = nil
	}
	return report, control.BackupError(err)
}

// unnotedError says that the store does not know of a backup that is good.
type unnotedError struct{ err error }

func (e *unnotedError) Error() string {
	return "the backup is good, but when it was made could not be noted in the store: " + actors.Words(e.err)
}

func (e *unnotedError) Unwrap() error { return e.err }

// noteBackup remembers when a store that no manager runs was backed up.
func noteBackup(store persistence.Store, path string, r *backup.Report) error {
	if path != "-" {
		path = absolute(path)
	}
	owner, err := store.Claim("backup")
	if err == nil {
		note := persistence.LastBackup{At: r.Created, Commit: r.Commit, File: path, Bytes: r.Bytes}
		err = store.Commit(persistence.Commit{Owner: owner, Put: []persistence.Record{note.Record()}})
	}
	if err != nil {
		return &unnotedError{err}
	}
	return nil
}

// backupJSON says for programs what a backup is of.
type backupJSON struct {
	control.BackupReport
	MasterKey bool `json:"master_key_needed"` // to restore it
}

// printBackup tells of a backup; of one on standard output on standard error.
func (a *app) printBackup(dir string, piped bool, r control.BackupReport, recipients int) error {
	out := *a
	if piped {
		out.out = a.err
	}
	if a.asJSON {
		return out.printJSON(backupJSON{BackupReport: r})
	}
	who := "the identity of its recipient"
	if recipients > 1 {
		who = fmt.Sprintf("an identity of one of its %d recipients", recipients)
	}
	store := "The store"
	if dir != "" {
		store += " in " + dir
	}
	return out.sayf("%s is backed up as of commit %d: %v, in %s (%s). To restore it takes %s, and no master key.",
		store, r.Commit, persistence.Tally{Accounts: r.Accounts, PermKeys: r.PermKeys, Records: r.Records}, r.File, persistence.Size(r.Bytes), who)
}

// lost tells which records a backup lacks, and fails if there are any.
func (a *app) lost(list []control.BrokenRecord, format string) error {
	for _, l := range list {
		if !a.asJSON {
			a.printf("  %s: %s: %s\n", l.Account, l.Record, l.Why)
		}
	}
	if len(list) == 0 {
		return nil
	}
	return damagedBackup(format, len(list))
}

func damagedBackup(format string, args ...any) error {
	return &exitError{code: exitDamaged, kind: control.KindDamaged, text: fmt.Sprintf(format, args...)}
}

// plainly is an error without the package it came from.
func plainly(err error) string { return strings.TrimPrefix(err.Error(), "persistence: ") }

// bareError is the system's own error, where a path is named already.
func bareError(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
