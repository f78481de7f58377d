package actors

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
)

// This file keeps what belongs to the store as a whole; see persistence.FleetID.

// saltKey is where the salt is with which phone numbers and tokens are hashed
// into the names of records.
var saltKey = persistence.Key{Account: persistence.FleetID, Kind: persistence.KindMeta, Sub: "subject-salt"}

const (
	saltSize = 32 // bytes
	// sweepAfter is how long a wait is over before its record is deleted: more
	// than a clock is wrong by that nobody has noticed.
	sweepAfter = 30 * 24 * time.Hour
)

// fleetRecords returns the store's salt, made at the first start, and deletes
// the waits that are long over. A record that cannot be read is left as it is.
func fleetRecords(store persistence.Store, owner persistence.Owner, now time.Time, rand io.Reader) ([]byte, error) {
	records, err := store.Load(persistence.FleetID)
	if err != nil && len(persistence.BadKeys(err)) == 0 {
		return nil, fmt.Errorf("reading the store: %w", err)
	}
	commit := persistence.Commit{Owner: owner}
	var salt []byte
	for _, rec := range records {
		if rec.Key == saltKey {
			salt = rec.Data
		} else if over(rec, now) {
			commit.Delete = append(commit.Delete, rec.Key)
		}
	}
	if len(commit.Delete) > persistence.MaxCommitItems/2 {
		commit.Delete = commit.Delete[:persistence.MaxCommitItems/2] // the rest at the next start
	}
	if salt == nil {
		salt = make([]byte, saltSize)
		if _, err := io.ReadFull(rand, salt); err != nil {
			return nil, fmt.Errorf("making the store's salt: %w", err)
		}
		commit.Put, commit.Absent = []persistence.Record{{Key: saltKey, Version: 1, Data: salt}}, []persistence.Key{saltKey}
	}
	if len(commit.Put)+len(commit.Delete) == 0 {
		return salt, nil
	}
	err = store.Commit(commit)
	if errors.As(err, new(*persistence.PresentError)) { // another node was the first
		return fleetRecords(store, owner, now, rand)
	}
	if err != nil {
		return nil, fmt.Errorf("writing to the store: %w", err)
	}
	return salt, nil
}

func over(rec persistence.Record, now time.Time) bool {
	if rec.Kind != persistence.KindWait {
		return false
	}
	w, err := persistence.DecodeWait(rec)
	return err == nil && now.Sub(w.Start.Add(w.Length)) > sweepAfter
}
