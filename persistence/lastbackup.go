package persistence

import "time"

// LastBackup is what a store knows of the last good backup of it. The backup itself
// does not have it, but the one before.
type LastBackup struct {
	At     time.Time // when what is in it was so; zero: there was none
	Commit uint64    // the last that is in it
	File   string    // where it was written, on the machine of the store then
	Bytes  int64
}

const lastBackupVersion = 1

// LastBackupKey is where it is.
var LastBackupKey = Key{FleetID, KindMeta, "last-backup"}

// Record encodes it.
func (b LastBackup) Record() Record {
	var w writer
	w.time(b.At)
	w.uint(b.Commit)
	w.string(b.File)
	w.uint(uint64(max(b.Bytes, 0)))
	return Record{LastBackupKey, lastBackupVersion, Secret(w)}
}

// ReadLastBackup reads it from a store; it is zero where there was none.
func ReadLastBackup(s Store) (LastBackup, error) {
	records, err := s.Load(FleetID)
	for _, rec := range records {
		if rec.Key == LastBackupKey {
			return decodeLastBackup(rec)
		}
	}
	for _, key := range BadKeys(err) {
		if key == LastBackupKey {
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
	return b, r.close(rec)
}
