package journal

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
)

// A Kind says what a piece of work does.
type Kind uint8

const (
	Commit  Kind = iota // writes Work.Commit
	Load                // reads all records of Work.Account
	Erase               // deletes the account's records, all or those of its login, and writes Work.Commit.Put
	Retire              // moves the perm key of Work.DC aside, sealed, and deletes what hung on it
	Restore             // puts that key back and writes Work.Commit.Put, or fails with a *NoKeyError
)

// Urgency says what a refusal means for who asked. Whatever it says, what was to
// be written is owed, but for Once.
type Urgency uint8

const (
	// Should: who asked is told and goes on; it is written as soon as the store
	// takes commits.
	Should Urgency = iota
	// Must: it is tried until it is on disk. Nothing passes it, and who asked
	// waits.
	Must
	// Once: who asked is told and decides. It is for two kinds of askers: who
	// repeats it himself and does nothing of what it is about before (a binding
	// with its keys), and who is told no and goes back to what was
	// before (who removes an account). A state is not written by it.
	Once
)

// Work is one thing done with the store. It is data, so that it can wait.
type Work struct {
	Kind    Kind
	Urgency Urgency
	Account persistence.AccountID // of Load, Erase, Retire, Restore
	Commit  persistence.Commit    // of Commit; of Erase and Restore what is put
	All     bool                  // of Erase: also what outlives a login
	DC      int                   // of Retire, Restore
	At      time.Time             // of Retire

	void []Change // of Once: what was gathered and owed before it
}

// Shared reports whether the work is about what is kept for all accounts.
func (w *Work) Shared() bool { return w.Account == persistence.FleetID }

// Covers reports whether the work decides about a record.
func (w *Work) Covers(key persistence.Key) bool {
	switch w.Kind {
	case Commit, Restore:
		return slices.ContainsFunc(w.Commit.Put, func(r persistence.Record) bool { return r.Key == key }) ||
			slices.Contains(w.Commit.Delete, key)
	case Erase: // a wait that is kept for all accounts is not the account's
		return key.Account == w.Account && (w.All || !outlivesLogin(key) || key.Kind == persistence.KindAccount)
	}
	return false
}

// owed is what is still to be written when the work was refused and is over. An
// erasure or a retirement is not begun by halves: the state that led to it is on
// disk and leads to it again.
func (w *Work) owed() (all []Change) {
	switch {
	case w.Urgency == Once:
		return w.void
	case w.Kind != Commit:
		return nil
	}
	for _, r := range w.Commit.Put {
		all = append(all, Change{Key: r.Key, Put: &r})
	}
	for _, key := range w.Commit.Delete {
		all = append(all, Change{Key: key})
	}
	return all
}

// join adds changes to a commit that is not about them.
func join(c persistence.Commit, changes []Change) persistence.Commit {
	c.Put, c.Delete = slices.Clone(c.Put), slices.Clone(c.Delete)
	for _, ch := range changes {
		if ch.Put != nil {
			c.Put = append(c.Put, *ch.Put)
		} else {
			c.Delete = append(c.Delete, ch.Key)
		}
	}
	return c
}

// revokedKeep is how long the key of a revoked authorization is kept sealed.
const revokedKeep = 7 * 24 * time.Hour

// Outlived lists the revoked keys that were kept long enough: they are deleted
// when the account starts and when another takes their place.
func Outlived(id persistence.AccountID, keys []persistence.PermKey, now time.Time) (gone []persistence.Key) {
	for i := range keys {
		if p := &keys[i]; !p.Revoked.IsZero() && now.Sub(p.Revoked) > revokedKeep {
			gone = append(gone, persistence.RevokedKeyKey(id, p.DC))
		}
	}
	return gone
}

// retireKeys moves the home perm key aside and deletes what hung on it.
func retireKeys(id persistence.AccountID, home int, now time.Time, records []persistence.Record) persistence.Commit {
	state, _ := persistence.DecodeState(records) // what cannot be read stays as it is
	out := persistence.Commit{Delete: Outlived(id, state.PermKeys, now)}
	for _, p := range state.PermKeys {
		if p.Revoked.IsZero() && p.DC == home {
			out.Delete = append(out.Delete, persistence.PermKeyKey(id, p.DC))
			p.Revoked = now
			out.Put = append(out.Put, p.Record(id))
		}
	}
	for _, t := range state.TempKeys {
		if t.DC == home {
			out.Delete = append(out.Delete, persistence.TempKeyKey(id, t.DC, t.KeyID))
		}
	}
	// A key moved aside takes the place of one that was there.
	out.Delete = without(out.Delete, out.Put)
	return out
}

// A NoKeyError says that no retired key can be put back.
type NoKeyError struct {
	DC    int
	Newer bool // there is a newer one in its place; else there is none
}

func (e *NoKeyError) Error() string {
	if e.Newer {
		return fmt.Sprintf("a newer perm key of DC %d is in the place of the retired one: sign in with that", e.DC)
	}
	return fmt.Sprintf("no retired perm key of DC %d is kept: sign in again", e.DC)
}

// restoreKey puts the retired perm key of a DC back.
func restoreKey(w *Work, records []persistence.Record) (persistence.Commit, error) {
	state, _ := persistence.DecodeState(records)
	retired := (*persistence.PermKey)(nil)
	for i := range state.PermKeys {
		switch p := &state.PermKeys[i]; {
		case p.DC != w.DC:
		case p.Revoked.IsZero():
			return persistence.Commit{}, &NoKeyError{DC: w.DC, Newer: true}
		default:
			retired = p
		}
	}
	if retired == nil {
		return persistence.Commit{}, &NoKeyError{DC: w.DC}
	}
	retired.Revoked = time.Time{}
	return persistence.Commit{
		Put:    append(slices.Clone(w.Commit.Put), retired.Record(w.Account)),
		Delete: []persistence.Key{persistence.RevokedKeyKey(w.Account, w.DC)},
	}, nil
}

// erasedKeys lists what an erasure deletes: everything, also what cannot be
// read, or what a login leaves.
func erasedKeys(all bool, records []persistence.Record, bad []persistence.Key) (keys []persistence.Key) {
	if all {
		keys = slices.Clone(bad)
	}
	for _, r := range records {
		if all || !outlivesLogin(r.Key) {
			keys = append(keys, r.Key)
		}
	}
	return keys
}

// outlivesLogin reports whether a record stays when the account is logged out.
func outlivesLogin(key persistence.Key) bool {
	switch key.Kind {
	case persistence.KindAccount, persistence.KindWait, persistence.KindMeta:
		return true
	case persistence.KindPermKey:
		return strings.HasSuffix(key.Sub, ".revoked")
	}
	return false
}

// without leaves out the keys of records that are written.
func without(keys []persistence.Key, put []persistence.Record) []persistence.Key {
	return slices.DeleteFunc(keys, func(key persistence.Key) bool {
		return slices.ContainsFunc(put, func(r persistence.Record) bool { return r.Key == key })
	})
}
