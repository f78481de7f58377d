package persistence

import "time"

// LastBackup is what a store knows of the last good backup of it. The backup itself
// does not have it, but the one before.
type LastBackup struct {
	At     time.Time // when what is in it was so; zero: there was none
	Commit uint64    // the last that is in it
	File   string    // where it was written, on the machine of the store then
	Bytes  int64
	Node   string // which wrote it, where a store has several; empty otherwise
}

// Version 2 has the node. Where there is none it is version 1, as ever.
const lastBackupVersion = 2

// LastBackupKey is where it is, and ScheduledBackupKey where the last is that the
// schedule of several nodes made: what somebody makes by hand may be gone tomorrow.
var (
	LastBackupKey      = Key{FleetID, KindMeta, "last-backup"}
	ScheduledBackupKey = Key{FleetID, KindMeta, "scheduled-backup"}
)

// Record encodes it.
func (b LastBackup) Record() Record { return b.at(LastBackupKey) }

// ScheduledRecord encodes it as one that a schedule made.
func (b LastBackup) ScheduledRecord() Record { return b.at(ScheduledBackupKey) }

func (b LastBackup) at(key Key) Record {
	var w writer
	w.time(b.At)
	w.uint(b.Commit)
	w.string(b.File)
	w.uint(uint64(max(b.Bytes, 0)))
	if b.Node == "" {
		return Record{key, 1, Secret(w)}
	}
	w.string(b.Node)
	return Record{key, lastBackupVersion, Secret(w)}
}

// ReadLastBackup reads it from a store; it is zero where there was none.
func ReadLastBackup(s Store) (LastBackup, error) { return readBackup(s, LastBackupKey) }

// ReadScheduledBackup reads the last that the schedule of several nodes made; it is zero
// where there was none.
func ReadScheduledBackup(s Store) (LastBackup, error) { return readBackup(s, ScheduledBackupKey) }

func readBackup(s Store, at Key) (LastBackup, error) {
	records, err := s.Load(FleetID)
	for _, rec := range records {
		if rec.Key == at {
			return decodeLastBackup(rec)
		}
	}
	for _, key := range BadKeys(err) {
		if key == at {
			return LastBackup{}, err
		}
	}
	if len(BadKeys(err)) > 0 { // of other records, which others tell of
		err = nil
	}
	return LastBackup{}, err
}

func decodeLastBackup(rec Record) (b LastBackup, err error) {
	r, err := open(rec, KindMeta, lastBackupVersion)
	if err != nil {
		return b, err
	}
	b = LastBackup{At: r.time(), Commit: r.uint(), File: r.string(), Bytes: int64(r.uint())}
	if rec.Version >= 2 {
		b.Node = r.string()
	}
	return b, r.close(rec)
}
