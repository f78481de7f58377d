package actors

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/mtfleet/mtfleet/persistence"
)

// AuditEntry is one thing that somebody did to accounts or to the fleet, or tried
// to, as it is told; the log adds its number, time and hash.
type AuditEntry struct {
	Who     string // "uid 1000"
	What    string // "AccountService/Pause"
	Detail  string // what of it matters; no secret
	Account string
	Outcome string // "ok", or the kind of the error
}

// auditLog appends to the log in the store. What comes while a commit is under way
// is written with the next one: a thousand at once cost a few commits.
type auditLog struct {
	store  persistence.Store
	owner  persistence.Owner
	shared bool // by the nodes of a cluster
	now    func() time.Time

	mu      sync.Mutex // guards what follows
	read    bool       // last and page are there
	at      time.Time  // when that was so
	last    persistence.AuditEntry
	page    persistence.AuditPage
	waiting []auditWish
	writing bool // somebody writes what waits
}

const (
	// auditFresh is for how long it is known where a shared log ends: within it nobody
	// writes as much as has all turns of that time forgotten.
	auditFresh = 5 * time.Second
	// auditTries bounds how often somebody else is quicker to write the next entry:
	// each time one node gets its turn.
	auditTries = 50
)

type auditWish struct {
	entry persistence.AuditEntry
	done  chan<- error
}

// append writes an entry. It blocks until that is on disk.
func (l *auditLog) append(e persistence.AuditEntry) error {
	e.At = l.now()
	done := make(chan error, 1)
	l.mu.Lock()
	l.waiting = append(l.waiting, auditWish{e, done})
	if l.writing {
		l.mu.Unlock()
		return <-done
	}
	l.writing = true
	l.drain()
	l.mu.Unlock()
	return <-done
}

// drain writes what waits, page by page, until nothing does; mu is held but for the
// commits.
func (l *auditLog) drain() {
	for tries := 0; len(l.waiting) > 0; {
		err := l.load()
		var batch []auditWish
		last, page := l.last, l.page
		commit := persistence.Commit{Owner: l.owner}
		for len(l.waiting) > 0 && len(page.Entries) < persistence.AuditPageSize {
			w := l.waiting[0]
			l.waiting = l.waiting[1:]
			last = w.entry.Follow(last)
			page.Entries = append(page.Entries[:len(page.Entries):len(page.Entries)], last)
			batch = append(batch, w)
		}
		if err == nil {
			page.Number = last.PageOf()
			commit.Put = []persistence.Record{page.Record()}
			if page.Number >= persistence.AuditPages {
				commit.Delete = persistence.AuditGone(page.Number - persistence.AuditPages)
			}
			if l.shared {
				turn := persistence.AuditTurn(l.last.Seq + 1)
				commit.Put, commit.Absent = append(commit.Put, turn), []persistence.Key{turn.Key}
			}
			l.mu.Unlock()
			err = l.store.Commit(commit)
			l.mu.Lock()
		}
		if tries++; errors.As(err, new(*persistence.PresentError)) && tries < auditTries {
			l.read, l.waiting = false, append(batch, l.waiting...) // another node was quicker
			continue
		}
		tries = 0
		if err == nil {
			l.last, l.page, l.at = last, page, l.now()
			if len(page.Entries) == persistence.AuditPageSize {
				l.page = persistence.AuditPage{}
			}
		} else {
			l.read = false // what is on disk is looked at again
		}
		for _, w := range batch {
			w.done <- err
		}
	}
	l.waiting, l.writing = nil, false
}

// load reads where the log ends.
func (l *auditLog) load() error {
	if l.read && (!l.shared || l.now().Sub(l.at) < auditFresh) {
		return nil
	}
	l.at = l.now()
	all, err := readAudit(l.store)
	if err != nil {
		return err
	}
	l.last, l.page = persistence.LastAuditPage(all)
	l.read = true
	return nil
}

func readAudit(store persistence.Store) ([]persistence.AuditEntry, error) {
	records, err := store.Load(persistence.AuditID)
	if err != nil {
		return nil, fmt.Errorf("reading the audit log: %w", err)
	}
	return persistence.DecodeAudit(records)
}

// Audit appends to the audit log of the store. It blocks until that is on disk. The
// error is the store's.
func (m *Manager) Audit(_ context.Context, e AuditEntry) error {
	err := m.audit.append(persistence.AuditEntry{Who: e.Who, What: e.What, Detail: e.Detail, Account: e.Account, Outcome: e.Outcome})
	if err != nil {
		m.storeFailed(persistence.AuditID, err)
	}
	return err
}

// AuditLog returns the entries that are kept, oldest first: 16,384 at most. It reads
// the store, and does not look at the hashes, see persistence.CheckAudit.
func (m *Manager) AuditLog() ([]persistence.AuditEntry, error) { return readAudit(m.opts.Store) }
