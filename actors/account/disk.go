package account

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
)

// jobKind says what a job does.
type jobKind uint8

const (
	jobCommit jobKind = iota // writes commit
	jobLoad                  // reads all records of job.account
	jobErase                 // deletes the account's records: all, or those of a login
	jobRetire                // moves the perm key of job.dc aside
)

// job is one thing done with the store. It is data, so that it can wait.
type job struct {
	kind    jobKind
	account persistence.AccountID
	commit  persistence.Commit // jobCommit
	all     bool               // jobErase
	dc      int                // jobRetire
	at      time.Time          // jobRetire
	urgency urgency
	from    *fence      // of a binding's; nil for the account's own
	waits   waiter      // what of the account goes on afterwards
	peer    *peer       // of bindingWaits
	reply   func(error) // a binding's
}

// waiter says what of the account goes on when a job is over.
type waiter uint8

const (
	nobodyWaits   waiter = iota
	startWaits           // the account, for its records
	bindingWaits         // a binding, for its keys
	standingWaits        // standing's other outputs
	eraseWaits           // the same, after an erasure
	loginWaits           // the login's other outputs
	subjectWaits         // a login, for the waits about its phone number
)

// covers reports whether the job decides about a record.
func (q *job) covers(key persistence.Key) bool {
	switch q.kind {
	case jobCommit:
		return slices.ContainsFunc(q.commit.Put, func(r persistence.Record) bool { return r.Key == key }) ||
			slices.Contains(q.commit.Delete, key)
	case jobErase: // a wait that is kept for all accounts is not the account's
		return key.Account == q.account && (q.all || !outlivesLogin(key) || key.Kind == persistence.KindAccount)
	}
	return false
}

// disk is the store as one account uses it. Its lock keeps what a stopping
// account leaves behind in order; it is taken on the pool for waiting, never in
// an actor.
type disk struct {
	mu    sync.Mutex
	store persistence.Store
	owner persistence.Owner
}

// do does a job. It blocks. The records are those of jobLoad.
func (d *disk) do(q job) ([]persistence.Record, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch q.kind {
	case jobCommit:
		return nil, d.commit(q.commit)
	case jobLoad:
		return d.store.Load(q.account)
	}
	records, err := d.store.Load(q.account)
	bad := persistence.BadKeys(err)
	if err != nil && len(bad) == 0 {
		return nil, err // not about a record: the store itself
	}
	if q.kind == jobRetire {
		return nil, d.commit(retireKeys(q.account, q.dc, q.at, records))
	}
	gone := without(erasedKeys(q.all, records, bad), q.commit.Put)
	return nil, d.commit(persistence.Commit{Put: q.commit.Put, Delete: gone})
}

func (d *disk) commit(c persistence.Commit) error {
	if len(c.Put)+len(c.Delete) == 0 {
		return nil
	}
	c.Owner = d.owner
	return d.store.Commit(c)
}

// revokedKeep is how long the key of a revoked authorization is kept sealed.
const revokedKeep = 7 * 24 * time.Hour

// outlived lists the revoked keys that were kept long enough.
func outlived(id persistence.AccountID, keys []persistence.PermKey, now time.Time) (gone []persistence.Key) {
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
	out := persistence.Commit{Delete: outlived(id, state.PermKeys, now)}
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

// erasedKeys lists what an erasure deletes: everything, also what cannot be
// read, or what a login leaves.
func erasedKeys(all bool, records []persistence.Record, bad []persistence.Key) []persistence.Key {
	keys := append([]persistence.Key(nil), bad...)
	for _, r := range records {
		if all || !outlivesLogin(r.Key) {
			keys = append(keys, r.Key)
		}
	}
	if !all {
		keys = keys[len(bad):]
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

func without(keys []persistence.Key, put []persistence.Record) []persistence.Key {
	var out []persistence.Key
	for _, key := range keys {
		kept := true
		for _, r := range put {
			kept = kept && r.Key != key
		}
		if kept {
			out = append(out, key)
		}
	}
	return out
}
