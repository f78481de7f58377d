package control

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/mtfleet/mtfleet/actors"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/backup"
)

// BackupRequest says where a backup is written, on the machine of the manager, and who may restore it.
type BackupRequest struct {
	Path       string   `json:"path"`
	Recipients []string `json:"recipients"`
	Replace    bool     `json:"replace,omitempty"`
}

// auditDetail is the name alone: a detail has 64 characters.
func (r BackupRequest) auditDetail() string { return filepath.Base(r.Path) }

func (r BackupRequest) check() error {
	if !filepath.IsAbs(r.Path) || filepath.Clean(r.Path) != r.Path {
		return &Error{Kind: KindInvalid, Message: fmt.Sprintf("%q is no absolute path of a file on the manager's machine", r.Path)}
	}
	if len(r.Recipients) == 0 {
		return &Error{Kind: KindInvalid, Message: "a backup needs a recipient: the age public key (age1...) of whoever may restore it"}
	}
	_, err := backup.ParseRecipients(r.Recipients)
	return BackupError(err)
}

// outside refuses a file among those of the store.
func (r BackupRequest) outside(storeDir string) error {
	if storeDir != "" && filepath.Dir(r.Path) == filepath.Join(storeDir, "badger") {
		return &Error{Kind: KindInvalid, Message: fmt.Sprintf("%s is among the files of the store: name a file elsewhere, on another disk if there is one", r.Path)}
	}
	return nil
}

// BackupReport says what a backup holds.
type BackupReport struct {
	File       string         `json:"file"`
	Bytes      int64          `json:"bytes,omitempty"`
	Created    time.Time      `json:"created"`
	Program    string         `json:"program"`
	Store      string         `json:"store"` // id
	Commit     uint64         `json:"commit"`
	Accounts   int            `json:"accounts"`
	PermKeys   int            `json:"perm_keys"`
	Records    int            `json:"records"`
	LeftOut    []string       `json:"left_out"`
	Unreadable []BrokenRecord `json:"unreadable"`
}

// Whole tells whether it lacks nothing.
func (r BackupReport) Whole() bool { return len(r.Unreadable) == 0 }

// BrokenRecord is one that cannot be read.
type BrokenRecord struct {
	Account string `json:"account"`
	Record  string `json:"record"` // as people read it: `perm key "2"`
	Why     string `json:"why"`
}

// BackupReportOf tells of a backup in a file.
func BackupReportOf(path string, r backup.Report) BackupReport {
	b := BackupReport{
		File: path, Bytes: r.Bytes, Created: r.Created, Program: r.Program, Store: r.Store, Commit: r.Commit,
		Accounts: r.Holds.Accounts, PermKeys: r.Holds.PermKeys, Records: r.Holds.Records, LeftOut: r.LeftOut, Unreadable: []BrokenRecord{},
	}
	for _, l := range r.Lost {
		b.Unreadable = append(b.Unreadable, BrokenRecord{string(l.Account), l.Record, l.Why})
	}
	return b
}

// BrokenRecords names the records of errors that each are of one.
func BrokenRecords(errs []error) []BrokenRecord {
	list := []BrokenRecord{}
	for _, err := range errs {
		b := BrokenRecord{Why: actors.Words(err)}
		var corrupt *persistence.CorruptError
		if errors.As(err, &corrupt) {
			b.Why = corrupt.Why
		}
		for _, k := range persistence.BadKeys(err) {
			b.Account, b.Record = string(k.Account), k.Kind.String()
			if k.Sub != "" {
				b.Record += fmt.Sprintf(" %q", k.Sub)
			}
		}
		list = append(list, b)
	}
	return list
}

// Backup carries out [Backup].
func (l *Local) Backup(ctx context.Context, r BackupRequest) (BackupReport, error) {
	if err := r.outside(l.About.Store); err != nil {
		return BackupReport{}, err
	}
	recipients, err := backup.ParseRecipients(r.Recipients)
	if err != nil {
		return BackupReport{}, BackupError(err)
	}
	got, err := backup.WriteFile(ctx, r.Path, l.Manager, backup.Options{Recipients: recipients, Program: l.About.Version, Now: time.Now()}, r.Replace)
	if err != nil {
		return BackupReport{}, BackupError(err)
	}
	if len(got.Lost) == 0 {
		// The manager tells by itself of a store that takes no entry; the backup is as good.
		_ = l.Manager.BackupMade(persistence.LastBackup{At: got.Created, Commit: got.Commit, File: r.Path, Bytes: got.Bytes, Node: l.node()})
	}
	return BackupReportOf(r.Path, *got), nil
}

// node is the name of the node of a cluster that this is; empty for a manager that keeps its store alone.
func (l *Local) node() string {
	if l.Cluster == nil {
		return ""
	}
	return l.Manager.Owner().Node
}

// BackupError gives errors of backups and of their files kinds; nil stays nil.
func BackupError(err error) error {
	kind := KindInternal
	switch {
	case err == nil:
		return nil
	case errors.As(err, new(*backup.KeyError)):
		kind = KindInvalid
	case errors.As(err, new(*backup.IdentityError)):
		kind = KindMasterKey
	case errors.As(err, new(*backup.ExistsError)), errors.As(err, new(*persistence.ExistsError)):
		kind = KindExists
	case errors.As(err, new(*backup.IncompleteError)), errors.As(err, new(*backup.DamagedError)), errors.As(err, new(*backup.VersionError)):
		kind = KindDamaged
	case errors.As(err, new(*backup.FileError)):
	default:
		return Wrap(err)
	}
	return &Error{Kind: kind, Message: actors.Words(err), Err: err}
}

// StoreVerdict is what a store holds as of one commit, and what of it cannot be read.
type StoreVerdict struct {
	Whole    bool           `json:"whole"`
	Store    string         `json:"store"` // id
	Commit   uint64         `json:"commit"`
	Accounts int            `json:"accounts"`
	PermKeys int            `json:"perm_keys"`
	Records  int            `json:"records"`
	Broken   []BrokenRecord `json:"broken"`
}

// Verify carries out [Verify].
func (l *Local) Verify(ctx context.Context, _ Empty) (StoreVerdict, error) {
	return VerifyStore(ctx, l.Manager)
}

// Verify carries out [Verify]: it reads what the store has.
func (d *Direct) Verify(ctx context.Context, _ Empty) (StoreVerdict, error) {
	s, ok := d.options.Store.(persistence.Snapshotter)
	if !ok {
		return StoreVerdict{}, &Error{Kind: KindInternal, Message: "this store cannot be shown as of one commit"}
	}
	return VerifyStore(ctx, s)
}

// VerifyStore is [Verify] of a store.
func VerifyStore(ctx context.Context, store persistence.Snapshotter) (v StoreVerdict, err error) {
	var bad []error
	err = store.Snapshot(ctx, func(m persistence.Moment) error {
		v = StoreVerdict{Store: m.Store, Commit: m.Commit, Accounts: m.Holds.Accounts, PermKeys: m.Holds.PermKeys, Records: m.Holds.Records}
		return nil
	}, func(rec persistence.Record, err error) error {
		if err == nil {
			_, err = persistence.DecodeState([]persistence.Record{rec})
		}
		if err != nil {
			bad = append(bad, err)
		}
		return nil
	})
	if err != nil {
		return StoreVerdict{}, Wrap(err)
	}
	v.Whole, v.Broken = len(bad) == 0, BrokenRecords(bad)
	return v, nil
}

// StoreSpace has bytes of disk, -1 where they are not known, and the last good backup.
type StoreSpace struct {
	Used        int64     `json:"used"`
	Free        int64     `json:"free"`
	Needed      int64     `json:"needed"` // below so much free the store refuses commits
	Refuses     string    `json:"refuses,omitempty"`
	BackupAt    time.Time `json:"backup_at,omitzero"`
	BackupFile  string    `json:"backup_file,omitempty"`
	BackupBytes int64     `json:"backup_bytes,omitempty"`
	BackupNode  string    `json:"backup_node,omitempty"` // which node wrote it
}

// Space carries out [Space].
func (l *Local) Space(context.Context, Empty) (StoreSpace, error) {
	last, err := l.Manager.LastBackup()
	return spaceOf(l.Manager.Space(), last, err)
}

// Space carries out [Space]: it asks the store.
func (d *Direct) Space(context.Context, Empty) (StoreSpace, error) {
	return SpaceOf(d.options.Store)
}

// SpaceOf is [Space] of a store.
func SpaceOf(store persistence.Store) (StoreSpace, error) {
	last, err := persistence.ReadLastBackup(store)
	return spaceOf(actors.SpaceOf(store), last, err)
}

func spaceOf(s actors.Space, last persistence.LastBackup, err error) (StoreSpace, error) {
	if err != nil {
		return StoreSpace{}, Wrap(err)
	}
	return StoreSpace{
		Used: s.Used, Free: s.Room.Free, Needed: s.Room.Needed, Refuses: actors.Words(s.Refuses),
		BackupAt: last.At, BackupFile: last.File, BackupBytes: last.Bytes, BackupNode: last.Node,
	}, nil
}
