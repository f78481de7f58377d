package main

import (
	"slices"
	"strings"

	"github.com/mtfleet/mtfleet/cmd/manager/control"
	"github.com/mtfleet/mtfleet/persistence"
	"github.com/mtfleet/mtfleet/persistence/badgerstore"
)

// What a command does with a store itself is written into the audit log of that store, as what a manager is asked for. A
// store that cannot take the entry does not undo what was done, which is said.

// auditOutcome is how a command ended, for the audit log.
func auditOutcome(err error) string {
	if err == nil {
		return "ok"
	}
	return string(kindOf(err))
}

// auditOpen writes what was done with a store that is open, and is claimed for it.
func (a *app) auditOpen(store persistence.Store, what, detail string, err error) {
	owner, failed := store.Claim("audit")
	if inService(failed) {
		a.printf("manager: nothing in the store says so, for others have it in use (%s): a manager that runs notes what it is asked to do\n", describe(failed))
		return
	}
	if failed == nil {
		failed = control.AuditOwn(store, owner, what, detail, auditOutcome(err))
	}
	a.unaudited(failed)
}

// auditClosed writes what was done with a store that is closed.
func (a *app) auditClosed(o badgerstore.Options, what, detail string, err error) {
	store, failed := openWhenFree(o)
	if failed != nil {
		a.unaudited(failed)
		return
	}
	a.auditOpen(store, what, detail, err)
	a.unaudited(closeStore(store))
}

func (a *app) unaudited(err error) {
	if err != nil {
		a.printf("manager: the audit log has no entry of this: %s\n", describe(err))
	}
}

// withEntry has what is put into a new store end with an entry about it, which follows those of the log in it. One that
// cannot be read is put as it is.
func withEntry(records func(put func(persistence.Record) error) error, what, detail string) func(put func(persistence.Record) error) error {
	return func(put func(persistence.Record) error) error {
		var log []persistence.Record // 5.6 MiB at most
		err := records(func(rec persistence.Record) error {
			if rec.Account == persistence.AuditID {
				log = append(log, rec)
				return nil
			}
			return put(rec)
		})
		if err != nil {
			return err
		}
		slices.SortFunc(log, func(a, b persistence.Record) int { return strings.Compare(a.Sub, b.Sub) })
		if all, err := persistence.DecodeAudit(log); err == nil {
			page, drop := persistence.AppendAudit(all, control.OwnEntry(what, detail, auditOutcome(nil)))
			log = slices.DeleteFunc(log, func(rec persistence.Record) bool { return rec.Key == page.Key || slices.Contains(drop, rec.Key) })
			log = append(log, page)
		}
		for _, rec := range log {
			if err := put(rec); err != nil {
				return err
			}
		}
		return nil
	}
}
