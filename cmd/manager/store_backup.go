package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

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
docs/backup.md has the rest: schedules, restores, a drill.`,
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
			target := outFile{path: path, force: force, stdout: a.out}
			if err := target.free(); err != nil {
				return err
			}
			o, err := a.ownStore()
			if err != nil {
				return err
			}
			store, err := openWhenFree(o)
			if err != nil {
				return err
			}
			var r *backup.Report
			size, err := target.write(func(w io.Writer) error {
				r, err = backup.Write(c.Context(), w, store, backup.Options{Recipients: list, Program: version(), Now: time.Now()})
				if err == nil && len(r.Lost) > 0 && target.exists() {
					err = damagedBackup("records cannot be read, and %s, which may have them, was not replaced: name another file, then run `manager store verify`", path)
				}
				return err
			})
			if err = errors.Join(err, closeStore(store)); err != nil {
				return err
			}
			if err := a.printBackup(o.Dir, path, size, r, len(list), asJSON); err != nil {
				return err
			}
			if len(r.Lost) == 0 {
				return noteBackup(filepath.Dir(o.Dir), path, r)
			}
			return a.lost(r.Lost, "not in the backup are %d records that cannot be read: run `manager store verify`, and `manager store salvage`")
		},
	}
	c.Flags().StringArrayVar(&recipients, "recipient", nil, "age public `KEY` of whoever may restore it (repeatable)")
	c.Flags().BoolVar(&force, "force", false, "replace FILE")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON to standard output (to standard error where that is the backup), and errors as JSON to standard error")
	return c
}

// backupJSON says for programs what a backup is of.
type backupJSON struct {
	File    string    `json:"file"`
	Bytes   int64     `json:"bytes,omitempty"`
	Created time.Time `json:"created"`
	Program string    `json:"program"`
	Store   string    `json:"store"` // id
	Commit  uint64    `json:"commit"`
	tally
	LeftOut   []string      `json:"left_out"`
	Lost      []backup.Lost `json:"unreadable"`
	MasterKey bool          `json:"master_key_needed"`
}

func aboutBackup(path string, size int64, r backup.Report) backupJSON {
	b := backupJSON{File: path, Bytes: size, Created: r.Created, Program: r.Program, Store: r.Store, Commit: r.Commit, tally: tally(r.Holds), LeftOut: r.LeftOut, Lost: r.Lost}
	if b.Lost == nil {
		b.Lost = []backup.Lost{}
	}
	return b
}

func (a *app) printBackup(dir, path string, size int64, r *backup.Report, recipients int, asJSON bool) error {
	out := *a
	if path == "-" { // which is the backup
		out.out = a.err
	}
	if asJSON {
		return out.printJSON(aboutBackup(path, size, *r))
	}
	who := "the identity of its recipient"
	if recipients > 1 {
		who = fmt.Sprintf("an identity of one of its %d recipients", recipients)
	}
	return out.sayf("The store in %s is backed up as of commit %d: %v, in %s (%s). To restore it takes %s, and no master key.",
		dir, r.Commit, r.Holds, path, persistence.Size(size), who)
}

// lost tells which records a backup lacks, and fails if there are any.
func (a *app) lost(list []backup.Lost, format string) error {
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

// outFile is a file that has its name when it is whole.
type outFile struct {
	path   string // - is standard output
	force  bool
	stdout io.Writer
}

func (o outFile) exists() bool {
	_, err := os.Lstat(o.path)
	return o.path != "-" && err == nil
}

// free wants nothing to be where the file is to be, unless it may be replaced.
func (o outFile) free() error {
	if o.force || !o.exists() {
		return nil
	}
	return &exitError{code: exitUsage, kind: control.KindExists, text: fmt.Sprintf("there is %s already: nothing was written; name another file, or say --force", o.path)}
}

// write has f write the file, and gives it its name when it is on disk. It returns
// how many bytes there are.
func (o outFile) write(f func(io.Writer) error) (size int64, err error) {
	if o.path == "-" {
		w := &counted{to: o.stdout}
		err := f(w)
		return w.n, err
	}
	dir := filepath.Dir(o.path)
	file, err := os.CreateTemp(dir, "."+filepath.Base(o.path)+".*") // mode 0600
	if err != nil {
		return 0, fmt.Errorf("make a file in %s: %w", dir, bareError(err))
	}
	defer os.Remove(file.Name())
	w := &counted{to: file}
	if err := f(w); err != nil {
		return 0, errors.Join(err, file.Close())
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return 0, fmt.Errorf("write %s: %w", o.path, bareError(err))
	}
	if err := o.name(file.Name()); err != nil {
		return 0, err
	}
	d, err := os.Open(dir)
	if err == nil {
		err = errors.Join(d.Sync(), d.Close())
	}
	if err != nil {
		return 0, fmt.Errorf("write %s: %w", o.path, bareError(err))
	}
	return w.n, nil
}

// name gives the file its name. A link takes no name that another has, also when
// that came there a moment ago; some file systems have none.
func (o outFile) name(temporary string) error {
	if !o.force && os.Link(temporary, o.path) == nil {
		return nil
	}
	if err := o.free(); err != nil {
		return err
	}
	if err := os.Rename(temporary, o.path); err != nil {
		return fmt.Errorf("write %s: %w", o.path, bareError(err))
	}
	return nil
}

// counted counts what is written.
type counted struct {
	to io.Writer
	n  int64
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.to.Write(b)
	c.n += int64(n)
	return n, err
}

// bareError is the system's own error, where a path is named already.
func bareError(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
